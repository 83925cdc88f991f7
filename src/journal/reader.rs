//! A cursor on the journal: pulls events, and is woken when there are more that it wants.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::Notify;

use super::{Gone, Interest, Journal, lookup::Found};
use crate::{event::Envelope, id::Seq};

/// Reads the events it wants after a position, in order, both past and future ones.
pub struct Reader {
    journal: Journal,
    interest: Arc<Interest>,
    /// Its place among the journal's readers.
    place: usize,
    more: Arc<Notify>,
    position: Seq,
    /// Everything up to here is in `page`, has been returned, or is not wanted.
    seen: Seq,
    page: VecDeque<Arc<Envelope>>,
}

/// Waits, apart from a reader, for something to read.
#[derive(Clone, Debug)]
pub struct More(Arc<Notify>);

impl More {
    /// Waits until something that the reader wants has happened since it last found nothing to
    /// read.
    pub async fn changed(&self) {
        self.0.notified().await;
    }
}

impl Reader {
    pub(super) fn new(journal: Journal, after: Seq, interest: Interest) -> Self {
        let (place, more) = journal.enter(interest.clone());
        Self {
            journal,
            interest: Arc::new(interest),
            place,
            more,
            position: after,
            seen: after,
            page: VecDeque::new(),
        }
    }

    /// Returns the position up to which everything it wants has been returned.
    #[must_use]
    pub fn position(&self) -> Seq {
        if self.page.is_empty() { self.journal.position_of(self.place, self.seen) } else { self.position }
    }

    /// Returns a handle that tells another task when there is more. That task must be the only one
    /// that waits for this reader.
    #[must_use]
    pub fn more(&self) -> More {
        More(Arc::clone(&self.more))
    }

    /// Waits for the next event it wants; dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Gone`] if events after the position are no longer kept; the reader then continues at the
    /// oldest one kept.
    pub async fn next(&mut self) -> Result<Arc<Envelope>, Gone> {
        loop {
            if let Some(envelope) = self.try_next().await? {
                return Ok(envelope);
            }
            // An append since then has left a permit, so this returns at once.
            self.more.notified().await;
        }
    }

    /// Returns the next event it wants if there is one already; waits only for events that are not
    /// in memory.
    ///
    /// # Errors
    /// [`Gone`] if events after the position are no longer kept; the reader then continues at the
    /// oldest one kept.
    pub async fn try_next(&mut self) -> Result<Option<Arc<Envelope>>, Gone> {
        loop {
            if let Some(envelope) = self.page.pop_front() {
                self.position = envelope.seq;
                return Ok(Some(envelope));
            }
            match self.journal.look(self.place, self.seen, &self.interest) {
                Found::Nothing => return Ok(None),
                Found::Page { events, seen } => {
                    self.page = events;
                    self.seen = seen;
                }
                Found::Gone(gone) => return Err(self.skip(gone)),
                Found::OnDisk => match self.journal.stored_after(self.seen, &self.interest).await {
                    Ok((events, seen)) => {
                        self.page = events;
                        self.seen = seen;
                    }
                    Err(gone) => return Err(self.skip(gone)),
                },
            }
        }
    }

    fn skip(&mut self, gone: Gone) -> Gone {
        self.seen = Seq(gone.oldest.0.saturating_sub(1));
        self.position = self.seen;
        gone
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.journal.leave(self.place);
    }
}
