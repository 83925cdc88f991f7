//! Runs under supervision.

use super::*;
use crate::{
    config::{Account, Limits, PbxProfile},
    event::{RunEvent, Verdict},
    scenario::{Host, Known, RunHandle, Scenario, Terms, check_yaml},
};

/// A run that takes the only account, creates a phone and waits.
const LONG: &str = "
timeout: 600s
phones: {a: {register: false}}
steps: [{never: {event: phone.registration_failed, phone: a, during: 500s}}]
";

fn scenario(text: &str) -> Scenario {
    let reading = check_yaml(text, None, &Known::default());
    assert!(reading.is_runnable(), "{:?}", reading.findings);
    reading.scenario.unwrap()
}

fn terms() -> Terms {
    let account = Account { username: "6001".into(), password: Secret::new("x".into()) };
    let domain = "127.0.0.1:5060".to_owned();
    Terms {
        profile: Some(PbxProfile { domain, accounts: vec![account], ..PbxProfile::default() }),
        lease_wait: Duration::from_secs(3),
        captured: false,
        cause: Cause::command(Surface::Library),
    }
}

async fn board_of(limits: Limits) -> Switchboard {
    board_on(sim::Network::new(1), limits).await
}

async fn board_on(network: sim::Network, limits: Limits) -> Switchboard {
    let options = Options::in_memory(Arc::new(network), wall(), 7);
    Switchboard::start(Options { limits, ..options }).await.unwrap()
}

/// Starts a run and waits until it has its phone and is at its first step.
async fn begun(board: &Switchboard, text: &str) -> RunHandle {
    let handle = board.start_run(scenario(text), terms()).await.unwrap();
    let run = Some(handle.id());
    seen(board, |e| e.subject.run == run && e.event.kind() == "run.action_started").await;
    handle
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_ends_with_a_verdict_and_what_it_had_comes_back() {
    let board = board_of(Limits { runs: 1, ..Limits::default() }).await;
    let handle = begun(&board, LONG).await;
    let run = handle.id();
    assert_eq!(board.views().phones().len(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    handle.fail();
    let summary = handle.wait().await;
    assert_eq!(summary.verdict, Verdict::Error);
    assert!(summary.reason.contains("a bug in the runner"), "{}", summary.reason);
    assert_eq!(summary.elapsed.as_secs(), 2);
    assert!(board.views().phones().is_empty());
    // It is never restarted, however long one waits.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    let started = all.iter().filter(|e| matches!(e.event, Event::Run(RunEvent::Started { .. })));
    assert_eq!(started.filter(|e| e.subject.run == Some(run)).count(), 1);
    let finished = all.iter().filter(|e| matches!(e.event, Event::Run(RunEvent::Finished { .. })));
    assert_eq!(finished.count(), 1);
    // Its account and its place are free.
    let before = tokio::time::Instant::now();
    let next = begun(&board, LONG).await;
    assert!(before.elapsed() < Duration::from_secs(1), "it did not have to wait");
    next.canceler().cancel("enough");
    assert_eq!(next.wait().await.verdict, Verdict::Skipped);
    board.shutdown().await.unwrap();
}

/// A run that uses somebody else's phones and places a call.
const BORROWED: &str = "
timeout: 600s
phones: [a, b]
steps: [{make_call: {phone: a, to: 'sip:b@127.0.0.1:5062'}}, {wait: 500s}, {expect: call.ended}]
";

#[tokio::test(start_paused = true)]
async fn a_call_of_a_run_that_panics_is_ended_on_phones_that_it_only_used() {
    let board = board_of(Limits::default()).await;
    for (name, port) in [("a", 5061), ("b", 5062)] {
        phone(&board, name, port).await;
    }
    let (a, b): (PhoneId, PhoneId) = ("a".parse().unwrap(), "b".parse().unwrap());
    let others = call(&board, &b, 5061).await;
    seen(&board, |e| e.subject.phone.as_ref() == Some(&a) && e.event.kind() == "call.established").await;
    let handle = board.start_run(scenario(BORROWED), terms()).await.unwrap();
    let run = Some(handle.id());
    let up = seen(&board, |e| e.subject.run == run && e.event.kind() == "call.established").await;
    handle.fail();
    let summary = handle.wait().await;
    assert_eq!(summary.verdict, Verdict::Error);
    assert_eq!(summary.run.outcome().left_over, []);
    assert!(!board.views().call(up.subject.call.unwrap()).unwrap().is_active());
    assert!(board.views().call(others).unwrap().is_active(), "what it did not begin goes on");
    assert_eq!(board.views().phones().len(), 2);
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_ended_is_named_by_the_verdict_of_the_run_that_panicked() {
    let network = sim::Network::new(1);
    network.set_default_link(sim::Link { loss: 1.0, ..sim::Link::default() });
    let board = board_on(network, Limits::default()).await;
    phone(&board, "a", 5061).await;
    // Nothing arrives: without any response there is nothing to cancel (RFC 3261 §9.1).
    let text = BORROWED.replace("[a, b]", "[a]").replace("5062", "5099");
    let handle = board.start_run(scenario(&text), terms()).await.unwrap();
    let run = Some(handle.id());
    let placed = seen(&board, |e| e.subject.run == run && e.event.kind() == "call.placed").await;
    handle.fail();
    let summary = handle.wait().await;
    assert_eq!(summary.run.outcome().left_over, [placed.subject.call.unwrap()]);
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_is_being_made_when_its_run_panics_does_not_stay() {
    let network = sim::Network::new(1);
    network.add_name("pbx.test", vec!["127.0.0.1".parse().unwrap()]);
    network.set_name_delay(Duration::from_secs(1));
    let board = Switchboard::start(Options::in_memory(Arc::new(network), wall(), 7)).await.unwrap();
    let mut terms = terms();
    terms.profile.as_mut().unwrap().domain = "pbx.test".to_owned();
    let handle = board.start_run(scenario(LONG), terms).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(board.views().phones().is_empty(), "its registrar is being looked up");
    handle.fail();
    assert_eq!(handle.wait().await.verdict, Verdict::Error);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(board.views().phones().is_empty(), "{}", story(board.journal()));
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn runs_over_the_limit_are_refused_by_name_until_one_ends() {
    let board = board_of(Limits { runs: 2, ..Limits::default() }).await;
    let idle = "phones: []\nsteps: [{wait: 500s}, {expect: call.ended}]\ntimeout: 600s\n";
    let (one, _two) = (begun(&board, idle).await, begun(&board, idle).await);
    let refused = board.start_run(scenario(idle), terms()).await.map(|handle| handle.id()).unwrap_err();
    assert_eq!(refused.code, Code::LimitReached);
    assert!(refused.to_string().contains("the limit of runs is 2"), "{refused}");
    one.canceler().cancel("enough");
    one.wait().await;
    let third = board.start_run(scenario(idle), terms()).await.unwrap();
    assert_eq!(third.id(), RunId(3), "what was refused never began");
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_at_the_end_of_the_process_is_canceled_in_order() {
    let board = board_of(Limits::default()).await;
    let handle = begun(&board, LONG).await;
    board.shutdown().await.unwrap();
    let summary = handle.wait().await;
    assert_eq!(summary.verdict, Verdict::Skipped);
    assert_eq!(summary.reason, "the process is about to end");
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    let kinds: Vec<_> = all.iter().map(|e| e.event.kind()).collect();
    assert_eq!(kinds.last(), Some(&"system.stopped"), "{kinds:?}");
}
