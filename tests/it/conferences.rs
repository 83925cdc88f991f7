//! Conferences of calls: who hears whom in the air and in the journal, through holds, changes of
//! the session, joins, leaves and ends.

use std::time::Duration;

use offhook::{
    artifact::{ArtifactFolder, ArtifactKind},
    command::{CallCommand, CallSelector, Code, Command, NodeCommand, Outcome, Refused, Rejection},
    event::{Cause, Event, MediaEvent},
    id::{CallId, PhoneId, Seq},
    journal::Query,
};

use crate::support::{
    World, beside_a_peer, on,
    peer::{EVENTS, PLAIN},
    tone,
};

/// How the phones around the one that holds the conference are called.
const NAMES: [&str; 4] = ["b", "c", "d", "e"];
/// The tone of each, in hertz; each is heard in G.711 and far from the others and their sums.
const TONES: [f64; 4] = [440.0, 1000.0, 1750.0, 2600.0];

/// A phone `a` with calls to others, each of which plays a tone of its own.
struct Around {
    world: World,
    a: PhoneId,
    others: Vec<PhoneId>,
    /// The calls as `a` has them.
    calls: Vec<CallId>,
    /// The same calls as the others have them.
    ends: Vec<CallId>,
}

impl Around {
    async fn new(count: usize) -> Self {
        Self::in_world(World::new().await, count).await
    }

    async fn in_world(mut world: World, count: usize) -> Self {
        let a = world.phone("a", 5061).await;
        let (mut others, mut calls, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (name, port) in NAMES.iter().zip(5062..).take(count) {
            let other = world.phone(name, port).await;
            let call = world.call(&a, &format!("sip:{name}@127.0.0.1:{port}")).await;
            let end = world.next(&other, "call.incoming").await.subject.call.unwrap();
            world.run(Command::Call(on(end), CallCommand::Answer { status: 200 })).await.unwrap();
            world.next(&a, "call.established").await;
            world.next(&other, "call.established").await;
            others.push(other);
            calls.push(call);
            ends.push(end);
        }
        Self { world, a, others, calls, ends }
    }

    /// Makes a conference of some of the calls of `a`, by their places.
    async fn confer(&self, which: &[usize]) -> Outcome {
        let calls = which.iter().map(|place| self.calls[*place]).collect();
        confer(&self.world, Some(&self.a), calls).await.unwrap()
    }

    /// Lets each of the others play its tone, one after the other, and returns whom each of them
    /// heard, by the places of those.
    async fn heard(&self) -> Vec<Vec<usize>> {
        let mut heard = vec![Vec::new(); self.others.len()];
        for (place, end) in self.ends.iter().enumerate() {
            let before = self.world.board.journal().head();
            self.play(*end, TONES[place]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.world.run(Command::Call(on(*end), CallCommand::StopPlaying)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            for (other, tones) in heard.iter_mut().enumerate() {
                if self.tones(&self.others[other], before).contains(&TONES[place]) {
                    tones.push(place);
                }
            }
        }
        heard
    }

    async fn play(&self, call: CallId, hz: f64) {
        self.world
            .run(Command::Call(on(call), CallCommand::Play { sound: tone(hz), repeat: false }))
            .await
            .unwrap();
    }

    /// Returns which of the tones a phone has heard since a moment.
    fn tones(&self, phone: &PhoneId, after: Seq) -> Vec<f64> {
        let query = Query { after: Some(after), ..Query::of_kinds(&["media.tone_started"]) };
        let all = self.world.board.journal().query_blocking(&query).unwrap();
        let of_phone = all.iter().filter(|fact| fact.subject.phone.as_ref() == Some(phone));
        let hz = of_phone.filter_map(|fact| fact.event.data()["hz"].as_f64());
        hz.filter_map(|hz| TONES.into_iter().find(|known| (hz - known).abs() < 20.0)).collect()
    }

    /// Returns the facts about conferences since a moment, calls by their places.
    fn told(&self, after: Seq) -> Vec<String> {
        told(&self.world, &self.calls, after)
    }

    fn head(&self) -> Seq {
        self.world.board.journal().head()
    }

    async fn end(mut self) {
        self.world.run(Command::Node(NodeCommand::HangUpAll)).await.unwrap();
        for other in self.others.clone() {
            self.world.next(&other, "call.ended").await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.world.end().await;
    }
}

async fn confer(world: &World, phone: Option<&PhoneId>, calls: Vec<CallId>) -> Result<Outcome, Rejection> {
    world.run(Command::Node(NodeCommand::Conference { phone: phone.cloned(), calls })).await
}

/// Returns the facts about conferences since a moment, each call by its place among `calls`.
fn told(world: &World, calls: &[CallId], after: Seq) -> Vec<String> {
    let kinds = ["media.conference_joined", "media.conference_changed", "media.conference_left"];
    let query = Query { after: Some(after), ..Query::of_kinds(&kinds) };
    let place = |call: &CallId| calls.iter().position(|known| known == call).unwrap().to_string();
    let list = |calls: &[CallId]| calls.iter().map(place).collect::<Vec<_>>().join(" ");
    let line = |fact: &std::sync::Arc<offhook::event::Envelope>| {
        let who = place(&fact.subject.call.unwrap());
        let Event::Media(
            MediaEvent::ConferenceJoined { members, hears, heard_by, .. }
            | MediaEvent::ConferenceChanged { members, hears, heard_by, .. },
        ) = &fact.event
        else {
            return format!("{who} left");
        };
        let verb = fact.event.kind().rsplit('_').next().unwrap();
        let (members, hears, by) = (list(members), list(hears), list(heard_by));
        format!("{who} {verb} {members}, hears {hears}, by {by}")
    };
    let all = world.board.journal().query_blocking(&query).unwrap();
    let mut lines: Vec<String> = all.iter().map(line).collect();
    // Calls are told by one, and append each for itself.
    lines.sort();
    lines
}

#[tokio::test(start_paused = true)]
async fn members_hear_each_other_and_not_themselves_and_the_journal_says_so() {
    let around = Around::new(3).await;
    assert_eq!(around.heard().await, [[0; 0]; 3], "calls of one phone are apart");
    let before = around.head();
    let done = around.confer(&[0, 1, 2]).await;
    assert_eq!((done.call, done.calls.clone()), (None, around.calls.clone()));
    assert_eq!(done.seq, around.head(), "what follows from the command is in the journal");
    assert_eq!(
        around.told(before),
        [
            "0 joined 0 1 2, hears 1 2, by 1 2",
            "1 joined 0 1 2, hears 0 2, by 0 2",
            "2 joined 0 1 2, hears 0 1, by 0 1"
        ]
    );
    assert_eq!(around.heard().await, [vec![1, 2], vec![0, 2], vec![0, 1]]);
    let view = around.world.board.views().call(around.calls[1]).unwrap();
    let conference = view.conference.as_ref().unwrap();
    assert_eq!(
        (&conference.members, &conference.hears),
        (&around.calls, &vec![around.calls[0], around.calls[2]])
    );
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_played_and_dialed_into_one_call_of_a_conference_reaches_that_call_only() {
    let mut around = Around::new(3).await;
    around.confer(&[0, 1, 2]).await;
    let before = around.head();
    around.play(around.calls[0], TONES[3]).await;
    around.play(around.ends[1], TONES[1]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let loud = |place: usize| {
        let end = around.world.board.views().call(around.ends[place]).unwrap();
        end.statistics.as_ref().unwrap().level_dbfs.unwrap()
    };
    // b hears two tones at once, which is no steady tone, and 3 dB more than c alone does.
    assert!(loud(0) - loud(2) > 1.5, "{} and {}", loud(0), loud(2));
    assert_eq!(around.tones(&around.others[2], before), [TONES[1]]);
    assert!(around.tones(&around.others[1], before).is_empty(), "what is played to b is not heard by c");
    let digits = CallCommand::SendDigits { digits: "42".into(), duration: None };
    around.world.run(Command::Call(on(around.calls[0]), digits)).await.unwrap();
    let b = around.others[0].clone();
    for expected in ['4', '2'] {
        let digit = around.world.next(&b, "dtmf.received").await;
        assert_eq!(digit.event.data()["digit"], expected.to_string());
    }
    assert_eq!(around.world.count("dtmf.received"), 2, "nobody else got them");
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_on_hold_neither_hears_nor_is_heard_until_it_is_resumed() {
    let mut around = Around::new(3).await;
    around.confer(&[0, 1, 2]).await;
    let a = around.a.clone();
    // By our side, then by the other one.
    for call in [around.calls[0], around.ends[0]] {
        let before = around.head();
        around.world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
        let held = around.world.next(&a, "call.held").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(
            around.told(before),
            [
                "0 changed 0 1 2, hears , by ",
                "1 changed 0 1 2, hears 2, by 2",
                "2 changed 0 1 2, hears 1, by 1"
            ]
        );
        let fact = around.world.next(&a, "media.conference_changed").await;
        assert_eq!(fact.cause, Cause::Event { seq: held.seq });
        assert_eq!(around.heard().await, [vec![], vec![2], vec![1]]);
        around.world.run(Command::Call(on(call), CallCommand::Resume)).await.unwrap();
        around.world.next(&a, "call.resumed").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(around.heard().await, [vec![1, 2], vec![0, 2], vec![0, 1]]);
    }
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_stays_through_a_change_of_its_codec() {
    let mut around = Around::new(3).await;
    around.confer(&[0, 1, 2]).await;
    let (a, before) = (around.a.clone(), around.head());
    for codec in ["G722", "PCMU"] {
        let codecs = vec![codec.to_owned()];
        around
            .world
            .run(Command::Call(on(around.calls[1]), CallCommand::SetCodecs { codecs }))
            .await
            .unwrap();
        let modified = around.world.next(&a, "call.modified").await;
        assert_eq!(modified.event.data()["codec"], codec);
        assert_eq!(around.heard().await, [vec![1, 2], vec![0, 2], vec![0, 1]], "{codec}");
    }
    assert!(around.told(before).is_empty(), "nobody's place has changed");
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn calls_join_leave_and_move_and_whoever_is_left_out_is_alone() {
    let around = Around::new(4).await;
    around.confer(&[0, 1]).await;
    assert_eq!(around.heard().await, [vec![1], vec![0], vec![], vec![]]);
    around.confer(&[0, 1, 2]).await;
    assert_eq!(around.heard().await, [vec![1, 2], vec![0, 2], vec![0, 1], vec![]]);
    let before = around.head();
    around.confer(&[0, 2]).await;
    assert_eq!(
        around.told(before),
        ["0 changed 0 2, hears 2, by 2", "1 left", "2 changed 0 2, hears 0, by 0"]
    );
    assert_eq!(around.heard().await, [vec![2], vec![], vec![0], vec![]]);
    around.confer(&[1, 3, 2]).await;
    assert_eq!(around.heard().await, [vec![], vec![2, 3], vec![1, 3], vec![1, 2]], "0 was left by 2");
    around.confer(&[0, 1]).await;
    assert_eq!(around.heard().await, [vec![1], vec![0], vec![], vec![]], "2 and 3 were left out by 1");
    // All calls of the phone.
    confer(&around.world, Some(&around.a), Vec::new()).await.unwrap();
    assert_eq!(around.heard().await[3], [0, 1, 2]);
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_leaves_and_two_are_needed_for_a_conference() {
    let mut around = Around::new(3).await;
    around.confer(&[0, 1, 2]).await;
    let before = around.head();
    around.world.run(Command::Call(on(around.ends[2]), CallCommand::HangUp)).await.unwrap();
    let a = around.a.clone();
    around.world.next(&a, "call.ended").await;
    assert_eq!(
        around.told(before),
        ["0 changed 0 1, hears 1, by 1", "1 changed 0 1, hears 0, by 0", "2 left"]
    );
    let before = around.head();
    around.world.run(Command::Call(on(around.calls[1]), CallCommand::HangUp)).await.unwrap();
    around.world.next(&a, "call.ended").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(around.told(before), ["0 left", "1 left"]);
    assert_eq!(around.world.board.views().call(around.calls[0]).unwrap().conference, None);
    around.others.truncate(1);
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_several_phones_confer_unless_one_phone_is_named() {
    let around = Around::new(3).await;
    let calls = vec![around.calls[0], around.ends[1]];
    let refused = confer(&around.world, Some(&around.a), calls.clone()).await.unwrap_err();
    let (call, named) = (around.ends[1], around.a.clone());
    assert_eq!(refused.what, Refused::CallOfAnother { call, owner: around.others[1].clone(), named });
    assert_eq!(confer(&around.world, None, calls.clone()).await.unwrap().calls, calls);
    // b is heard by a's call to c through c's own phone: in the call of c, what c hears goes to a.
    let before = around.head();
    around.play(around.ends[0], TONES[0]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(around.tones(&around.a, before), [TONES[0], TONES[0]], "in the call to b, and in that to c");
    around.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_conference_of_fewer_than_two_calls_with_audio_is_refused() {
    let (mut world, a, peer) = beside_a_peer().await;
    let up = world.calls(&a, &peer, EVENTS).await;
    let calling = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    let too_few = Rejection::from(Refused::TooFewToConfer(Some(a.clone())));
    for calls in [vec![], vec![up], vec![up, up], vec![up, calling]] {
        assert_eq!(confer(&world, Some(&a), calls).await, Err(too_few.clone()));
    }
    assert_eq!(too_few.code, Code::WrongState);
    let unknown = confer(&world, Some(&a), vec![up, CallId(99)]).await.unwrap_err();
    assert_eq!(unknown.what, Refused::NoCall(CallId(99)));
    let nobody = confer(&world, Some(&"nobody".parse().unwrap()), vec![]).await.unwrap_err();
    assert_eq!(nobody.code, Code::NotFound);
    // Early media is audio.
    peer.answer(&invite, "183 Session Progress", "", PLAIN);
    world.next(&a, "media.started").await;
    assert_eq!(confer(&world, Some(&a), vec![]).await.unwrap().calls, [up, calling]);
    for call in [up, calling] {
        world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    }
    peer.agrees().await;
    let cancel = peer.next("CANCEL").await;
    peer.answer(&cancel, "200 OK", "", "");
    peer.answer(&invite, "487 Request Terminated", "", "");
    world.next(&a, "call.ended").await;
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_recording_of_a_member_has_its_own_voice_and_the_mix_of_the_others_apart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::changed(|options| {
        options.recordings = ArtifactFolder::under(ArtifactKind::Recordings, folder.path());
    })
    .await;
    let mut around = Around::in_world(world, 3).await;
    around.confer(&[0, 1, 2]).await;
    let record = CallCommand::Record { on: true };
    around.world.run(Command::Call(on(around.calls[0]), record)).await.unwrap();
    for (end, hz) in around.ends.iter().zip(TONES) {
        around.play(*end, hz).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let a = around.a.clone();
    around
        .world
        .run(Command::Call(CallSelector::call(around.calls[0]), CallCommand::Record { on: false }))
        .await
        .unwrap();
    let stopped = around.world.next(&a, "media.recording_stopped").await;
    let path = stopped.event.data()["path"].as_str().unwrap().to_owned();
    let [received, sent] = channels(&std::fs::read(path).unwrap());
    let loud = |samples: &[f64]| TONES.map(|hz| strength(samples, hz) > 0.05);
    assert_eq!(loud(&received), [true, false, false, false], "the voice of b");
    assert_eq!(loud(&sent), [false, true, true, false], "the voices of c and d");
    around.end().await;
}

/// Returns what was received and what was sent in the last second of a recording at 8 kHz.
fn channels(file: &[u8]) -> [Vec<f64>; 2] {
    let samples = file[44..].as_chunks::<4>().0;
    let last = &samples[samples.len() - 8000..];
    let channel = |at: usize| {
        last.iter().map(|both| f64::from(i16::from_le_bytes([both[at], both[at + 1]])) / 32_768.0).collect()
    };
    [channel(0), channel(2)]
}

/// Returns the amplitude of one frequency in a second of sound at 8 kHz.
fn strength(samples: &[f64], hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / 8000.0;
    let (sine, cosine) = samples.iter().enumerate().fold((0.0, 0.0), |(sine, cosine), (at, sample)| {
        let phase = turn * at as f64;
        (sine + sample * phase.sin(), cosine + sample * phase.cos())
    });
    f64::hypot(sine, cosine) * 2.0 / samples.len() as f64
}
