//! The end of a call: conference and media, then recording, then the last fact.
//!
//! `call.ended` is the last fact that a call appends, so it waits until the recording is complete. For
//! everybody else the call ends at once: once the session is over, no more commands are decided.

use offhook_media::session::Fact;

use super::actor::{Shell, statistics};
use crate::event::{CallEvent, CallPhase, Cause, Event, MediaEvent};

/// The last facts of a call, while its recording is being completed.
#[derive(Debug)]
pub(super) struct Farewell {
    facts: Vec<Event>,
    cause: Cause,
}

impl Shell {
    /// Returns whether the session is over and only the recording is outstanding.
    pub(super) const fn is_leaving(&self) -> bool {
        self.farewell.is_some()
    }

    /// Ends recording and media, then appends the last facts once the recording is complete.
    pub(super) fn leave(&mut self, ended: CallEvent, cause: &Cause) {
        let mut facts = self.last_of_media(cause);
        facts.push(ended.into());
        facts.iter().for_each(|fact| self.state.apply(fact));
        self.say_farewell(facts, cause);
    }

    /// Ends recording and media of a call that stays up in the journal: the other side has not
    /// confirmed its end, so the next process tries again.
    pub(super) fn leave_open(&mut self, cause: &Cause) {
        let facts = self.last_of_media(cause);
        self.state.phase = CallPhase::Ended;
        self.say_farewell(facts, cause);
    }

    /// Closes the media and returns the facts to append once the recording is complete.
    fn last_of_media(&mut self, cause: &Cause) -> Vec<Event> {
        self.cut_info_digits(cause);
        self.leave_conference(cause);
        let mut facts = Vec::new();
        if let Some((stats, said)) = self.media.leg.close().filter(|_| self.state.media) {
            for fact in said {
                // The final statistics come with the end.
                if !matches!(fact, Fact::Statistics(_)) {
                    self.append_fact(fact, self.state.epoch, cause);
                }
            }
            facts
                .push(MediaEvent::Stopped { statistics: statistics(&stats), epoch: self.state.epoch }.into());
        }
        self.cut_waiting_digits(cause);
        self.tell_refused_facts(cause);
        // Recording may have been requested before there was media.
        self.set_recording(false, cause);
        facts
    }

    fn say_farewell(&mut self, facts: Vec<Event>, cause: &Cause) {
        self.farewell = Some(Farewell { facts, cause: cause.clone() });
        self.leave_when_recorded();
    }

    /// Appends the last facts, unless the recording is still being completed.
    pub(super) fn leave_when_recorded(&mut self) {
        if self.recorded.are_complete()
            && let Some(Farewell { facts, cause }) = self.farewell.take()
        {
            facts.into_iter().for_each(|fact| self.append(fact, &cause));
        }
    }
}
