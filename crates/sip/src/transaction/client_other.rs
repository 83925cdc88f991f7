//! Client transaction of every request except INVITE and ACK: RFC 3261 §17.1.2, figure 6.
//!
//! ```text
//!   Trying ──1xx──► Proceeding ──200-699──► Completed ──K──► Terminated
//!     E: again, doubling up to T2; E: again every T2; F: time-out in both
//! ```

use super::{ClientInput, Notice, Step, Timers, Transmission};
use crate::transaction::TimerName;
use std::time::Duration;

/// State of a non-INVITE client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Non-INVITE client transaction.
#[derive(Debug)]
pub(crate) struct ClientOther {
    pub(crate) state: State,
    reliable: bool,
    interval: Duration,
}

impl ClientOther {
    /// Starts the machine; the caller sends the request.
    pub(crate) fn start(timers: &Timers, reliable: bool) -> (Self, Step) {
        let machine = Self { state: State::Trying, reliable, interval: timers.t1 };
        let step = Step::none().set(TimerName::F, timers.f);
        let step = if reliable { step } else { step.set(TimerName::E, timers.t1) };
        (machine, step)
    }

    pub(crate) fn handle(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match self.state {
            State::Trying | State::Proceeding => self.waiting(timers, input),
            State::Completed => match input {
                ClientInput::Timer(TimerName::K) => {
                    self.state = State::Terminated;
                    Step::clear().end()
                }
                ClientInput::Provisional
                | ClientInput::Success
                | ClientInput::Failure
                | ClientInput::TransportFailed
                | ClientInput::Timer(_) => Step::none(),
            },
            State::Terminated => Step::none(),
        }
    }

    fn waiting(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match input {
            ClientInput::Provisional => {
                self.state = State::Proceeding;
                Step::none().notify(Notice::Response)
            }
            ClientInput::Success | ClientInput::Failure => self.complete(timers),
            ClientInput::TransportFailed => self.fail(Notice::TransportFailed),
            ClientInput::Timer(TimerName::E) => {
                self.interval = match self.state {
                    State::Trying => self.interval.saturating_mul(2).min(timers.t2),
                    State::Proceeding | State::Completed | State::Terminated => timers.t2,
                };
                Step::none().send(Transmission::Request).set(TimerName::E, self.interval)
            }
            ClientInput::Timer(TimerName::F) => self.fail(Notice::TimedOut),
            ClientInput::Timer(_) => Step::none(),
        }
    }

    fn complete(&mut self, timers: &Timers) -> Step {
        let step = Step::clear().notify(Notice::Response);
        if self.reliable {
            self.state = State::Terminated;
            step.end()
        } else {
            self.state = State::Completed;
            step.set(TimerName::K, timers.t4)
        }
    }

    fn fail(&mut self, notice: Notice) -> Step {
        self.state = State::Terminated;
        Step::clear().notify(notice).end()
    }
}
