//! A cursor on the journal: pulls, and is woken when there is more.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::{Gone, Journal};
use crate::{event::Envelope, id::Seq};

/// How many events are taken at a time: few enough to keep the journal's lock short.
const PAGE: usize = 64;

/// Reads every event after a position, in order, the past as well as what is yet to come.
pub struct Reader {
    journal: Journal,
    position: Seq,
    page: VecDeque<Arc<Envelope>>,
    more: watch::Receiver<()>,
}

impl Reader {
    pub(super) fn new(journal: Journal, after: Seq) -> Self {
        let more = journal.more();
        Self { journal, position: after, page: VecDeque::new(), more }
    }

    /// Returns the position of the last event returned.
    #[must_use]
    pub const fn position(&self) -> Seq {
        self.position
    }

    /// Waits for the next event; dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Gone`] when events after the position are no longer kept; the reader then continues at the oldest kept.
    pub async fn next(&mut self) -> Result<Arc<Envelope>, Gone> {
        loop {
            // Marked as seen before looking, so that an append in between wakes us again.
            self.more.mark_unchanged();
            if let Some(envelope) = self.try_next()? {
                return Ok(envelope);
            }
            if self.more.changed().await.is_err() {
                // The sender lives in the journal that this reader holds: it cannot be gone.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the next event if it is there already.
    ///
    /// # Errors
    /// [`Gone`] when events after the position are no longer kept; the reader then continues at the oldest kept.
    pub fn try_next(&mut self) -> Result<Option<Arc<Envelope>>, Gone> {
        if self.page.is_empty() {
            match self.journal.page(self.position, PAGE) {
                Ok(page) => self.page = page,
                Err(gone) => {
                    self.position = Seq(gone.oldest.0.saturating_sub(1));
                    return Err(gone);
                }
            }
        }
        let next = self.page.pop_front();
        if let Some(envelope) = &next {
            self.position = envelope.seq;
        }
        Ok(next)
    }
}
