//! Conferences: calls whose other sides hear each other.
//!
//! The table says which calls are in which conference, and each call is told what that means for
//! it. The call appends the fact and only then connects its sound (`member`).

mod member;
mod table;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ractor::ActorRef;
use tokio::sync::oneshot;

pub(super) use member::Membership;
pub(super) use table::Audio;

use self::table::{Change, Number, Seat, Table};
use super::CallMessage;
use crate::{
    command::Refused,
    event::Cause,
    id::CallId,
    media::{BridgeHandle, MediaHub},
};

/// The conferences of a process.
#[derive(Clone, Debug)]
pub(crate) struct Conferences {
    hub: Arc<MediaHub>,
    floor: Arc<Mutex<Floor>>,
}

/// What changes together, so that each call is told in the order of the decisions.
#[derive(Debug, Default)]
struct Floor {
    table: Table,
    actors: BTreeMap<CallId, ActorRef<CallMessage>>,
    bridges: BTreeMap<Number, BridgeHandle>,
}

/// A call's place in a conference, and where its sound goes.
#[derive(Clone, Debug)]
pub(crate) struct Seated {
    pub(crate) seat: Seat,
    /// `None` while the call is on hold.
    pub(crate) bridge: Option<BridgeHandle>,
}

/// A call as conferences know it; when it is dropped, the call is in none.
#[derive(Debug)]
pub(super) struct Participant {
    conferences: Conferences,
    call: CallId,
}

impl Conferences {
    pub(crate) fn new(hub: Arc<MediaHub>) -> Self {
        Self { hub, floor: Arc::default() }
    }

    /// Makes a conference of those of `calls` that have audio, and returns these once each call
    /// concerned has appended what it was told.
    ///
    /// # Errors
    /// Fewer than two have audio, or there are too many; nothing changes.
    pub(crate) async fn confer(&self, calls: &[CallId], cause: &Cause) -> Result<Vec<CallId>, Refused> {
        self.settled(calls).await;
        let (members, told) = {
            let mut floor = self.floor();
            let (members, changes) = floor.table.confer(calls)?;
            (members, self.tell(&mut floor, changes, cause))
        };
        for done in told {
            // A call that has just ended has nothing to append.
            drop(done.await);
        }
        Ok(members)
    }

    /// Waits until the calls have handled what they are at: the facts of a call are in the journal
    /// a moment before the table knows what they mean.
    async fn settled(&self, calls: &[CallId]) {
        let actors: Vec<_> = {
            let floor = self.floor();
            calls.iter().filter_map(|call| floor.actors.get(call).cloned()).collect()
        };
        for actor in actors {
            let (done, settled) = oneshot::channel();
            // A call that has just ended has nothing to settle.
            drop(actor.cast(CallMessage::Settle { done }));
            drop(settled.await);
        }
    }

    fn enter(&self, call: CallId, actor: ActorRef<CallMessage>) -> Participant {
        self.floor().actors.insert(call, actor);
        Participant { conferences: self.clone(), call }
    }

    /// Tells calls what has changed for them; each answers when it has appended it.
    fn tell(&self, floor: &mut Floor, changes: Vec<Change>, cause: &Cause) -> Vec<oneshot::Receiver<()>> {
        let Floor { table, actors, bridges } = floor;
        let mut told = Vec::new();
        for Change { call, place } in changes {
            let seated = place.map(|place| {
                let bridge = bridges.entry(place.conference).or_insert_with(|| self.hub.bridge());
                Seated { seat: place.seat, bridge: place.connected.then(|| bridge.clone()) }
            });
            if let Some(actor) = actors.get(&call) {
                let (done, appended) = oneshot::channel();
                // A call that has just ended is told nothing more.
                drop(actor.cast(CallMessage::Seated { seated, cause: cause.clone(), done }));
                told.push(appended);
            }
        }
        bridges.retain(|conference, _| table.goes_on(*conference));
        told
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        // The table is whole after each of its steps.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Participant {
    /// Notes what the other side of the call takes part in; without audio it is in no conference.
    fn set_audio(&self, audio: Option<Audio>, cause: &Cause) {
        let mut floor = self.conferences.floor();
        let changes = floor.table.set_audio(self.call, audio);
        // Nobody waits for these.
        drop(self.conferences.tell(&mut floor, changes, cause));
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        // A call that ended in order has said so before.
        self.set_audio(None, &Cause::Failure);
        self.conferences.floor().actors.remove(&self.call);
    }
}
