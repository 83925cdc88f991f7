//! The wire format of the journal: one JSON per kind of event, and journals of earlier versions.
//!
//! A changed snapshot here is a changed format: it needs an entry in `upcast` and a line in
//! `tests/data/journals/`.

use std::{collections::BTreeSet, fs::File, io::BufReader, path::Path};

use offhook::{
    event::{
        Agreement, CallEvent, CallPhase, CaptureEvent, Cause, Change, DialogIdentity, DigitMethod, EndCause,
        Ending, Envelope, Event, MediaDirection, MediaEvent, MediaSocket, MediaStatistics, NameLookup,
        NextHop, Party, PhoneEvent, PhoneSpec, RawMessage, RunEvent, SipEvent, SipSummary, Subject, Surface,
        SystemEvent, TimerReason, Transport, Verdict,
    },
    id::{CallId, PhoneId, RunId, Seq},
    journal::{Journal, Query, import, replay},
    view::Views,
    wall::Wall,
};
use serde_json::json;

fn s(text: &str) -> String {
    text.to_owned()
}

fn at(text: &str) -> std::net::SocketAddr {
    text.parse().unwrap()
}

fn a() -> PhoneId {
    "a".parse().unwrap()
}

fn spec() -> PhoneSpec {
    PhoneSpec {
        domain: s("pbx.example:5070"),
        username: s("6001"),
        realm: Some(s("pbx")),
        transport: Transport::Tcp,
        transport_text: Some(s("TCP")),
        local_port: 5071,
        codecs: Some(vec![s("PCMA")]),
        auto_answer: true,
        srtp: false,
        register: true,
        recording_enabled: true,
        capture_enabled: false,
    }
}

fn phone_events() -> Vec<PhoneEvent> {
    let (to, body, content_type) = (s("sip:6002@pbx.example"), s("hello"), s("text/plain"));
    vec![
        PhoneEvent::Added { spec: spec() },
        PhoneEvent::Updated { spec: PhoneSpec { codecs: None, realm: None, transport_text: None, ..spec() } },
        PhoneEvent::Bound { local: at("192.0.2.1:5071") },
        PhoneEvent::Registering { registrar: s("sip:pbx.example:5070") },
        PhoneEvent::RegistrationFailed { status: None, reason: s("no answer"), retry_in_ms: Some(30_000) },
        PhoneEvent::Registered { status: 200, reason: s("OK"), expires_s: 300 },
        PhoneEvent::MessageReceived {
            from: to.clone(),
            to: s("sip:6001@pbx.example"),
            body: body.clone(),
            content_type: content_type.clone(),
        },
        PhoneEvent::MessageSent { to: to.clone(), body, content_type },
        PhoneEvent::MessageDelivered { to: to.clone(), status: 202, sent: Some(Seq(9)) },
        PhoneEvent::MessageFailed { to, status: Some(404), reason: s("Not Found"), sent: Some(Seq(9)) },
        PhoneEvent::Crashed { reason: s("a text") },
        PhoneEvent::Restarted { attempt: 1 },
        PhoneEvent::Unregistered { status: Some(200) },
        PhoneEvent::Dropped {},
    ]
}

fn dialog() -> DialogIdentity {
    DialogIdentity {
        sip_call_id: s("f81d4fae@192.0.2.1"),
        local_uri: s("sip:6001@pbx.example"),
        local_tag: s("l1"),
        remote_uri: s("sip:600@pbx.example"),
        remote_tag: s("r1"),
        local_cseq: 2,
        remote_cseq: None,
        route_set: vec![s("<sip:192.0.2.5;lr>")],
        remote_target: s("sip:600@192.0.2.9:5060"),
        transport: Transport::Udp,
        remote: at("192.0.2.9:5060"),
        confirmed: true,
    }
}

fn call_events() -> Vec<CallEvent> {
    let by = Party::Local;
    vec![
        CallEvent::Placed {
            target: s("sip:600@pbx.example"),
            local: s("sip:6001@pbx.example"),
            sip_call_id: s("f81d4fae@192.0.2.1"),
        },
        CallEvent::Incoming {
            remote: s("\"Bob\" <sip:6002@pbx.example>;tag=1"),
            local: s("<sip:6001@pbx.example>"),
            sip_call_id: s("f81d4fae@192.0.2.1"),
            contact: Some(s("<sip:6002@192.0.2.9>")),
        },
        CallEvent::Trying {},
        CallEvent::Ringing { status: 183, reason: s("Session Progress"), early_media: true },
        CallEvent::Answered { by: Party::Remote, status: 200, reason: s("OK") },
        CallEvent::Established { contact: Some(s("<sip:600@192.0.2.9:5060>")) },
        CallEvent::Dialog { dialog: dialog() },
        CallEvent::Modifying { change: Change::Codecs, codecs: Some(vec![s("PCMA")]) },
        CallEvent::Held { by },
        CallEvent::Resumed { by },
        CallEvent::Modified {
            by,
            codec: Some(s("PCMU")),
            direction: MediaDirection::Sendonly,
            epoch: 2,
            agreement: agreement(),
        },
        CallEvent::ModifyFailed { status: Some(491), reason: s("Request Pending") },
        CallEvent::TransferRequested { by, to: s("sip:602@pbx.example") },
        CallEvent::TransferAccepted { status: 202 },
        CallEvent::TransferRefused { status: Some(603), reason: s("Decline") },
        CallEvent::TransferProgress { status: 200, reason: s("OK") },
        CallEvent::Crashed { reason: s("a text") },
        CallEvent::Ending {},
        CallEvent::Ended {
            by: Party::Remote,
            cause: EndCause::Normal,
            status: Some(200),
            reason: s("Normal call clearing"),
            duration_ms: 4200,
        },
    ]
}

fn statistics() -> MediaStatistics {
    MediaStatistics {
        sent_packets: 250,
        sent_bytes: 40_000,
        received_packets: 248,
        received_bytes: 39_680,
        lost: 2,
        duplicates: 0,
        reordered: 1,
        discarded: 0,
        jitter_ms: 0.5,
        jitter_max_ms: 2.25,
        rtt_ms: None,
        level_dbfs: Some(-18.5),
        mos: None,
        mos_absent_because: Some(s("no round-trip time")),
    }
}

fn media_events() -> Vec<MediaEvent> {
    let method = DigitMethod::Rfc4733;
    vec![
        MediaEvent::Started {
            local: s("192.0.2.1:4000"),
            remote: None,
            codec: s("PCMA"),
            direction: MediaDirection::Sendrecv,
            epoch: 1,
            agreement: agreement(),
        },
        MediaEvent::FirstPacket { source: s("192.0.2.9:4002"), ssrc: 7, payload_type: 8, epoch: 1 },
        MediaEvent::SourceChanged { source: s("192.0.2.9:4004"), epoch: 1 },
        MediaEvent::ReceptionStopped { quiet_ms: 5000, epoch: 1 },
        MediaEvent::ReceptionResumed { epoch: 1 },
        MediaEvent::Statistics { statistics: statistics(), epoch: 1 },
        MediaEvent::SilenceStarted { epoch: 1 },
        MediaEvent::SilenceEnded { duration_ms: 900, epoch: 1 },
        MediaEvent::ToneStarted { hz: 1000.0, level_dbfs: -10.5, epoch: 1 },
        MediaEvent::ToneEnded { hz: 1000.0, duration_ms: 1900, epoch: 1 },
        MediaEvent::PlaybackStarted { source: s("hello.wav"), repeat: false, epoch: 1 },
        MediaEvent::PlaybackFinished { source: s("hello.wav"), epoch: 1 },
        MediaEvent::RecordingStarted { path: s("/recordings/a/call_0_20260102_030405_000000.wav"), epoch: 1 },
        MediaEvent::RecordingStopped {
            path: s("/recordings/a/call_0_20260102_030405_000000.wav"),
            duration_ms: 4100,
            epoch: 1,
        },
        MediaEvent::RecordingFailed { path: s("/full/a.wav"), reason: s("no space left"), epoch: 1 },
        MediaEvent::PayloadChanged { payload_type: 8, codec: s("PCMA"), epoch: 2 },
        MediaEvent::DigitStarted { digit: '#', method, epoch: 1 },
        MediaEvent::DigitReceived { digit: '#', duration_ms: 160, method, epoch: 1 },
        MediaEvent::DigitsSent { digits: s("12#"), method, epoch: 1 },
        MediaEvent::DigitsCut { digits: s("#"), epoch: 1 },
        MediaEvent::DigitsFinished { digits: s("12"), epoch: 1 },
        MediaEvent::Stopped { statistics: MediaStatistics { mos: Some(4.25), ..statistics() }, epoch: 1 },
        MediaEvent::Changed {
            remote: Some(s("192.0.2.9:4006")),
            codec: s("PCMU"),
            direction: MediaDirection::Recvonly,
            epoch: 1,
            agreement: agreement(),
        },
        MediaEvent::SocketFailed { socket: MediaSocket::Rtp, reason: s("Operation not permitted"), epoch: 1 },
        MediaEvent::FactsRefused { count: 12, epoch: 1 },
        MediaEvent::RecordingGap { path: s("/slow/a.wav"), lost_ms: 1400, epoch: 1 },
    ]
}

fn conference_events() -> Vec<MediaEvent> {
    let (members, hears) = (vec![CallId(0), CallId(1), CallId(2)], vec![CallId(1), CallId(2)]);
    vec![
        MediaEvent::ConferenceJoined {
            members: members.clone(),
            hears: hears.clone(),
            heard_by: hears.clone(),
            epoch: 1,
        },
        MediaEvent::ConferenceChanged { members, hears: hears[1..].to_vec(), heard_by: vec![], epoch: 1 },
        MediaEvent::ConferenceLeft { epoch: 2 },
    ]
}

fn source_events() -> Vec<MediaEvent> {
    vec![
        MediaEvent::SourceDiffers {
            negotiated: s("192.0.2.9:4002"),
            source: s("198.51.100.7:31000"),
            epoch: 1,
        },
        MediaEvent::ForeignPackets { source: s("203.0.113.66:6000"), packets: 12, epoch: 1 },
    ]
}

fn agreement() -> Option<Agreement> {
    Some(Agreement { offered_by: Party::Remote, local_version: 8, remote_in: Some(Seq(40)) })
}

fn sip_events() -> Vec<SipEvent> {
    let summary = SipSummary {
        method: Some(s("REGISTER")),
        status: None,
        reason: None,
        cseq: Some(2),
        sip_call_id: Some(s("f81d4fae@192.0.2.1")),
        branch: Some(s("z9hG4bK1")),
        from_tag: Some(s("l1")),
        to_tag: None,
        sdp: false,
    };
    let text = "REGISTER sip:pbx.example SIP/2.0\r\nAuthorization: Digest response=\"***\"\r\n\r\n";
    let (transport, local, remote) = (Transport::Udp, at("192.0.2.1:5071"), at("192.0.2.9:5060"));
    vec![
        SipEvent::Sent {
            transport,
            local,
            remote,
            summary: summary.clone(),
            retransmission: true,
            message: RawMessage::Text(s(text)),
        },
        SipEvent::Received {
            transport,
            local,
            remote,
            summary: SipSummary { status: Some(200), reason: Some(s("OK")), ..summary },
            message: RawMessage::Base64(s("U0lQLzIuMCAyMDAg/w==")),
        },
        SipEvent::anomaly(s("a response without a transaction"), remote),
        SipEvent::Refused { count: 12 },
    ]
}

fn name_events() -> Vec<SipEvent> {
    let (transport, remote) = (Transport::Udp, at("192.0.2.9:5060"));
    vec![
        SipEvent::Resolved {
            uri: s("sip:pbx.example"),
            lookups: vec![NameLookup {
                question: s("SRV _sip._udp.pbx.example"),
                records: vec![s("10 60 5060 one.pbx.example.")],
                count: 1,
                ttl_s: Some(300),
                from_cache: false,
                problem: None,
            }],
            targets: vec![NextHop { transport, address: remote }],
            from_cache: false,
            took_ms: 12,
            problem: None,
        },
        SipEvent::FailedOver {
            method: s("REGISTER"),
            from: NextHop { transport, address: remote },
            to: NextHop { transport, address: at("192.0.2.10:5060") },
            reason: s("no response in time"),
        },
    ]
}

fn run_events() -> Vec<RunEvent> {
    let (action, hook, at) = (s("make_call"), s("steps"), Some(s("12:5")));
    let args = json!({ "phone": "a", "to": "sip:600@pbx.example" });
    vec![
        RunEvent::Started {
            name: s("basic-call"),
            phones: vec![s("a"), s("b")],
            source: Some(s("basic-call.yaml")),
            tags: vec![s("smoke")],
        },
        RunEvent::ActionStarted {
            action: action.clone(),
            args: args.clone(),
            hook: hook.clone(),
            at: at.clone(),
        },
        RunEvent::HookFired { hook: s("answer"), by: Seq(41) },
        RunEvent::ActionFailed {
            action,
            args,
            hook,
            at: None,
            error: s("phone 'a' is not registered"),
            step: Some(s("steps[3]")),
        },
        RunEvent::Checkpoint { label: s("connected") },
        RunEvent::Log { message: s("a text") },
        RunEvent::Signal { name: s("ready"), data: json!({ "round": 1 }) },
        RunEvent::ExpectationMet { expectation: s("b rings"), at: at.clone(), by: Some(Seq(42)) },
        RunEvent::ExpectationFailed {
            expectation: s("a hears 1000 Hz"),
            at,
            instead: s("silence"),
            by: None,
            step: Some(s("steps[4]")),
        },
        RunEvent::Finished {
            verdict: Verdict::Failed,
            reason: s("1 of 2 expectations failed"),
            elapsed_ms: 5100,
            ending: Some(Ending::StepsDone),
            idle_hooks: vec![s("hook-1")],
            left_over: vec![CallId(7)],
        },
    ]
}

fn link_events() -> Vec<SystemEvent> {
    let (name, system, address) = (s("lab"), s("lab"), s("127.0.0.1:5070"));
    vec![
        SystemEvent::PbxUnreachable { name: name.clone(), system: system.clone(), reason: s("refused") },
        SystemEvent::PbxLinked { name: name.clone(), system, address },
        SystemEvent::PbxLost { name: name.clone(), reason: s("the lab's task ended") },
        SystemEvent::PbxUnlinked { name },
    ]
}

fn capture_events() -> Vec<CaptureEvent> {
    let (early, path) = (s("/captures/a/capture_1.pcap"), s("/captures/a/call_0_1.pcap"));
    vec![
        CaptureEvent::Started { path: early.clone(), continues: Some(s("/captures/a/capture_0.pcap")) },
        CaptureEvent::CallAdded { path: path.clone(), renamed_from: Some(early) },
        CaptureEvent::Gap { path: path.clone(), lost: 3 },
        CaptureEvent::Stopped { path: path.clone(), packets: 117, bytes: 22_008 },
        CaptureEvent::Failed { path: s("/captures/a/call_0_2.pcap"), reason: s("no space left on device") },
        CaptureEvent::Removed { path },
    ]
}

/// One envelope of every kind, including every form of cause and subject.
fn samples() -> Vec<Envelope> {
    let call = || Subject::call(a(), CallId(0));
    let phone = || Subject::phone(a());
    let run = || Subject::run(RunId(1));
    let mut events: Vec<(Subject, Cause, Event)> = vec![];
    let mut add =
        |subject: &dyn Fn() -> Subject, cause: Cause, event: Event| events.push((subject(), cause, event));
    add(&Subject::system, Cause::Start, SystemEvent::Started { version: s("0.1.0") }.into());
    let request = Some(s("7"));
    for event in phone_events() {
        add(
            &phone,
            Cause::Command { surface: Surface::Mcp, client: None, request: request.clone() },
            event.into(),
        );
    }
    for event in sip_events() {
        add(&phone, Cause::Network, event.into());
    }
    for event in run_events() {
        add(&run, Cause::Run { run: RunId(1), hook: s("steps") }, event.into());
    }
    for event in call_events() {
        add(&call, Cause::Sip { seq: Seq(17) }, event.into());
    }
    for event in media_events() {
        add(&call, Cause::Media, event.into());
    }
    add(&Subject::system, Cause::command(Surface::Cli), SystemEvent::Stopped {}.into());
    let missing = SystemEvent::Missing { after: Seq(7), count: 5 };
    add(&Subject::system, Cause::Start, missing.into());
    let (from, to, count, by) = (Seq(3), Seq(4711), 400, s("prune"));
    let pruned =
        SystemEvent::Pruned { from, to, count, by, calls: vec![[0, 9], [11, 11]], runs: vec![[1, 1]] };
    add(&Subject::system, Cause::command(Surface::Cli), pruned.into());
    for event in name_events() {
        add(&phone, Cause::Network, event.into());
    }
    let (action, started, outcome) = (s("make_call"), Seq(40), Some(Seq(42)));
    let finished = RunEvent::ActionFinished { action, started, succeeded: true, outcome };
    add(&run, Cause::Run { run: RunId(1), hook: s("steps") }, finished.into());
    for event in link_events() {
        add(&Subject::system, Cause::Start, event.into());
    }
    for event in source_events().into_iter().chain(conference_events()) {
        add(&call, Cause::Media, event.into());
    }
    add(&run, Cause::Run { run: RunId(1), hook: s("teardown") }, RunEvent::CleaningUp {}.into());
    for event in capture_events() {
        let of_call = matches!(event, CaptureEvent::CallAdded { .. });
        add(if of_call { &call } else { &phone }, Cause::Network, event.into());
    }
    let at = "2026-01-02T03:04:05.678901Z".parse().unwrap();
    let numbered = events.into_iter().zip(1..);
    numbered.map(|((subject, cause, event), n)| Envelope { seq: Seq(n), at, subject, cause, event }).collect()
}

#[test]
fn every_kind_of_event_has_the_reviewed_form() {
    let samples = samples();
    let covered: BTreeSet<_> = samples.iter().map(|sample| sample.event.kind()).collect();
    let kinds: BTreeSet<_> = Event::kinds().into_iter().collect();
    assert_eq!(covered, kinds, "a kind without a sample, or a sample without a kind");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("events");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for sample in samples {
        insta::assert_json_snapshot!(sample.event.kind(), sample);
        let line = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Envelope>(&line).unwrap(), sample);
    }
}

#[test]
fn every_cause_has_the_reviewed_form() {
    let causes = [
        Cause::Command { surface: Surface::Mcp, client: None, request: Some(s("7")) },
        Cause::command(Surface::Cli),
        Cause::command(Surface::Library),
        Cause::Run { run: RunId(1), hook: s("answer") },
        Cause::Sip { seq: Seq(1) },
        Cause::Event { seq: Seq(2) },
        Cause::Timer { reason: TimerReason::RegistrationRefresh },
        Cause::Media,
        Cause::Network,
        Cause::Start,
        Cause::Stop,
        Cause::Failure,
    ];
    let lines: Vec<_> = causes.iter().map(|cause| serde_json::to_string(cause).unwrap()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"command":{"surface":"mcp","request":"7"}}
    {"command":{"surface":"cli"}}
    {"command":{"surface":"library"}}
    {"run":{"run":"run-1","hook":"answer"}}
    {"sip":{"seq":1}}
    {"event":{"seq":2}}
    {"timer":{"reason":"registration_refresh"}}
    "media"
    "network"
    "start"
    "stop"
    "failure"
    "#);
}

fn data(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journals").join(file)
}

#[test]
fn a_journal_written_by_the_first_version_loads_whole() {
    let file = BufReader::new(File::open(data("first.jsonl")).unwrap());
    let imported = import(file, Wall::system()).unwrap();
    assert!(imported.bad.is_empty(), "{:?}", imported.bad);
    let events = imported.journal.query_blocking(&Query::default()).unwrap();
    assert_eq!(events.len(), 67);
    let views = Views::attach(&imported.journal);
    let call = views.call(CallId(0)).unwrap();
    assert_eq!((call.phase, call.codec.as_deref()), (CallPhase::Ended, Some("PCMA")));
    // The first version did not record whether a dialog was confirmed; that the call was answered
    // tells.
    assert_eq!(call.dialog, Some(DialogIdentity { confirmed: false, ..dialog() }));
    assert!(call.answered_at.is_some());
    assert_eq!(views.run(RunId(1)).unwrap().outcome().verdict, Verdict::Failed);
    assert!(views.phone(&a()).is_none());
}

#[test]
fn a_database_written_by_the_first_version_opens_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let dump = std::fs::read_to_string(data("first.sql")).unwrap();
    let database = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    database.execute_batch(&dump).unwrap();
    drop(database);
    let mut counted = offhook::view::Counters::default();
    assert_eq!(replay(folder.path(), &mut counted).unwrap().events, 4);
    assert_eq!(counted.calls_ended(EndCause::Rejected), 1);
    let journal = Journal::open(folder.path(), Wall::system()).unwrap();
    assert_eq!(journal.head(), Seq(4));
    let next = journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {});
    journal.close_blocking().unwrap();
    assert_eq!(next, Seq(5));
}

#[test]
fn a_data_folder_of_the_first_layout_opens_whole_is_brought_up_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let dump = std::fs::read_to_string(data("layout-1.sql")).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch(&dump).unwrap();
    // Reading alone changes nothing.
    let mut read = offhook::view::Counters::default();
    let replayed = replay(folder.path(), &mut read).unwrap();
    assert_eq!((replayed.events, replayed.skipped.len()), (141, 0));
    let layout = |file: &Path| -> i64 {
        let database = rusqlite::Connection::open(file).unwrap();
        database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(layout(&file), 1);

    let journal = Journal::open(folder.path(), Wall::system()).unwrap();
    let views = Views::attach(&journal);
    assert_eq!(layout(&file), 3);
    assert_eq!(views.counters(), read);
    assert_eq!((views.next_call_id(), views.next_run_id()), (CallId(3), RunId(4)));
    assert!(views.all_active_calls().is_empty() && views.phones().is_empty());
    assert_eq!(views.run(RunId(2)).unwrap().end.as_ref().map(|end| end.verdict), Some(Verdict::Passed));
    assert_eq!(journal.query_blocking(&Query::default()).unwrap().len(), 141);
    assert_eq!(journal.append(Subject::system(), Cause::Start, SystemEvent::Stopped {}), Seq(142));
    let pruned = journal.prune_blocking(journal.wall().now(), offhook::journal::Asker::Prune).unwrap();
    assert_eq!((pruned.calls, pruned.runs), (2, 2), "the newest of each stays");
    journal.close_blocking().unwrap();
}
