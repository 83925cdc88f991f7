//! Serializes changes to phones of the same name, in the order in which they were requested.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

use crate::id::PhoneId;

/// Whose turn it is, by name; has only names that somebody holds or waits for.
#[derive(Default)]
pub(super) struct Turns {
    names: Mutex<HashMap<PhoneId, Weak<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits until everybody who asked for this name earlier is done; the turn lasts as long as the
    /// guard.
    pub(super) async fn take(&self, phone: &PhoneId) -> OwnedMutexGuard<()> {
        let turn = self.turn(phone);
        turn.lock_owned().await
    }

    fn turn(&self, phone: &PhoneId) -> Arc<tokio::sync::Mutex<()>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, turn| turn.strong_count() > 0);
        let turn = names.get(phone).and_then(Weak::upgrade).unwrap_or_default();
        names.insert(phone.clone(), Arc::downgrade(&turn));
        turn
    }
}
