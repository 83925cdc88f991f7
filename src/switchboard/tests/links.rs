//! Links to phone systems under supervision, and what the journal says about them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot;

use super::*;
use crate::{
    event::SystemEvent,
    net::BoxFuture,
    pbx::{Connector, Link, StartFailure},
    view::LinkState,
};

/// A phone system whose links do as they are told.
struct Scripted {
    /// The result of each start; the owner of the sender breaks the link.
    starts: Mutex<VecDeque<Result<oneshot::Receiver<String>, &'static str>>>,
}

struct ScriptedLink(Mutex<Option<oneshot::Receiver<String>>>);

impl Scripted {
    fn new(starts: impl IntoIterator<Item = Result<oneshot::Receiver<String>, &'static str>>) -> Arc<Self> {
        Arc::new(Self { starts: Mutex::new(starts.into_iter().collect()) })
    }
}

impl Connector for Scripted {
    fn name(&self) -> &str {
        "east"
    }

    fn system(&self) -> &str {
        "scripted"
    }

    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Link>, StartFailure>> {
        let start = self.starts.lock().unwrap().pop_front().expect("not so many starts");
        Box::pin(async {
            let link: Box<dyn Link> = Box::new(ScriptedLink(Mutex::new(Some(start?))));
            Ok(link)
        })
    }
}

impl Link for ScriptedLink {
    fn address(&self) -> String {
        "10.0.0.1:5038".to_owned()
    }

    fn failed(&self) -> BoxFuture<'static, String> {
        let broken = self.0.lock().unwrap().take().unwrap();
        Box::pin(async { broken.await.unwrap_or_else(|_| "dropped".to_owned()) })
    }

    fn stop(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

fn told(board: &Switchboard) -> Vec<Arc<Envelope>> {
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    all.into_iter().filter(|e| e.event.kind().starts_with("pbx.")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_journal_tells_how_a_link_stands_breaks_comes_back_and_ends() {
    let board = board(&sim::Network::new(1), Journal::in_memory(wall())).await;
    let ((first, breaks), (_second, holds)) = (oneshot::channel(), oneshot::channel());
    board.connect(Scripted::new([Ok(breaks), Err("connection refused"), Ok(holds)])).await.unwrap();
    let state = || board.views().links()[0].state.clone();
    assert_eq!(state(), LinkState::Up);
    first.send("the connection was reset".to_owned()).unwrap();
    seen(&board, |e| e.event.kind() == "pbx.lost").await;
    assert_eq!(state(), LinkState::Down("the connection was reset".to_owned()));
    seen(&board, |e| e.event.kind() == "pbx.unreachable").await;
    assert_eq!(state(), LinkState::Down("connection refused".to_owned()));
    let lost = told(&board)[1].seq;
    seen(&board, |e| e.event.kind() == "pbx.linked" && e.seq > lost).await;
    let link = board.views().links()[0].clone();
    assert_eq!(
        (&link.state, link.losses, link.address.as_deref()),
        (&LinkState::Up, 1, Some("10.0.0.1:5038"))
    );
    board.shutdown().await.unwrap();

    let (name, system) = ("east".to_owned(), "scripted".to_owned());
    let linked = SystemEvent::PbxLinked {
        name: name.clone(),
        system: system.clone(),
        address: "10.0.0.1:5038".to_owned(),
    };
    let reason = "the connection was reset".to_owned();
    let refused = "connection refused".to_owned();
    let because = Cause::Event { seq: lost };
    let expected = [
        (Cause::Start, linked.clone()),
        (Cause::Failure, SystemEvent::PbxLost { name: name.clone(), reason }),
        (because.clone(), SystemEvent::PbxUnreachable { name: name.clone(), system, reason: refused }),
        (because, linked),
        (Cause::Stop, SystemEvent::PbxUnlinked { name }),
    ];
    let told: Vec<_> = told(&board).iter().map(|e| (e.cause.clone(), e.event.clone())).collect();
    assert_eq!(told, expected.map(|(cause, event)| (cause, event.into())));
    let all = board.journal().query_blocking(&crate::journal::Query::default()).unwrap();
    assert_eq!(all.last().unwrap().event.kind(), "system.stopped");
    assert!(board.views().links().is_empty(), "links end with their process");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_never_stood_is_refused_with_its_reason_and_not_tried_again() {
    let board = board(&sim::Network::new(1), Journal::in_memory(wall())).await;
    let refused = board.connect(Scripted::new([Err("wrong password")])).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.to_string().contains("wrong password"), "{refused}");
    tokio::time::sleep(Duration::from_secs(120)).await;
    let told = told(&board);
    assert_eq!(told.len(), 1, "{told:?}");
    let link = board.views().links()[0].clone();
    assert_eq!(link.state, LinkState::Down("wrong password".to_owned()));
    board.shutdown().await.unwrap();
}
