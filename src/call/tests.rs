//! What a call asks of its phone, and which facts are in the journal by then.

use std::{cell::RefCell, net::Ipv4Addr, path::Path, sync::Arc};

use offhook_sip::{message::Message, session::SessionEvent};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};

use super::{
    Beginning, CallActor, CallArguments, CallMedia, CallMessage, CallSettings, Conferences, RecordingPlace,
    Request, ToPhone,
    conference::{Seat, Seated},
};
use crate::{
    artifact::{ArtifactFolder, ArtifactKind},
    capture::{CaptureOptions, Captures},
    command::{CallCommand, Refused},
    config::{Occupant, Pool},
    event::Cause,
    id::{CallId, PhoneId, RunId, Seq},
    journal::{Journal, Query},
    media::MediaHub,
    net::{Network, SystemNetwork},
    telemetry::SeldomTogether,
    wall::Wall,
};

thread_local! {
    /// Journal of the test on this thread: read at the moment a call asks for something.
    static JOURNAL: RefCell<Option<Journal>> = const { RefCell::new(None) };
}

/// A request, and the newest fact at that moment.
struct Asked {
    request: Request,
    head: Seq,
}

impl From<ToPhone> for Asked {
    fn from(asked: ToPhone) -> Self {
        let head = JOURNAL.with_borrow(|journal| journal.as_ref().map_or(Seq(0), Journal::head));
        Self { request: asked.request, head }
    }
}

impl TryFrom<Asked> for ToPhone {
    type Error = ();

    fn try_from(_: Asked) -> Result<Self, ()> {
        Err(())
    }
}

/// Stands in for the phone of a call.
struct Listener;

impl Actor for Listener {
    type Msg = Asked;
    type State = mpsc::Sender<Asked>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<Asked>,
        told: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(told)
    }

    async fn handle(
        &self,
        _: ActorRef<Asked>,
        asked: Asked,
        told: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(told.send(asked).await?)
    }
}

fn offer(port: u16) -> Option<Vec<u8>> {
    let sdp = format!(
        "v=0\r\no=- 1 {port} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    );
    Some(sdp.into_bytes())
}

/// Returns the seq of the only fact of a kind.
async fn place_of(journal: &Journal, kind: &str) -> Seq {
    let mut reader = journal.reader(Seq(0));
    loop {
        let event = reader.next().await.unwrap();
        if event.event.kind() == kind {
            return event.seq;
        }
    }
}

fn nowhere(kind: ArtifactKind) -> ArtifactFolder {
    ArtifactFolder::under(kind, Path::new("unused"))
}

/// Starts a call that came in.
async fn incoming(
    id: u64,
    auto_answer: bool,
    journal: &Journal,
    phone: &ActorRef<Asked>,
    conferences: &Conferences,
    hub: &MediaHub,
) -> ActorRef<CallMessage> {
    let (network, name) = (SystemNetwork::default(), PhoneId::plain("a").unwrap());
    let begun_by = Cause::Start;
    let (taps, options) = (network.taps().clone(), CaptureOptions::under(nowhere(ArtifactKind::Captures)));
    let captures = Captures::new(options, journal.clone(), Pool::new(RunId(1)), taps, hub.writers());
    let beginning = Beginning::Inbound { offer: offer(9000), invite: begun_by.clone(), auto_answer };
    let start = CallArguments {
        id: CallId(id),
        phone: name.clone(),
        occupant: Occupant::default(),
        beginning,
        media: CallMedia::open(hub, &network, Ipv4Addr::LOCALHOST.into(), name, 1, None).unwrap(),
        journal: journal.clone(),
        to_phone: phone.get_derived(),
        settings: CallSettings { recording: false, codecs: None },
        recordings: RecordingPlace { folder: Arc::new(nowhere(ArtifactKind::Recordings)), captures },
        conferences: conferences.clone(),
        refusals: SeldomTogether::default(),
        cause: begun_by,
    };
    Actor::spawn(None, CallActor, start).await.unwrap().0
}

#[tokio::test]
async fn a_new_description_is_a_fact_before_its_answer_is_asked_for() {
    let journal = Journal::in_memory(Wall::system());
    JOURNAL.set(Some(journal.clone()));
    let (told, mut asked) = mpsc::channel(8);
    let (phone, _) = Actor::spawn(None, Listener, told).await.unwrap();
    let hub = Arc::new(MediaHub::start(1));
    let conferences = Conferences::new(Arc::clone(&hub));
    let call = incoming(0, true, &journal, &phone, &conferences, &hub).await;
    let message = Message::parse(b"INVITE sip:a@b SIP/2.0\r\n\r\n").unwrap();
    let again = SessionEvent::Reoffered { message, offer: offer(9002) };
    call.cast(CallMessage::Sip { event: Box::new(again), cause: Cause::Start, unsent: None }).unwrap();
    for fact in ["call.answered", "call.modified"] {
        let head = loop {
            let Asked { request, head } = asked.recv().await.unwrap();
            if matches!(request, Request::Respond { status: 200, .. }) {
                break head;
            }
        };
        let place = place_of(&journal, fact).await;
        assert!(place <= head, "{fact} is {place}, its answer was asked for after {head}");
    }
}

#[tokio::test]
async fn a_conference_waits_for_what_its_calls_are_at() {
    let journal = Journal::in_memory(Wall::system());
    let (told, _asked) = mpsc::channel(8);
    let (phone, _) = Actor::spawn(None, Listener, told).await.unwrap();
    let hub = Arc::new(MediaHub::start(1));
    let conferences = Conferences::new(Arc::clone(&hub));
    let mut calls = Vec::new();
    for id in 0..2 {
        calls.push(incoming(id, false, &journal, &phone, &conferences, &hub).await);
    }
    for call in &calls {
        let (reply, _) = oneshot::channel();
        let told = CallCommand::Answer { status: 200 }.into();
        call.cast(CallMessage::Command { told, cause: Cause::Start, reply }).unwrap();
    }
    let both = [CallId(0), CallId(1)];
    assert_eq!(conferences.confer(&both, &Cause::Start).await.unwrap(), both);
    // Then it is in the journal too.
    let joined = journal.query_blocking(&Query::of_kinds(&["media.conference_joined"])).unwrap();
    assert_eq!(joined.len(), 2);
}

#[tokio::test]
async fn a_call_whose_end_is_decided_takes_no_place_and_says_so() {
    let journal = Journal::in_memory(Wall::system());
    let (told, _asked) = mpsc::channel(64);
    let (phone, _) = Actor::spawn(None, Listener, told).await.unwrap();
    let hub = Arc::new(MediaHub::start(1));
    let conferences = Conferences::new(Arc::clone(&hub));
    let call = incoming(0, true, &journal, &phone, &conferences, &hub).await;
    place_of(&journal, "media.started").await;
    let (reply, _) = oneshot::channel();
    call.cast(CallMessage::Command { told: CallCommand::HangUp.into(), cause: Cause::Start, reply }).unwrap();
    let seat = Seat { members: vec![CallId(0), CallId(1)], hears: Vec::new(), heard_by: Vec::new() };
    let (done, takes_part) = oneshot::channel();
    let seated = Some(Seated { seat, bridge: Some(hub.bridge()) });
    call.cast(CallMessage::Seated { seated, cause: Cause::Start, done }).unwrap();
    assert!(!takes_part.await.unwrap());
    assert_eq!(journal.query_blocking(&Query::of_kinds(&["media.conference_joined"])).unwrap().len(), 0);
    // Nobody else is left to confer with.
    let alone = conferences.confer(&[CallId(0), CallId(0)], &Cause::Start).await;
    assert_eq!(alone, Err(Refused::TooFewToConfer(None)));
    let many: Vec<CallId> = (0..101).map(CallId).collect();
    assert_eq!(conferences.confer(&many, &Cause::Start).await, Err(Refused::ConferenceFull(100)));
}
