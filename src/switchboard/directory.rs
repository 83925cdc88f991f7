//! Which actor is which phone; the root keeps it, the switchboard reads it.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use ractor::{ActorId, ActorRef};

use crate::{id::PhoneId, phone::PhoneMessage};

/// Addresses of the phones that are up; clones share it.
#[derive(Clone, Default)]
pub(super) struct Directory {
    phones: Arc<RwLock<BTreeMap<PhoneId, ActorRef<PhoneMessage>>>>,
}

impl Directory {
    pub(super) fn get(&self, phone: &PhoneId) -> Option<ActorRef<PhoneMessage>> {
        self.phones.read().unwrap_or_else(PoisonError::into_inner).get(phone).cloned()
    }

    pub(super) fn all(&self) -> Vec<PhoneId> {
        self.phones.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(super) fn enter(&self, phone: PhoneId, actor: ActorRef<PhoneMessage>) {
        self.phones.write().unwrap_or_else(PoisonError::into_inner).insert(phone, actor);
    }

    /// Removes a phone if it is still this actor, and returns its name.
    pub(super) fn remove(&self, actor: ActorId) -> Option<PhoneId> {
        let mut phones = self.phones.write().unwrap_or_else(PoisonError::into_inner);
        let phone = phones.iter().find(|(_, known)| known.get_id() == actor).map(|(id, _)| id.clone())?;
        phones.remove(&phone);
        Some(phone)
    }
}
