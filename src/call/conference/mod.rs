//! Conferences: calls whose other sides hear each other.
//!
//! The table says which calls are in which conference, and each call is told what that means for
//! it. The call appends the fact and only then connects its sound (`member`).

mod member;
mod participant;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ractor::ActorRef;
use tokio::sync::oneshot;

pub(super) use member::Membership;
use participant::Participant;
pub(super) use table::Audio;

pub(crate) use self::table::Seat;
use self::table::{Change, MOST, Number, Table};
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

impl Conferences {
    pub(crate) fn new(hub: Arc<MediaHub>) -> Self {
        Self { hub, floor: Arc::default() }
    }

    /// Makes a conference of those of `calls` that have audio, and returns these once each call
    /// concerned has appended what it was told.
    ///
    /// # Errors
    /// Fewer than two have audio, or there are too many, and nothing changes; or all but one ended
    /// before they could take part.
    pub(crate) async fn confer(&self, calls: &[CallId], cause: &Cause) -> Result<Vec<CallId>, Refused> {
        let mut named = BTreeSet::new();
        let calls: Vec<CallId> = calls.iter().copied().filter(|call| named.insert(*call)).collect();
        if calls.len() > MOST {
            return Err(Refused::ConferenceFull(MOST));
        }
        self.settled(&calls).await;
        let (mut members, told) = {
            let mut floor = self.floor();
            let (members, changes) = floor.table.confer(&calls)?;
            (members, self.tell(&mut floor, changes, cause))
        };
        for (call, done) in told {
            // A call that has just ended takes no part. Who was told nothing has its place already.
            if !done.await.unwrap_or(false) {
                members.retain(|member| *member != call);
            }
        }
        if members.len() < 2 { Err(Refused::TooFewToConfer(None)) } else { Ok(members) }
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
        Participant::new(self.clone(), call)
    }

    /// Tells calls what has changed for them; each answers whether it has the place, when it has
    /// appended that.
    fn tell(
        &self,
        floor: &mut Floor,
        changes: Vec<Change>,
        cause: &Cause,
    ) -> Vec<(CallId, oneshot::Receiver<bool>)> {
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
                told.push((call, appended));
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
