//! How many phones there may be: a place is reserved before the work on its phone begins, so that
//! simultaneous requests do not take the same one.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    command::{Refused, Rejection},
    id::PhoneId,
    view::Views,
};

/// Names that are about to become phones.
#[derive(Default)]
pub(super) struct Places {
    promised: Mutex<BTreeSet<PhoneId>>,
}

/// A place reserved for one name as long as this lives.
pub(super) struct Place<'a> {
    places: &'a Places,
    phone: PhoneId,
}

impl Places {
    /// Reserves a place for a phone; an existing one already has its place. Only one reservation
    /// per name at a time.
    ///
    /// # Errors
    /// `limit_reached` if all places are taken or reserved.
    pub(super) fn promise(
        &self,
        phone: &PhoneId,
        views: &Views,
        limit: usize,
    ) -> Result<Place<'_>, Rejection> {
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        if views.phone(phone).is_none() {
            let there = views.phones();
            let new = promised.iter().filter(|name| there.iter().all(|phone| phone.id != **name)).count();
            if there.len() + new >= limit {
                return Err(Refused::Phones(limit).into());
            }
        }
        promised.insert(phone.clone());
        Ok(Place { places: self, phone: phone.clone() })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.places.promised.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.phone);
    }
}
