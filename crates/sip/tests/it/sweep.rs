//! Every flow with datagram k lost, then with datagram k sent twice, for every k; then with seeded bad networks.
//!
//! The outcome must be the one of the clean network. The few flows where one loss may change it name that outcome.

use crate::cast::{self, Guard, call, ended, finish, pair, registration};
use offhook_sip::message::StatusCode;
use offhook_sip::registration::RegistrationEvent;
use offhook_sip::session::{EndCause, Party, SessionEvent};
use offhook_sip::testkit::{Fault, Final, Network, Pair, SDP, Side, UasScript, ladder};
use offhook_sip::user_agent::Body;
use std::collections::BTreeMap;
use std::time::Duration;

/// A flow: plays it to the end and says in words how it ended.
type Flow = fn(Network) -> (Pair, String);

fn hang_up_after(pair: &mut Pair, side: Side, wait: Duration) {
    pair.after(side, wait, |agent, now| {
        for id in agent.session_ids() {
            agent.hang_up(now, id, Vec::new()).unwrap();
        }
    });
}

fn start(network: Network, bob: UasScript) -> Pair {
    let mut pair = pair(network);
    pair.script(Side::B, bob);
    let invite = call(&pair);
    pair.act(Side::A, |agent, now| agent.invite(now, invite));
    pair
}

fn ends(pair: &Pair) -> String {
    let side = |side| {
        let (by, cause, _) = ended(pair, side);
        format!("{by:?} {cause:?}")
    };
    format!("{}, {}", side(Side::A), side(Side::B))
}

fn register(network: Network) -> (Pair, String) {
    let mut pair = pair(network);
    pair.script(Side::B, Guard::registrar());
    let what = registration(&pair);
    let id = pair.act(Side::A, |agent, now| agent.register(now, what));
    pair.after(Side::A, Duration::from_secs(60), move |agent, now| agent.unregister(now, id));
    finish(&mut pair);
    let events = cast::registration_events(&pair, Side::A);
    let words: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            RegistrationEvent::Challenged { .. } => None,
            RegistrationEvent::Registered { .. } => Some("registered"),
            RegistrationEvent::Unregistered { .. } => Some("unregistered"),
            RegistrationEvent::Failed { .. } => Some("failed"),
        })
        .collect();
    let words = words.join(" ");
    (pair, words)
}

fn basic_call(network: Network) -> (Pair, String) {
    let mut pair = start(network, UasScript::default());
    hang_up_after(&mut pair, Side::A, Duration::from_secs(100));
    finish(&mut pair);
    let acknowledged = cast::names(&pair, Side::B).contains(&"Acknowledged".to_owned());
    let words = format!("{}, acknowledged {acknowledged}", ends(&pair));
    (pair, words)
}

fn callee_hangs_up(network: Network) -> (Pair, String) {
    let mut pair = start(network, UasScript::default());
    hang_up_after(&mut pair, Side::B, Duration::from_secs(100));
    finish(&mut pair);
    let words = ends(&pair);
    (pair, words)
}

fn challenged_call(network: Network) -> (Pair, String) {
    let mut pair = pair(network);
    let mut guard = Guard::registrar();
    guard.methods = vec![offhook_sip::message::Method::Invite];
    pair.script(Side::B, guard);
    let invite = call(&pair);
    pair.act(Side::A, |agent, now| agent.invite(now, invite));
    hang_up_after(&mut pair, Side::A, Duration::from_secs(100));
    finish(&mut pair);
    let (by, cause, _) = ended(&pair, Side::A);
    let words = format!("{by:?} {cause:?}");
    (pair, words)
}

fn cancel(network: Network) -> (Pair, String) {
    let mut pair = start(network, UasScript { answer: Final::Ignore, ..UasScript::default() });
    hang_up_after(&mut pair, Side::A, Duration::from_secs(5));
    finish(&mut pair);
    let words = ends(&pair);
    (pair, words)
}

fn refusal(network: Network) -> (Pair, String) {
    let answer = Final::Refuse(StatusCode::BUSY_HERE);
    let mut pair = start(network, UasScript { answer, ..UasScript::default() });
    finish(&mut pair);
    let words = ends(&pair);
    (pair, words)
}

fn reinvite(network: Network) -> (Pair, String) {
    let mut pair = start(network, UasScript::default());
    pair.after(Side::A, Duration::from_secs(60), |agent, now| {
        for id in agent.session_ids() {
            agent.reinvite(now, id, Body::sdp(SDP)).unwrap();
        }
    });
    hang_up_after(&mut pair, Side::A, Duration::from_secs(200));
    finish(&mut pair);
    let modified = cast::session_events(&pair, Side::A)
        .iter()
        .filter(|event| matches!(event, SessionEvent::Modified { .. }))
        .count();
    let words = format!("{}, modified {modified}", ends(&pair));
    (pair, words)
}

fn info_and_refer(network: Network) -> (Pair, String) {
    let mut pair = start(network, UasScript::default());
    pair.after(Side::A, Duration::from_secs(60), |agent, now| {
        for id in agent.session_ids() {
            agent
                .info(now, id, Body { content_type: "application/dtmf".to_owned(), bytes: b"5".to_vec() })
                .unwrap();
        }
    });
    // Not at once: a request that overtakes an earlier one makes the earlier CSeq too low
    // (§12.2.2).
    pair.after(Side::A, Duration::from_secs(80), |agent, now| {
        for id in agent.session_ids() {
            agent.refer(now, id, "<sip:carol@192.0.2.3>", Vec::new()).unwrap();
        }
    });
    hang_up_after(&mut pair, Side::A, Duration::from_secs(100));
    finish(&mut pair);
    let done = cast::session_events(&pair, Side::A)
        .iter()
        .filter(|event| matches!(event, SessionEvent::RequestDone { outcome: Ok(_), .. }))
        .count();
    let got = cast::names(&pair, Side::B).join(" ");
    (pair, format!("done {done}, {}", got.replace("Acknowledged ", "")))
}

const FLOWS: [(&str, Flow); 8] = [
    ("register", register),
    ("basic call", basic_call),
    ("callee hangs up", callee_hangs_up),
    ("challenged call", challenged_call),
    ("cancel", cancel),
    ("refusal", refusal),
    ("re-INVITE", reinvite),
    ("INFO and REFER", info_and_refer),
];

fn with_fault(number: usize, fault: Fault) -> Network {
    Network { faults: BTreeMap::from([(number, fault)]), ..Network::default() }
}

fn sweep(fault: Fault) -> usize {
    let mut played = 0;
    for (name, flow) in FLOWS {
        let (clean, expected) = flow(Network::default());
        for number in 0..clean.datagrams() {
            let (pair, outcome) = flow(with_fault(number, fault));
            assert_eq!(outcome, expected, "{name}, datagram {number}\n{}", ladder::draw(&pair.sent));
            played += 1;
        }
    }
    played
}

#[test]
fn losing_any_one_datagram_changes_no_outcome() {
    assert!(sweep(Fault::Drop) > 50);
}

#[test]
fn repeating_any_one_datagram_changes_no_outcome() {
    assert!(sweep(Fault::Duplicate) > 50);
}

#[test]
fn delaying_any_one_datagram_by_a_second_changes_no_outcome() {
    assert!(sweep(Fault::Delay(Duration::from_millis(1_100))) > 50);
}

#[test]
fn a_repeated_ack_or_response_makes_no_second_event() {
    for (_, flow) in FLOWS {
        let (clean, _) = flow(Network::default());
        for number in 0..clean.datagrams() {
            let (pair, _) = flow(with_fault(number, Fault::Duplicate));
            for side in [Side::A, Side::B] {
                assert_eq!(
                    cast::names(&pair, side),
                    cast::names(&clean, side),
                    "datagram {number}\n{}",
                    ladder::draw(&pair.sent)
                );
            }
        }
    }
}

#[test]
fn a_bad_network_leaves_nothing_behind_and_ends_every_session_once() {
    let mut survived = 0;
    for seed in 0..60 {
        for (name, flow) in FLOWS {
            let network = Network {
                loss: 200,
                duplication: 100,
                jitter: Duration::from_millis(700),
                seed,
                ..Network::default()
            };
            // Both `finish` and `ended` assert inside the flow.
            let (_, outcome) = flow(network);
            if name == "basic call" {
                survived += usize::from(outcome.contains("Local Bye, Remote Bye"));
            }
        }
    }
    assert!(survived > 50, "only {survived} of 60 calls survived one datagram in five lost");
}

#[test]
fn the_outcomes_of_a_clean_network_are_these() {
    let outcomes: Vec<String> = FLOWS
        .iter()
        .map(|(name, flow)| {
            let (pair, outcome) = flow(Network::default());
            format!("{name} ({} datagrams): {outcome}", pair.datagrams())
        })
        .collect();
    insta::assert_snapshot!(outcomes.join("\n"));
    let bye = (Party::Local, EndCause::Bye, Some(200));
    assert_eq!(ended(&basic_call(Network::default()).0, Side::A), bye);
}
