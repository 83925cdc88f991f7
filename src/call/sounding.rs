//! What a call does to its sound: never before the fact of it is in the journal, and on its disk if it has one.
//!
//! The actor does not wait for a disk. What is decided waits here in order, and a message to the call says that the disk
//! has the oldest fact that something waits for. A disk that hangs delays each by a second at most, as it does messages.

use std::{collections::VecDeque, time::Duration};

use offhook_media::{dtmf::DigitMethod, session::Source};
use tokio::time::timeout;

use super::{CallMessage, actor::Shell};
use crate::{
    event::{Cause, MediaEvent},
    id::Seq,
};

/// Length of one digit; what users of per-phone tools know.
pub(super) const DIGIT: Duration = Duration::from_millis(200);
/// Pause between two digits: longer than the 40 ms that receivers must tell apart (ITU-T Q.24).
const DIGIT_GAP: Duration = Duration::from_millis(100);
/// How long a sound waits for a disk that says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// A decided change of what is sent.
#[derive(Debug)]
pub(super) enum Sounding {
    /// A sound begins.
    Play(Source),
    /// It stops.
    Stop,
    /// Digits are sent.
    Digits {
        /// Which.
        digits: String,
        /// Length of one; none means [`DIGIT`].
        duration: Option<Duration>,
    },
}

/// What is decided and waits for its fact to be on disk.
#[derive(Debug, Default)]
pub(super) struct Soundings {
    waiting: VecDeque<(Seq, Sounding)>,
}

impl Shell {
    /// Does what was decided as soon as the journal, which holds the fact, will not lose it.
    pub(super) fn sound(&mut self, sounding: Sounding) {
        if !self.journal.is_on_disk() {
            return self.sound_now(sounding);
        }
        self.soundings.waiting.push_back((self.journal.head(), sounding));
        if self.soundings.waiting.len() == 1 {
            self.await_disk();
        }
    }

    /// The disk has the oldest fact, or has had its time.
    pub(super) fn disk_has_it(&mut self) {
        let Some((_, sounding)) = self.soundings.waiting.pop_front() else { return };
        self.sound_now(sounding);
        while self.soundings.waiting.front().is_some_and(|(after, _)| self.journal.is_settled(*after)) {
            let next = self.soundings.waiting.pop_front();
            next.into_iter().for_each(|(_, sounding)| self.sound_now(sounding));
        }
        if !self.soundings.waiting.is_empty() {
            self.await_disk();
        }
    }

    fn await_disk(&self) {
        let Some(after) = self.soundings.waiting.front().map(|(after, _)| *after) else { return };
        let (me, journal) = (self.me.clone(), self.journal.clone());
        tokio::spawn(async move {
            if timeout(PATIENCE, journal.settled(after)).await.is_err() {
                tracing::warn!(%after, "the disk hangs: sound begins before the journal holds its fact");
            }
            // A call that is over has nothing to sound.
            drop(me.cast(CallMessage::DiskHasIt));
        });
    }

    fn sound_now(&mut self, sounding: Sounding) {
        match sounding {
            Sounding::Play(source) => drop(self.media.leg.session(|session, _| session.play(source))),
            Sounding::Stop => drop(self.media.leg.session(|session, _| session.stop())),
            Sounding::Digits { digits, duration } => {
                let (method, duration) = (DigitMethod::Rfc4733, duration.unwrap_or(DIGIT));
                let queued = self
                    .media
                    .leg
                    .session(|session, _| session.send_digits(method, &digits, duration, DIGIT_GAP));
                // They could be sent when it was decided; a new description may have come between.
                if let Some(Err(error)) = queued {
                    tracing::warn!(call = %self.id, digits, %error, "digits are not sent");
                    self.append(MediaEvent::DigitsCut { digits, epoch: self.state.epoch }, &Cause::Media);
                }
            }
        }
    }
}
