//! Our phones on the lab Asterisk: registering, calling, hearing, hanging up.

use std::{sync::Arc, time::Duration};

use offhook::{
    command::{CallCommand, CallSelector, Command, Execute, Outcome, PhoneCommand, Rejection, Sound},
    event::{CallEvent, Cause, EndCause, Envelope, Event, MediaEvent, PhoneSpec, Surface, Transport},
    id::{CallId, PhoneId, Seq},
    net::{SystemNetwork, SystemOptions},
    secret::Secret,
    switchboard::{Options, Switchboard},
    wall::Wall,
};

use crate::probe::lab_port;

/// A switchboard on the machine's network, with waits that miss nothing.
struct Bench {
    board: Switchboard,
    cursors: std::collections::HashMap<PhoneId, Seq>,
}

impl Bench {
    async fn new() -> Self {
        let network = Arc::new(SystemNetwork::new(SystemOptions::default()));
        let options = Options::in_memory(network, Wall::system(), u64::from(std::process::id()));
        Self { board: Switchboard::start(options).await.unwrap(), cursors: [].into() }
    }

    async fn run(&self, command: Command) -> Result<Outcome, Rejection> {
        self.board.execute(command, Cause::command(Surface::Library)).await
    }

    async fn phone(&self, name: &str, extension: &str, password: &str, transport: Transport) -> PhoneId {
        let phone: PhoneId = name.parse().unwrap();
        let spec = PhoneSpec {
            transport,
            ..PhoneSpec::new(format!("127.0.0.1:{}", lab_port("OFFHOOK_LAB_SIP_PORT", 5070)), extension)
        };
        let password = Secret::new(password.into());
        self.run(Command::add(phone.clone(), spec, password)).await.unwrap();
        phone
    }

    async fn call(&self, from: &PhoneId, target: &str) -> CallId {
        let command = Command::Phone(
            from.clone(),
            PhoneCommand::PlaceCall { target: target.into(), headers: [].into() },
        );
        self.run(command).await.unwrap().call.unwrap()
    }

    async fn next(&mut self, phone: &PhoneId, kind: &str) -> Arc<Envelope> {
        let after = self.cursors.get(phone).copied().unwrap_or_default();
        let mut reader = self.board.journal().reader(after);
        let found = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let envelope = reader.next().await.unwrap();
                if envelope.subject.phone.as_ref() == Some(phone) && envelope.event.kind() == kind {
                    return envelope;
                }
            }
        })
        .await;
        let Ok(envelope) = found else { panic!("no {kind} on {phone}\n{}", self.story()) };
        self.cursors.insert(phone.clone(), envelope.seq);
        envelope
    }

    fn story(&self) -> String {
        let all = self.board.journal().query_blocking(&offhook::journal::Query::default()).unwrap();
        let line = |e: &Arc<Envelope>| serde_json::to_string(&**e).unwrap();
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Shuts down in order: nothing may be left on the wire.
    async fn end(self) {
        self.board.shutdown().await.unwrap();
        assert_eq!(self.board.views().all_active_calls().len(), 0, "{}", self.story());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_phones_talk_through_asterisk() {
    let mut bench = Bench::new().await;
    let a = bench.phone("a", "6001", "secret6001", Transport::Udp).await;
    let b = bench.phone("b", "6002", "secret6002", Transport::Udp).await;
    bench.next(&a, "phone.registered").await;
    bench.next(&b, "phone.registered").await;
    let outbound = bench.call(&a, "6002").await;
    let inbound = bench.next(&b, "call.incoming").await.subject.call.unwrap();
    bench.run(Command::Call(CallSelector::call(inbound), CallCommand::Answer { status: 200 })).await.unwrap();
    bench.next(&a, "call.established").await;
    bench.next(&b, "call.established").await;
    let sound = Sound::Tone { hz: vec![1000.0], level_dbfs: -10.0, duration: None };
    bench
        .run(Command::Call(CallSelector::call(outbound), CallCommand::Play { sound, repeat: false }))
        .await
        .unwrap();
    let heard = bench.next(&b, "media.tone_started").await;
    let Event::Media(MediaEvent::ToneStarted { hz, .. }) = heard.event else { panic!("{heard:?}") };
    assert!((hz - 1000.0).abs() < 10.0, "{hz}");
    let digits = Command::Call(
        CallSelector::call(outbound),
        CallCommand::SendDigits { digits: "159#".into(), duration: None },
    );
    bench.run(digits).await.unwrap();
    for expected in "159#".chars() {
        let event = bench.next(&b, "dtmf.received").await;
        let Event::Media(MediaEvent::DigitReceived { digit, .. }) = event.event else { panic!() };
        assert_eq!(digit, expected);
    }
    bench.run(Command::Call(CallSelector::call(outbound), CallCommand::HangUp)).await.unwrap();
    let ended = bench.next(&b, "call.ended").await;
    assert!(
        matches!(ended.event, Event::Call(CallEvent::Ended { cause: EndCause::Normal, .. })),
        "{ended:?}"
    );
    bench.next(&a, "call.ended").await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_and_a_phone_over_tcp_registers() {
    let mut bench = Bench::new().await;
    let wrong = bench.phone("wrong", "6003", "guess", Transport::Udp).await;
    let failed = bench.next(&wrong, "phone.registration_failed").await;
    let status = failed.event.data().get("status").and_then(serde_json::Value::as_u64);
    assert!(matches!(status, Some(401 | 403)), "{failed:?}");
    let tcp = bench.phone("tcp", "6004", "secret6004", Transport::Tcp).await;
    bench.next(&tcp, "phone.registered").await;
    bench.call(&tcp, "606").await;
    let ended = bench.next(&tcp, "call.ended").await;
    let Event::Call(CallEvent::Ended { status, .. }) = &ended.event else { panic!() };
    assert_eq!(*status, Some(486));
    bench.end().await;
}
