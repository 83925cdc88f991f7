//! Which actor is which child; the supervisor maintains it, the switchboard reads it.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use ractor::{ActorId, ActorRef};

use super::supervisor::Supervised;

type Actors<C> = BTreeMap<<C as Supervised>::Id, ActorRef<<C as Supervised>::Message>>;

/// The actors of the children that are up; shared by clones.
pub(super) struct Directory<C: Supervised> {
    actors: Arc<RwLock<Actors<C>>>,
}

impl<C: Supervised> Clone for Directory<C> {
    fn clone(&self) -> Self {
        Self { actors: Arc::clone(&self.actors) }
    }
}

impl<C: Supervised> Default for Directory<C> {
    fn default() -> Self {
        Self { actors: Arc::default() }
    }
}

impl<C: Supervised> Directory<C> {
    pub(super) fn get(&self, id: &C::Id) -> Option<ActorRef<C::Message>> {
        self.actors.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<C::Id> {
        self.actors.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(super) fn enter(&self, id: C::Id, actor: ActorRef<C::Message>) {
        self.actors.write().unwrap_or_else(PoisonError::into_inner).insert(id, actor);
    }

    /// Removes a child if it is still this actor.
    pub(super) fn remove(&self, actor: ActorId) {
        self.actors
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, known| known.get_id() != actor);
    }
}
