//! How many phones there may be: a place is promised before the work on its phone begins, so that those who ask at once
//! do not take the same one.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    command::{Refused, Rejection},
    id::PhoneId,
    view::Views,
};

/// Names that are about to be phones.
#[derive(Default)]
pub(super) struct Places {
    promised: Mutex<BTreeSet<PhoneId>>,
}

/// A place that is kept for one name as long as this lives.
pub(super) struct Place<'a> {
    places: &'a Places,
    phone: PhoneId,
}

impl Places {
    /// Keeps a place for a phone; one that exists has its place already. One promise a name at a time.
    ///
    /// # Errors
    /// `limit_reached` when all places are taken or promised.
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
