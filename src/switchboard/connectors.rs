//! Links to phone systems as supervised children.

use std::{error::Error, sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{sync::oneshot, task::AbortHandle};

use super::{
    Switchboard,
    call_actor::ask,
    supervisor::{Closing, Supervise, Supervised},
};
use crate::{
    command::{Outcome, Refused, Rejection},
    event::{Cause, Subject, SystemEvent},
    id::Seq,
    journal::Journal,
    pbx::{Connector, Link},
};

/// How long establishing a link may take.
const START: Duration = Duration::from_secs(10);

/// What supervising connectors needs.
pub(super) struct Connectors {
    pub(super) journal: Journal,
}

/// What a link starts with.
#[derive(Clone)]
pub(super) struct Linking {
    connector: Arc<dyn Connector>,
    journal: Journal,
    /// Why it is started or restarted.
    cause: Cause,
}

impl Linking {
    fn append(&self, event: SystemEvent) -> Seq {
        self.journal.append(Subject::system(), self.cause.clone(), event)
    }
}

impl Supervised for Connectors {
    type Id = String;
    type Arguments = Linking;
    type Message = LinkMessage;
    type Actor = LinkActor;
    type Change = std::convert::Infallible;

    const COMES_BACK: bool = true;

    fn actor() -> LinkActor {
        LinkActor
    }

    fn close(_: bool, _: Cause) -> LinkMessage {
        LinkMessage::Close
    }

    fn change(_: &mut Linking, change: std::convert::Infallible) {
        match change {}
    }

    async fn next_life(&self, _: &String, linking: Linking) -> Linking {
        linking
    }

    fn last_life(linking: Linking) -> Linking {
        linking
    }

    // A link that is down has left nothing behind: the journal has nothing to end for it.
    fn is_known(&self, _: &String) -> bool {
        false
    }

    fn has_left_work(&self, _: &String) -> bool {
        false
    }

    fn cannot_start(&self, id: &String, why: &str) -> Rejection {
        Refused::ConnectorNotStarted { connector: id.clone(), why: why.to_owned() }.into()
    }

    fn not_found(&self, id: &String) -> Rejection {
        Refused::NoConnector(id.clone()).into()
    }

    fn outcome(&self) -> Outcome {
        Outcome { seq: self.journal.head(), call: None, calls: Vec::new() }
    }

    fn failed(&self, id: &String, linking: &mut Linking, reason: &str) {
        let lost = SystemEvent::PbxLost { name: id.clone(), reason: reason.to_owned() };
        let seq = self.journal.append(Subject::system(), Cause::Failure, lost);
        linking.cause = Cause::Event { seq };
    }

    fn over(&self, _: &String, _: &Linking, _: Option<&str>) {}

    fn restarted(&self, id: &String, _: &Linking, attempt: u32) {
        tracing::warn!(connector = %id, attempt, "linking again");
    }

    fn dropped(&self, _: &String, _: &Cause) {}

    fn forgotten(&self, _: &String, _: &Cause) {}
}

/// Holds one link; fails when the link does.
pub(super) struct LinkActor;

/// The messages of a link's actor.
#[derive(Debug)]
pub(super) enum LinkMessage {
    /// The link has failed.
    Failed(String),
    /// Close it in an orderly way.
    Close,
}

/// A link and the task that watches it.
pub(super) struct Held {
    linking: Linking,
    link: Option<Box<dyn Link>>,
    watcher: AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Actor for LinkActor {
    type Msg = LinkMessage;
    type State = Held;
    type Arguments = Linking;

    async fn pre_start(
        &self,
        me: ActorRef<LinkMessage>,
        linking: Linking,
    ) -> Result<Held, ActorProcessingErr> {
        let connector = &linking.connector;
        let (name, system) = (connector.name().to_owned(), connector.system().to_owned());
        let link = match connector.start().await {
            Ok(link) => link,
            Err(error) => {
                let reason = with_sources(&*error);
                linking.append(SystemEvent::PbxUnreachable { name, system, reason: reason.clone() });
                return Err(reason.into());
            }
        };
        linking.append(SystemEvent::PbxLinked { name, system, address: link.address() });
        let failed = link.failed();
        let watch = async move {
            // Nobody receives this once the actor has ended.
            drop(me.cast(LinkMessage::Failed(failed.await)));
        };
        Ok(Held { linking, link: Some(link), watcher: tokio::spawn(watch).abort_handle() })
    }

    async fn handle(
        &self,
        me: ActorRef<LinkMessage>,
        message: LinkMessage,
        held: &mut Held,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            // The one error that a handler returns on purpose: the supervisor restarts the link.
            LinkMessage::Failed(why) => Err(why.into()),
            LinkMessage::Close => {
                held.watcher.abort();
                if let Some(link) = held.link.take() {
                    link.stop().await;
                }
                let name = held.linking.connector.name().to_owned();
                held.linking.journal.append(
                    Subject::system(),
                    Cause::Stop,
                    SystemEvent::PbxUnlinked { name },
                );
                me.stop(None);
                Ok(())
            }
        }
    }
}

/// Returns an error with all its sources.
fn with_sources(error: &(dyn Error + 'static)) -> String {
    let texts = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}

impl Switchboard {
    /// Links a phone system; the link is re-established whenever it fails, until the process ends.
    ///
    /// # Errors
    /// The first attempt failed, or the process is about to end.
    pub async fn connect(&self, connector: Arc<dyn Connector>) -> Result<(), Rejection> {
        let id = connector.name().to_owned();
        let journal = self.inner.journal.clone();
        let arguments = Box::new(Linking { connector, journal, cause: Cause::Start });
        let start = |reply| Supervise::Start { id, arguments, reply };
        ask(&self.inner.connectors, START, start).await.map(drop)
    }

    /// Closes all links in an orderly way.
    pub async fn disconnect(&self) {
        let (reply, closing) = oneshot::channel();
        // Without a supervisor there are no links.
        drop(self.inner.connectors.cast(Supervise::CloseAll { reply }));
        for Closing { id, closed } in closing.await.unwrap_or_default() {
            if let Ok(Err(rejection)) = closed.await {
                tracing::warn!(connector = %id, error = %rejection, "a link did not end in order");
            }
        }
        self.inner.connectors.stop(None);
    }
}
