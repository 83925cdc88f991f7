//! Changes of the sound a call sends: never made before their fact is in the journal, and on disk
//! if the journal is.
//!
//! The actor does not wait for a disk. Decided changes wait here in order, and a message tells the
//! call when the fact of the oldest one is on disk. A disk that hangs delays each change by one
//! second at most, as it does messages.

use std::{collections::VecDeque, time::Duration};

use offhook_media::{dtmf::DigitMethod, session::Source};
use tokio::time::{Instant, timeout_at};

use super::{CallMessage, actor::Shell};
use crate::{
    event::{Cause, MediaEvent},
    id::Seq,
    media::BridgeHandle,
};

/// Length of one digit; users of the per-phone tools see it.
pub(super) const DIGIT: Duration = Duration::from_millis(200);
/// Pause between two digits: longer than the 40 ms that receivers must be able to tell apart (ITU-T
/// Q.24).
const DIGIT_GAP: Duration = Duration::from_millis(100);
/// How long a change waits for a disk that does not respond.
const PATIENCE: Duration = Duration::from_secs(1);

/// A decided change of what is sent.
#[derive(Debug)]
pub(super) enum Sounding {
    /// A sound starts.
    Play {
        /// The audio.
        source: Source,
        /// Its name as users know it.
        name: String,
    },
    /// The sound stops.
    Stop,
    /// Digits are sent.
    Digits {
        /// The digits.
        digits: String,
        /// Length of one digit; `None` means [`DIGIT`].
        duration: Option<Duration>,
    },
    /// The others of a conference are heard besides, or `None` any more.
    Mixed(Option<BridgeHandle>),
}

/// Decided changes whose facts are not on disk yet.
#[derive(Debug, Default)]
pub(super) struct Soundings {
    waiting: VecDeque<Waiting>,
    /// The sound the session is playing; another may already have been decided.
    audible: Option<String>,
}

/// One waiting change.
#[derive(Debug)]
struct Waiting {
    /// The newest fact that must be on disk first.
    after: Seq,
    /// When to stop waiting for the disk.
    until: Instant,
    sounding: Sounding,
}

impl Shell {
    /// Makes a decided change as soon as its fact, already in the journal, cannot be lost.
    pub(super) fn sound(&mut self, sounding: Sounding) {
        if !self.journal.is_on_disk() {
            return self.sound_now(sounding);
        }
        let until = Instant::now() + PATIENCE;
        self.soundings.waiting.push_back(Waiting { after: self.journal.head(), until, sounding });
        if self.soundings.waiting.len() == 1 {
            self.await_disk();
        }
    }

    /// Makes the oldest change: its fact is on disk, or has been waited for long enough.
    pub(super) fn disk_has_it(&mut self) {
        let Some(first) = self.soundings.waiting.pop_front() else { return };
        self.sound_now(first.sounding);
        // The changes behind it have been waiting as well: each waits a second at most, not one
        // after the other.
        let is_due = |next: &Waiting| next.until <= Instant::now() || self.journal.is_settled(next.after);
        let due = self.soundings.waiting.iter().take_while(|next| is_due(next)).count();
        let due: Vec<_> = self.soundings.waiting.drain(..due).collect();
        due.into_iter().for_each(|next| self.sound_now(next.sounding));
        if !self.soundings.waiting.is_empty() {
            self.await_disk();
        }
    }

    /// Takes the name of the sound that has just run out; `None` if its end is already in the
    /// journal, because another sound was decided in its place.
    pub(super) fn run_out(&mut self) -> Option<String> {
        let name = self.soundings.audible.take();
        let replaced = |waiting: &Waiting| matches!(waiting.sounding, Sounding::Play { .. } | Sounding::Stop);
        name.filter(|_| !self.soundings.waiting.iter().any(replaced))
    }

    /// Gives up the digits that wait, because the call is over.
    pub(super) fn cut_waiting_digits(&mut self, cause: &Cause) {
        for waiting in std::mem::take(&mut self.soundings.waiting) {
            if let Sounding::Digits { digits, .. } = waiting.sounding {
                self.append(MediaEvent::DigitsCut { digits, epoch: self.state.epoch }, cause);
            }
        }
    }

    fn await_disk(&self) {
        let Some(&Waiting { after, until, .. }) = self.soundings.waiting.front() else { return };
        let (me, journal) = (self.me.clone(), self.journal.clone());
        tokio::spawn(async move {
            if timeout_at(until, journal.settled(after)).await.is_err() {
                tracing::warn!(%after, "the disk hangs: sound begins before the journal holds its fact");
            }
            // A call that is over has no sound to change.
            drop(me.cast(CallMessage::DiskHasIt));
        });
    }

    fn sound_now(&mut self, sounding: Sounding) {
        match sounding {
            Sounding::Play { source, name } => {
                self.soundings.audible = Some(name);
                self.media.leg.session(|session, _| session.play(source));
            }
            Sounding::Stop => {
                self.soundings.audible = None;
                self.media.leg.session(|session, _| session.stop());
            }
            Sounding::Mixed(mix) => self.mix(mix),
            Sounding::Digits { digits, duration } => {
                let (method, duration) = (DigitMethod::Rfc4733, duration.unwrap_or(DIGIT));
                let queued = self
                    .media
                    .leg
                    .session(|session, _| session.send_digits(method, &digits, duration, DIGIT_GAP));
                // They could be sent when that was decided; a new description may have come since.
                if let Some(Err(error)) = queued {
                    tracing::warn!(call = %self.id, digits, %error, "digits are not sent");
                    self.append(MediaEvent::DigitsCut { digits, epoch: self.state.epoch }, &Cause::Media);
                }
            }
        }
    }
}
