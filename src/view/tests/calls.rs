//! Calls and finding them.

use super::*;
use crate::event::{
    Change, DialogIdentity, DigitMethod, EndCause, MediaDirection, MediaEvent, MediaStatistics, Party,
    SystemEvent,
};

fn ended(status: Option<u16>) -> CallEvent {
    CallEvent::Ended {
        by: Party::Remote,
        cause: EndCause::Normal,
        status,
        reason: "done".into(),
        duration_ms: 1500,
    }
}

fn ids(calls: &[std::sync::Arc<CallView>]) -> Vec<u64> {
    calls.iter().map(|call| call.id.0).collect()
}

#[test]
fn an_outbound_call_goes_through_its_phases() {
    let given = given();
    let call = || given.views.call(CallId(0)).unwrap();
    given.placed(a(), 0, "x");
    assert_eq!(
        (call().phase, call().remote.as_str(), call().status),
        (CallPhase::Calling, "sip:600@example.com", None)
    );
    given.call(a(), 0, CallEvent::Trying {});
    assert_eq!((call().phase, call().status), (CallPhase::Calling, Some(100)));
    given.call(a(), 0, CallEvent::Ringing { status: 183, reason: "Progress".into(), early_media: true });
    assert_eq!(
        (call().phase, call().status, call().reason.as_deref()),
        (CallPhase::Early, Some(183), Some("Progress"))
    );
    given.call(a(), 0, CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() });
    assert_eq!((call().phase, call().status), (CallPhase::Answered, Some(200)));
    given.call(a(), 0, CallEvent::Established { contact: Some("<sip:600@192.0.2.9>".into()) });
    assert_eq!(
        (call().phase, call().remote_contact.as_deref()),
        (CallPhase::Established, Some("<sip:600@192.0.2.9>"))
    );
    given.call(a(), 0, CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false });
    assert_eq!(
        call().phase,
        CallPhase::Established,
        "a late provisional response does not take the call back"
    );
    let last = given.call(a(), 0, ended(Some(200)));
    let over = call();
    assert_eq!((over.phase, over.status, over.latest), (CallPhase::Ended, Some(200), last));
    let end = over.end.as_ref().unwrap();
    assert_eq!((end.by, end.cause, end.duration_ms), (Party::Remote, EndCause::Normal, 1500));
    assert!(over.ringing_at.is_some() && over.answered_at.is_some() && over.established_at.is_some());
}

#[test]
fn an_inbound_call_starts_incoming_and_keeps_the_callers_contact() {
    let given = given();
    given.incoming(b(), 3, "x");
    let call = given.views.call(CallId(3)).unwrap();
    assert_eq!((call.phase, call.direction), (CallPhase::Incoming, crate::event::Direction::Inbound));
    assert_eq!(call.remote_contact.as_deref(), Some("<sip:a@192.0.2.1>"));
    assert_eq!(given.views.next_call_id(), CallId(4));
}

#[test]
fn calls_are_found_by_phone_by_header_and_in_history() {
    let given = given();
    given.placed(a(), 0, "shared");
    given.incoming(b(), 1, "shared");
    given.placed(a(), 2, "other");
    assert_eq!(ids(&given.views.active_calls(&a())), [0, 2]);
    assert_eq!(ids(&given.views.all_active_calls()), [0, 1, 2]);
    assert_eq!(ids(&given.views.calls_with_sip_call_id("shared")), [0, 1]);
    for call in [2, 0] {
        given.call(a(), call, ended(None));
        given.call(a(), call, ended(None));
    }
    given.call(b(), 1, ended(Some(486)));
    assert_eq!(ids(&given.views.active_calls(&a())), [0; 0]);
    assert_eq!(ids(&given.views.history(None, 100)), [2, 0, 1]);
    assert_eq!(ids(&given.views.history(Some(&a()), 100)), [2, 0]);
    assert_eq!(ids(&given.views.history(Some(&a()), 1)), [0]);
    assert_eq!(given.views.next_call_id(), CallId(3));
    assert_eq!(given.views.counters().of_kind("call.ended"), 5);
}

#[test]
fn history_is_bounded_and_forgets_the_oldest_ended_call_first() {
    let given = given();
    given.placed(a(), 0, "stays");
    for call in 1..=10_001 {
        given.placed(a(), call, &format!("id-{call}"));
        given.call(a(), call, ended(None));
    }
    assert_eq!(given.views.call(CallId(1)), None);
    assert!(given.views.calls_with_sip_call_id("id-1").is_empty());
    assert_eq!(given.views.history(None, usize::MAX).len(), 10_000);
    assert_eq!(ids(&given.views.active_calls(&a())), [0]);
}

#[test]
fn a_call_left_over_is_dangling_with_its_dialog_and_its_invite() {
    let given = given();
    let sent = given.sip(a(), true, "INVITE", None, "x");
    given.placed(a(), 0, "x");
    given.sip(a(), false, "INVITE", Some(200), "x");
    let dialog = DialogIdentity {
        sip_call_id: "x".into(),
        local_uri: "sip:a@example.com".into(),
        local_tag: "1".into(),
        remote_uri: "sip:600@example.com".into(),
        remote_tag: "2".into(),
        local_cseq: 1,
        remote_cseq: None,
        route_set: vec![],
        remote_target: "sip:600@192.0.2.9".into(),
        transport: Transport::Udp,
        remote: "192.0.2.9:5060".parse().unwrap(),
        confirmed: true,
    };
    given.call(a(), 0, CallEvent::Dialog { dialog: dialog.clone() });
    given.placed(a(), 1, "over");
    given.call(a(), 1, ended(None));
    let dangling = given.views.dangling();
    assert_eq!(dangling.len(), 1);
    assert_eq!((dangling[0].call.id, dangling[0].call.dialog.as_ref()), (CallId(0), Some(&dialog)));
    assert_eq!((dangling[0].invite_sent, dangling[0].invite_received), (Some(sent), None));
}

#[test]
fn hold_transfer_media_and_digits_are_followed() {
    let given = given();
    let call = || given.views.call(CallId(0)).unwrap();
    given.placed(a(), 0, "x");
    let started = MediaEvent::Started {
        local: "127.0.0.1:4000".into(),
        remote: None,
        codec: "PCMU".into(),
        direction: MediaDirection::Sendrecv,
        epoch: 1,
        agreement: None,
    };
    given.call(a(), 0, started);
    assert_eq!((call().codec.as_deref(), call().media_remote.as_deref()), (Some("PCMU"), None));
    let first =
        MediaEvent::FirstPacket { source: "127.0.0.1:4002".into(), ssrc: 1, payload_type: 0, epoch: 1 };
    given.call(a(), 0, first);
    assert_eq!(call().media_remote.as_deref(), Some("127.0.0.1:4002"));

    given.call(a(), 0, CallEvent::Modifying { change: Change::Hold, codecs: None });
    given.call(
        a(),
        0,
        CallEvent::Modified {
            by: Party::Remote,
            codec: None,
            direction: MediaDirection::Sendrecv,
            epoch: 2,
            agreement: None,
        },
    );
    assert_eq!(call().modifying, Some(Change::Hold));
    given.call(a(), 0, CallEvent::Held { by: Party::Local });
    assert_eq!(call().modifying, None);
    given.call(a(), 0, CallEvent::Held { by: Party::Remote });
    given.call(a(), 0, CallEvent::Resumed { by: Party::Local });
    assert_eq!((call().held_by_local, call().held_by_remote), (false, true));
    let direction = MediaDirection::Recvonly;
    given.call(
        a(),
        0,
        CallEvent::Modified {
            by: Party::Remote,
            codec: Some("PCMA".into()),
            direction,
            epoch: 3,
            agreement: None,
        },
    );
    assert_eq!((call().codec.as_deref(), call().media_direction), (Some("PCMA"), Some(direction)));

    given.call(a(), 0, CallEvent::TransferRequested { by: Party::Local, to: "sip:601@example.com".into() });
    given.call(a(), 0, CallEvent::TransferProgress { status: 200, reason: "OK".into() });
    assert_eq!(call().transfer.as_ref().unwrap().status, Some(200));

    for digit in ['1', '#'] {
        let method = DigitMethod::Rfc4733;
        given.call(a(), 0, MediaEvent::DigitReceived { digit, duration_ms: 100, method, epoch: 1 });
    }
    given.call(a(), 0, MediaEvent::DigitsSent { digits: "42".into(), method: DigitMethod::Info, epoch: 1 });
    assert_eq!((call().digits_received.as_str(), call().digits_sent.as_str()), ("1#", "42"));

    let statistics = MediaStatistics { received_packets: 7, ..MediaStatistics::default() };
    given.call(a(), 0, MediaEvent::Stopped { statistics: statistics.clone(), epoch: 1 });
    assert_eq!(call().statistics.as_ref(), Some(&statistics));
}

#[test]
fn recordings_and_playback_are_followed_to_their_end() {
    let given = given();
    let call = || given.views.call(CallId(0)).unwrap();
    given.placed(a(), 0, "x");
    given.call(a(), 0, MediaEvent::RecordingStarted { path: "/r/1.wav".into(), epoch: 1 });
    assert_eq!(call().open_recording(), Some("/r/1.wav"));
    given.call(a(), 0, MediaEvent::RecordingStopped { path: "/r/1.wav".into(), duration_ms: 900, epoch: 1 });
    given.call(a(), 0, MediaEvent::RecordingStarted { path: "/r/2.wav".into(), epoch: 1 });
    assert_eq!(call().recordings[0].duration_ms, Some(900));
    assert_eq!(call().open_recording(), Some("/r/2.wav"));

    given.call(a(), 0, MediaEvent::PlaybackStarted { source: "one.wav".into(), repeat: false, epoch: 1 });
    given.call(a(), 0, MediaEvent::PlaybackStarted { source: "two.wav".into(), repeat: true, epoch: 1 });
    given.call(a(), 0, MediaEvent::PlaybackFinished { source: "one.wav".into(), epoch: 1 });
    assert_eq!(
        call().playing.as_ref().unwrap().source,
        "two.wav",
        "the end of a replaced sound stops nothing"
    );
    given.call(a(), 0, ended(None));
    assert_eq!(call().playing, None);
}

#[test]
fn facts_about_a_call_that_never_began_are_ignored() {
    let given = given();
    given.call(a(), 9, ended(None));
    assert_eq!(given.views.call(CallId(9)), None);
    assert!(given.views.history(None, 10).is_empty());
}

#[test]
fn a_call_that_lost_its_phone_or_its_process_is_in_no_conference_and_plays_nothing() {
    let given = given();
    for (number, phone) in [(0, a()), (1, b())] {
        let call = Subject::call(phone, CallId(number));
        let add = |event: Event| given.journal.append(call.clone(), Cause::Media, event);
        let (target, local) = ("sip:b@pbx".into(), "sip:a@pbx".into());
        add(CallEvent::Placed { target, local, sip_call_id: number.to_string() }.into());
        let members = vec![CallId(0), CallId(1)];
        let (hears, heard_by) = (Vec::new(), Vec::new());
        add(MediaEvent::ConferenceJoined { members, hears, heard_by, epoch: 1 }.into());
        add(MediaEvent::PlaybackStarted { source: "x.wav".into(), repeat: true, epoch: 1 }.into());
    }
    let sounds = || {
        let call = |number| given.views.call(CallId(number)).unwrap();
        [0, 1].map(|number| (call(number).conference.is_some(), call(number).playing.is_some()))
    };
    assert_eq!(sounds(), [(true, true); 2]);
    let crashed = PhoneEvent::Crashed { reason: "it broke".into() };
    given.journal.append(Subject::phone(a()), Cause::Failure, crashed);
    assert_eq!(sounds(), [(false, false), (true, true)]);
    given.journal.append(Subject::system(), Cause::Start, SystemEvent::Started { version: "1".into() });
    assert_eq!(sounds(), [(false, false); 2]);
}
