//! Digits by INFO: one request at a time, so that the digits arrive in order.
//!
//! The other side refuses a request that overtakes its predecessor with 500 (RFC 3261 §12.2.2),
//! hence the queue.

use std::{collections::VecDeque, time::Duration};

use super::{Request, actor::Shell};
use crate::{
    command::{Refused, Rejection},
    event::{Cause, MediaEvent},
};

/// Most digits that may wait: each must be answered before the next is sent, and an answer can take
/// a minute.
pub(super) const MOST_WAITING: usize = 256;

/// Digits still to be sent. While there is a batch, exactly one digit is under way.
#[derive(Debug, Default)]
pub(super) struct InfoDigits {
    batches: VecDeque<Batch>,
}

/// The digits of one command.
#[derive(Debug)]
struct Batch {
    digits: String,
    left: VecDeque<char>,
    duration: Duration,
}

impl Shell {
    /// Checks that this many more digits may wait.
    pub(super) fn check_info_digits(&self, digits: &str) -> Result<(), Rejection> {
        let waiting: usize = self.info.batches.iter().map(|batch| batch.left.len()).sum();
        match waiting + digits.len() > MOST_WAITING {
            true => Err(Refused::DigitsWaiting(MOST_WAITING).into()),
            false => Ok(()),
        }
    }

    /// Queues digits behind those already under way.
    pub(super) fn send_digits_by_info(&mut self, digits: &str, duration: Duration, cause: &Cause) {
        let digits = digits.to_ascii_uppercase();
        let idle = self.info.batches.is_empty();
        self.info.batches.push_back(Batch { left: digits.chars().collect(), digits, duration });
        if idle {
            self.send_next_digit(cause);
        }
    }

    /// Continues after the digit under way; a refusal drops the rest of its command.
    pub(super) fn info_done(&mut self, accepted: bool, cause: &Cause) {
        let Some(batch) = self.info.batches.front() else { return };
        if accepted && !batch.left.is_empty() {
            return self.send_next_digit(cause);
        }
        let Some(Batch { digits, .. }) = self.info.batches.pop_front() else { return };
        let fact = match accepted {
            true => MediaEvent::DigitsFinished { digits, epoch: self.state.epoch },
            false => MediaEvent::DigitsCut { digits, epoch: self.state.epoch },
        };
        self.append(fact, cause);
        self.send_next_digit(cause);
    }

    fn send_next_digit(&mut self, cause: &Cause) {
        let Some(batch) = self.info.batches.front_mut() else { return };
        let Some(digit) = batch.left.pop_front() else { return };
        let body = format!("Signal={digit}\r\nDuration={}\r\n", batch.duration.as_millis());
        self.ask(Request::Info { content_type: "application/dtmf-relay", body }, cause);
    }

    /// Gives up the remaining digits, because the call is over.
    pub(super) fn cut_info_digits(&mut self, cause: &Cause) {
        for Batch { digits, .. } in std::mem::take(&mut self.info.batches) {
            self.append(MediaEvent::DigitsCut { digits, epoch: self.state.epoch }, cause);
        }
    }
}
