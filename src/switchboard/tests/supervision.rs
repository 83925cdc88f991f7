//! Failures stay where they happen: in a call, a phone, a process.

use super::*;
use crate::{
    artifact::{ArtifactFolder, ArtifactKind},
    capture::CaptureOptions,
};

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_ended_on_the_wire_and_its_sibling_goes_on() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let sibling = call(&board, &a, 5062).await;
    let failing = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[1].id;

    let actor = board.inner.directory.get(&a).unwrap();
    actor.cast(PhoneMessage::Fail(Some(failing))).unwrap();
    seen(&board, |e| ended_by(e, failing, EndCause::Crashed)).await;
    // The other side saw an ordinary BYE.
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    assert_eq!(board.views().active_calls(&a).iter().map(|c| c.id).collect::<Vec<_>>(), [sibling]);

    let hold = Command::Call(CallSelector::call(sibling), CallCommand::Hold);
    board.execute(hold, Cause::command(Surface::Library)).await.unwrap();
    seen(&board, |e| e.subject.call == Some(sibling) && e.event.kind() == "call.held").await;
    board.shutdown().await.unwrap();
    assert_eq!(board.views().all_active_calls().len(), 0, "{}", story(board.journal()));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_fails_comes_back_and_ends_what_it_left() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;

    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    // It works again, with identifiers of its own.
    call(&board, &a, 5062).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_bye_of_a_phone_that_comes_back_jumps_ahead_of_the_journal_once() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, _b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    fail(&board, &a);
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    let of_a = all.iter().filter(|e| e.subject.phone.as_ref() == Some(&a));
    let journaled = of_a.clone().find_map(|e| {
        let Event::Call(CallEvent::Dialog { dialog }) = &e.event else { return None };
        Some(dialog.local_cseq)
    });
    let bye = of_a.clone().find_map(|e| {
        let Event::Sip(SipEvent::Sent { summary, .. }) = &e.event else { return None };
        summary.cseq.filter(|_| summary.method.as_deref() == Some("BYE"))
    });
    // The engine's CSEQ_JUMP.
    assert_eq!(bye, journaled.map(|cseq| cseq + 100));
    board.shutdown().await.unwrap();
}

/// Returns the first fact of a kind about a phone.
fn first(board: &Switchboard, phone: &PhoneId, kind: &str) -> Arc<Envelope> {
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    let wanted = |e: &&Arc<Envelope>| e.subject.phone.as_ref() == Some(phone) && e.event.kind() == kind;
    all.iter().find(wanted).cloned().unwrap_or_else(|| panic!("no {kind}:\n{}", story(board.journal())))
}

/// Returns the cause of the first request of a method that a phone sent.
fn cause_of(board: &Switchboard, phone: &PhoneId, method: &str, again: bool) -> Option<Cause> {
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    all.iter().filter(|e| e.subject.phone.as_ref() == Some(phone)).find_map(|e| {
        let Event::Sip(SipEvent::Sent { summary, retransmission, .. }) = &e.event else { return None };
        let request = summary.status.is_none() && summary.method.as_deref() == Some(method);
        (request && *retransmission == again).then(|| e.cause.clone())
    })
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_leads_to_names_the_crash_as_its_cause() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    fail(&board, &a);
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    let crashed = first(&board, &a, "phone.crashed");
    assert_eq!(crashed.cause, Cause::Failure);
    let by_crash = Cause::Event { seq: crashed.seq };
    assert_eq!(first(&board, &a, "phone.restarted").cause, by_crash);
    assert_eq!(cause_of(&board, &a, "BYE", false), Some(by_crash));

    let failing = call(&board, &b, 5061).await;
    let actor = board.inner.directory.get(&b).unwrap();
    actor.cast(PhoneMessage::Fail(Some(failing))).unwrap();
    seen(&board, |e| ended_by(e, failing, EndCause::Crashed)).await;
    let crashed = first(&board, &b, "call.crashed");
    assert_eq!(crashed.cause, Cause::Failure);
    assert_eq!(cause_of(&board, &b, "BYE", false), Some(Cause::Event { seq: crashed.seq }));
    board.shutdown().await.unwrap();
    let dropped = crate::journal::Query::of_kinds(&["phone.dropped"]);
    let dropped = board.journal().query_blocking(&dropped).unwrap();
    assert_eq!(dropped.len(), 0, "phones leave with their process and come back with the next");
}

#[tokio::test(start_paused = true)]
async fn what_a_timer_does_names_that_timer_as_its_cause() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let a = phone(&board, "a", 5061).await;
    network.set_default_link(sim::Link { loss: 1.0, ..sim::Link::default() });
    let target = "sip:b@127.0.0.1:5062".to_owned();
    let place = Command::Phone(a.clone(), PhoneCommand::PlaceCall { target, headers: [].into() });
    board.execute(place, Cause::command(Surface::Library)).await.unwrap();
    let ended = seen(&board, |e| e.event.kind() == "call.ended").await;
    assert_eq!(ended.cause, Cause::Timer { reason: TimerReason::TimerB });
    let again = cause_of(&board, &a, "INVITE", true);
    assert_eq!(again, Some(Cause::Timer { reason: TimerReason::TimerA }));
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_comes_back_has_the_port_that_others_know() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let a = phone(&board, "a", 0).await;
    let bound = || board.views().phone(&a).unwrap().bound.unwrap();
    let before = bound();
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(bound(), before);
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_waits_for_its_restart_ends_its_calls_at_shutdown() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let board = board(&network, Journal::in_memory(wall())).await;
    let a = phone(&board, "a", 5061).await;
    let left = call(&board, &a, 5062).await;
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.crashed").await;
    board.shutdown().await.unwrap();
    assert!(board.views().call(left).unwrap().end.is_some(), "{}", story(board.journal()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(theirs.views().active_calls(&b).is_empty());
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_replaces_a_failed_one_ends_its_calls_and_comes_back_itself() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;

    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.crashed").await;
    // Added again during the pause before the restart.
    phone(&board, "a", 5061).await;
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let restarts = || story(board.journal()).matches("phone.restarted").count();
    assert_eq!(restarts(), 0, "the replaced one stays gone");

    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    call(&board, &a, 5062).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_left_behind_ends_in_the_journal_although_its_phone_is_dropped_before_the_wire_answers() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    network.set_filter(|_| sim::Fate::Lost);
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.restarted").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for phone in [a, b] {
        drop_phone(&board, &phone, true).await.unwrap();
    }
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    assert_eq!(board.views().all_active_calls().len(), 0, "{}", story(board.journal()));
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_leaves_calls_that_the_next_one_ends() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let first = board(&network, journal.clone()).await;
    let a = phone(&first, "a", 5061).await;
    let left = call(&first, &a, 5062).await;
    // Death: actors and sockets vanish without notice, the journal stays.
    first.inner.root.kill();
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let second = board(&network, journal).await;
    seen(&second, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    let remote = seen(&theirs, |e| e.event.kind() == "call.ended").await;
    assert!(matches!(&remote.event, Event::Call(CallEvent::Ended { cause: EndCause::Normal, .. })));
    assert!(theirs.views().active_calls(&b).is_empty());
    assert!(second.views().phone(&a).is_some(), "the phone is taken up again");
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_whom_our_200_never_reached_is_refused_by_the_next_process() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let first = board(&network, journal.clone()).await;
    phone(&first, "a", 5061).await;
    // The answer is already a fact, but it is no longer sent.
    network.set_filter(|datagram| {
        let answer = datagram.bytes.starts_with(b"SIP/2.0 200") && datagram.from.port() == 5061;
        if answer { sim::Fate::Lost } else { sim::Fate::Arrives }
    });
    let place = Command::Phone(
        b.clone(),
        PhoneCommand::PlaceCall { target: "sip:a@127.0.0.1:5061".into(), headers: [].into() },
    );
    theirs.execute(place, Cause::command(Surface::Library)).await.unwrap();
    seen(&first, |e| e.event.kind() == "call.answered").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.inner.root.kill();
    drop(first);
    // Sockets close when their tasks are next scheduled.
    tokio::time::sleep(Duration::from_millis(100)).await;
    network.set_filter(|_| sim::Fate::Arrives);

    let second = board(&network, journal).await;
    let ended = seen(&theirs, |e| e.event.kind() == "call.ended").await;
    let Event::Call(CallEvent::Ended { cause, status, .. }) = &ended.event else { panic!("{ended:?}") };
    assert_eq!((cause, status), (&EndCause::Rejected, &Some(480)));
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

/// A process that dies while its phone `a` closes: `b` on the other board has not learned of the
/// end of their call.
async fn dies_while_a_phone_closes(network: &sim::Network, journal: &Journal) -> (PhoneId, CallId) {
    let first = board(network, journal.clone()).await;
    let a = phone(&first, "a", 5061).await;
    let left = call(&first, &a, 5062).await;
    network.set_filter(|_| sim::Fate::Lost);
    let dying = async {
        seen(&first, |e| e.event.kind() == "phone.dropped").await;
        first.inner.root.kill();
    };
    tokio::select! {
        _ = drop_phone(&first, &a, true) => panic!("nobody has answered the BYE"),
        () = dying => {}
    }
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    network.set_filter(|_| sim::Fate::Arrives);
    (a, left)
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_a_phone_closes_leaves_calls_that_the_next_one_ends() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let (a, left) = dies_while_a_phone_closes(&network, &journal).await;

    let since = tokio::time::Instant::now();
    let second = board(&network, journal).await;
    assert_eq!(since.elapsed(), Duration::ZERO, "the start waits for nobody");
    assert!(second.views().phones().is_empty(), "a dropped phone stays dropped");
    seen(&second, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    // The other side saw an ordinary BYE.
    let remote = seen(&theirs, |e| e.event.kind() == "call.ended").await;
    assert!(matches!(&remote.event, Event::Call(CallEvent::Ended { cause: EndCause::Normal, .. })));
    assert!(theirs.views().active_calls(&b).is_empty());
    assert!(second.views().dangling().is_empty());
    stays_dropped(&second, &a).await;
    assert_eq!(story(second.journal()).matches("call.ended").count(), 1, "{}", story(second.journal()));
    assert_eq!(network.sockets(), 2, "the datagram and the stream socket of b");
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_phone_whose_port_and_registrar_are_gone_ends_its_calls_after_a_restart() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let (a, left) = dies_while_a_phone_closes(&network, &journal).await;
    phone(&theirs, "c", 5061).await;
    // As if its name no longer resolved.
    let spec = PhoneSpec { domain: "nowhere.invalid".into(), ..spec("a", 5061) };
    journal.append(Subject::phone(a.clone()), Cause::Start, PhoneEvent::Updated { spec });

    let second = board(&network, journal).await;
    seen(&second, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    assert!(theirs.views().active_calls(&b).is_empty(), "{}", story(second.journal()));
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_of_an_earlier_run_ends_its_calls_before_its_name_is_used_again() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let first = board(&network, journal.clone()).await;
    let added = Command::add("a".parse().unwrap(), spec("a", 5061), Secret::new("x".into()));
    let cause = Cause::Run { run: RunId(0), hook: "setup".into() };
    first.execute(added, cause).await.unwrap();
    let a: PhoneId = "a".parse().unwrap();
    let left = call(&first, &a, 5062).await;
    first.inner.root.kill();
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;

    // Nobody answers the BYE, so the end takes its time.
    network.set_filter(|_| sim::Fate::Lost);
    let second = board(&network, journal).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    phone(&second, "a", 5063).await;
    assert!(second.views().call(left).unwrap().end.is_some(), "{}", story(second.journal()));
    assert_eq!(network.sockets(), 6, "two of b, two of its call, two of the new a");
    let replaced =
        ["phone.added", "phone.bound", "phone.dropped", "phone.bound", "phone.added", "phone.bound"];
    assert_eq!(life(&second, &a), replaced);
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_phones_on_their_way_out() {
    for fails in [false, true] {
        let network = sim::Network::new(1);
        let theirs = board(&network, Journal::in_memory(wall())).await;
        let b = phone(&theirs, "b", 5062).await;
        let board = board(&network, Journal::in_memory(wall())).await;
        let a = phone(&board, "a", 5061).await;
        call(&board, &a, 5062).await;
        network.set_filter(|_| sim::Fate::Lost);
        let (closing, phone) = (board.clone(), a.clone());
        let closing = tokio::spawn(async move { drop_phone(&closing, &phone, true).await });
        seen(&board, |e| e.event.kind() == "phone.dropped").await;
        if fails {
            fail(&board, &a);
            seen(&board, |e| e.event.kind() == "phone.crashed").await;
        }
        network.set_filter(|_| sim::Fate::Arrives);
        board.shutdown().await.unwrap();
        assert!(board.views().dangling().is_empty(), "{}", story(board.journal()));
        closing.await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(theirs.views().active_calls(&b).is_empty());
        theirs.shutdown().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_could_not_be_taken_up_is_left_to_the_next_start() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let first = board(&network, journal.clone()).await;
    let a = phone(&first, "a", 5061).await;
    let left = call(&first, &a, 5062).await;
    first.inner.root.kill();
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let c = phone(&theirs, "c", 5061).await;

    let second = board(&network, journal.clone()).await;
    second.shutdown().await.unwrap();
    assert!(second.views().phone(&a).is_some(), "{}", story(second.journal()));
    assert!(second.views().call(left).unwrap().end.is_none(), "nothing was on the wire");

    drop_phone(&theirs, &c, true).await.unwrap();
    let third = board(&network, journal).await;
    seen(&third, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    third.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_whose_calls_cannot_be_ended_with_its_process_is_left_to_the_next_start() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    let b = phone(&theirs, "b", 5062).await;
    let journal = Journal::in_memory(wall());
    let first = board(&network, journal.clone()).await;
    let a = phone(&first, "a", 5061).await;
    let left = call(&first, &a, 5062).await;
    fail(&first, &a);
    seen(&first, |e| e.event.kind() == "phone.crashed").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let c = phone(&theirs, "c", 5061).await;
    first.shutdown().await.unwrap();
    assert!(first.views().phone(&a).is_some(), "{}", story(&journal));
    assert!(first.views().call(left).unwrap().end.is_none(), "nothing was on the wire\n{}", story(&journal));

    drop_phone(&theirs, &c, true).await.unwrap();
    let second = board(&network, journal).await;
    seen(&second, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(theirs.views().active_calls(&b).is_empty());
    second.shutdown().await.unwrap();
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_is_dropped_while_it_leaves_with_its_process_does_not_come_back() {
    let network = sim::Network::new(1);
    let theirs = board(&network, Journal::in_memory(wall())).await;
    phone(&theirs, "b", 5062).await;
    let folder = tempfile::tempdir().unwrap();
    let options = || Options::in_folder(Arc::new(network.clone()), wall(), 7, folder.path()).unwrap();
    let first = Switchboard::start(options()).await.unwrap();
    let (a, stays) = (phone(&first, "a", 5061).await, phone(&first, "stays", 5063).await);
    let left = call(&first, &a, 5062).await;
    // Nobody answers the BYE, so the end takes its time.
    network.set_filter(|_| sim::Fate::Lost);
    let (closing, dropped) = tokio::join!(first.shutdown(), async {
        seen(&first, |e| e.event.kind() == "call.ending").await;
        drop_phone(&first, &a, true).await
    });
    closing.unwrap();
    dropped.unwrap();
    network.set_filter(|_| sim::Fate::Arrives);
    drop(first);
    let second = Switchboard::start(options()).await.unwrap();
    assert!(second.views().phone(&stays).is_some(), "{}", story(second.journal()));
    assert!(second.views().phone(&a).is_none(), "{}", story(second.journal()));
    seen(&second, |e| ended_by(e, left, EndCause::ProcessRestarted)).await;
    second.shutdown().await.unwrap();
    let kept = std::fs::read_to_string(folder.path().join("credentials.json")).unwrap();
    assert_eq!((kept.contains("\"a\""), kept.contains("\"stays\"")), (false, true), "{kept}");
    theirs.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_ends_meanwhile_does_not_keep_others_from_hanging_up() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let c = phone(&board, "c", 5063).await;
    let up = [call(&board, &b, 5063).await, board.views().active_calls(&c)[0].id];
    fail(&board, &a);
    let all = Command::Node(NodeCommand::HangUpAll);
    let outcome = board.execute(all, Cause::command(Surface::Library)).await.unwrap();
    assert_eq!(outcome.calls, up);
    seen(&board, |e| ended_by(e, up[0], EndCause::Normal)).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_add_waits_for_a_phone_that_still_closes_although_nobody_waits_for_its_drop() {
    // The surface gave up; the time for an answer was over, and the turn with it.
    for turn_is_over in [false, true] {
        let network = sim::Network::new(1);
        let board = board(&network, Journal::in_memory(wall())).await;
        let (a, _) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
        let left = call(&board, &a, 5062).await;
        network.set_filter(|_| sim::Fate::Lost);
        let dropped = async {
            match turn_is_over {
                false => drop_phone(&board, &a, true).await,
                true => board.drop_phone(a.clone(), true, Cause::Start).await,
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(100), dropped).await.is_err());
        phone(&board, "a", 5063).await;
        assert!(board.views().call(left).unwrap().end.is_some(), "{}", story(board.journal()));
        assert_eq!(network.sockets(), 6, "two of b, two of its call, two of the new a");
        let replaced = ["phone.added", "phone.bound", "phone.dropped", "phone.added", "phone.bound"];
        assert_eq!(life(&board, &a), replaced);
        board.shutdown().await.unwrap();
    }
}

// Two threads and real time: with one thread the actors happen to run in the harmless order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_can_be_used_again_at_once() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    for _ in 0..300 {
        let a = phone(&board, "a", 5061).await;
        drop_phone(&board, &a, true).await.unwrap();
    }
    // Replacing needs no drop.
    phone(&board, "a", 5061).await;
    phone(&board, "a", 5061).await;
    assert_eq!(board.views().phones().len(), 1);
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_two_phones_added_at_once_under_one_name_only_the_later_runs() {
    // First a port for each, then the same port for both.
    for ports in [[5061, 5062], [5061, 5061]] {
        let network = sim::Network::new(1);
        let board = board(&network, Journal::in_memory(wall())).await;
        let (first, second) = tokio::join!(add(&board, "a", ports[0]), add(&board, "a", ports[1]));
        let a = first.unwrap();
        second.unwrap();
        let replaced = ["phone.added", "phone.bound", "phone.dropped", "phone.added", "phone.bound"];
        assert_eq!(life(&board, &a), replaced, "{}", story(board.journal()));
        assert_eq!(board.views().phone(&a).unwrap().spec.local_port, ports[1]);
        drop_phone(&board, &a, true).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(network.sockets(), 0, "an actor runs that nobody knows");
        board.shutdown().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_can_be_dropped_in_the_pause_before_its_restart() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.crashed").await;

    drop_phone(&board, &a, true).await.unwrap();
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    // The other side saw an ordinary BYE.
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    stays_dropped(&board, &a).await;
    assert_eq!(network.sockets(), 2, "the datagram and the stream socket of b");
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_rings_is_refused_when_its_phone_is_dropped_in_its_pause() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let a = add_spec(&board, PhoneSpec { auto_answer: false, ..spec("a", 5061) }).await.unwrap();
    let b = phone(&board, "b", 5062).await;
    let place = Command::Phone(
        b,
        PhoneCommand::PlaceCall { target: "sip:a@127.0.0.1:5061".into(), headers: [].into() },
    );
    let waiting = board.execute(place, Cause::command(Surface::Library)).await.unwrap().call.unwrap();
    seen(&board, |e| e.event.kind() == "call.incoming").await;
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.crashed").await;
    drop_phone(&board, &a, true).await.unwrap();
    seen(&board, |e| ended_by(e, waiting, EndCause::Rejected)).await;
    stays_dropped(&board, &a).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_dropped_in_its_pause_without_hanging_up_says_nothing_on_the_wire() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.crashed").await;
    drop_phone(&board, &a, false).await.unwrap();
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    stays_dropped(&board, &a).await;
    assert_eq!(board.views().active_calls(&b).len(), 1);
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_dropped_in_its_pause_is_gone_although_its_port_is_taken() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, _) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    fail(&board, &a);
    seen(&board, |e| e.event.kind() == "phone.crashed").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    phone(&board, "c", 5061).await;
    drop_phone(&board, &a, true).await.unwrap();
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    stays_dropped(&board, &a).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_fails_while_it_closes_stays_gone_and_the_drop_is_answered() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;
    // Nobody answers the BYE, so the closing takes its time.
    network.set_filter(|_| sim::Fate::Lost);
    let failing = async {
        seen(&board, |e| e.event.kind() == "phone.dropped").await;
        network.set_filter(|_| sim::Fate::Arrives);
        fail(&board, &a);
    };
    let (dropped, ()) = tokio::join!(drop_phone(&board, &a, true), failing);
    dropped.unwrap();
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    assert!(board.views().call(left).unwrap().end.is_some(), "{}", story(board.journal()));
    stays_dropped(&board, &a).await;
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_fails_before_it_hears_of_its_drop_is_dropped_all_the_same() {
    let network = sim::Network::new(1);
    let board = board(&network, Journal::in_memory(wall())).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let left = call(&board, &a, 5062).await;
    let remote = board.views().active_calls(&b)[0].id;
    fail(&board, &a);
    drop_phone(&board, &a, true).await.unwrap();
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    seen(&board, |e| ended_by(e, remote, EndCause::Normal)).await;
    stays_dropped(&board, &a).await;
    board.shutdown().await.unwrap();
}

/// Waits longer than any pause before a restart: the phone was dropped once and nothing of it
/// follows.
async fn stays_dropped(board: &Switchboard, phone: &PhoneId) {
    tokio::time::sleep(Duration::from_secs(60)).await;
    let life = life(board, phone);
    let count = |kind| life.iter().filter(|known| **known == kind).count();
    assert_eq!((count("phone.dropped"), count("phone.restarted")), (1, 0), "{}", story(board.journal()));
    assert!(board.views().phone(phone).is_none());
    assert!(board.views().active_calls(phone).is_empty());
    assert_eq!(drop_phone(board, phone, true).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_capture_does_not_hold_on_to_calls_that_its_phone_lost() {
    let (network, folder) = (sim::Network::new(1), tempfile::tempdir().unwrap());
    let captures = CaptureOptions::under(ArtifactFolder::in_data(ArtifactKind::Captures, folder.path()));
    let options = Options { captures, ..Options::in_memory(Arc::new(network.clone()), wall(), 7) };
    let board = Switchboard::start(options).await.unwrap();
    let a = add_spec(&board, PhoneSpec { capture_enabled: true, ..spec("a", 5061) }).await.unwrap();
    phone(&board, "b", 5062).await;
    let left = call(&board, &a, 5062).await;
    fail(&board, &a);
    seen(&board, |e| ended_by(e, left, EndCause::Crashed)).await;
    let stopped = seen(&board, |e| e.event.kind() == "capture.stopped").await;
    assert_eq!(stopped.cause, Cause::Timer { reason: TimerReason::CaptureOver });
    board.shutdown().await.unwrap();
}
