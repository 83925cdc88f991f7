//! A call as the conferences know it.

use super::{Audio, Conferences};
use crate::{event::Cause, id::CallId};

/// A call as conferences know it; when it is dropped, the call is in none.
#[derive(Debug)]
pub(super) struct Participant {
    conferences: Conferences,
    call: CallId,
}

impl Participant {
    pub(super) const fn new(conferences: Conferences, call: CallId) -> Self {
        Self { conferences, call }
    }

    /// Notes what the other side of the call takes part in; without audio it is in no conference.
    pub(super) fn set_audio(&self, audio: Option<Audio>, cause: &Cause) {
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
