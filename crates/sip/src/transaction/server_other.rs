//! Server transaction of every request except INVITE and ACK: RFC 3261 §17.2.2, figure 8.
//!
//! ```text
//!   Trying ──1xx──► Proceeding ──200-699──► Completed ──J──► Terminated
//!                   repeats get the last response again in Proceeding and Completed
//! ```
//! One addition: a request that the user never answers is forgotten after timer F, when its client has given up.

use super::{Notice, ServerInput, Step, Timers, Transmission};
use crate::transaction::TimerName;

/// State of a non-INVITE server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Non-INVITE server transaction.
#[derive(Debug)]
pub(crate) struct ServerOther {
    pub(crate) state: State,
    reliable: bool,
}

impl ServerOther {
    pub(crate) fn start(timers: &Timers, reliable: bool) -> (Self, Step) {
        (Self { state: State::Trying, reliable }, Step::none().set(TimerName::Unanswered, timers.f))
    }

    pub(crate) fn handle(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match self.state {
            State::Trying | State::Proceeding => self.waiting(timers, input),
            State::Completed => match input {
                ServerInput::Request => Step::none().send(Transmission::LastResponse),
                ServerInput::Timer(TimerName::J) => self.end(),
                ServerInput::TransportFailed => Step::none().notify(Notice::TransportFailed),
                ServerInput::Ack
                | ServerInput::Provisional
                | ServerInput::Success
                | ServerInput::Failure
                | ServerInput::Timer(_) => Step::none(),
            },
            State::Terminated => Step::none(),
        }
    }

    fn waiting(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match input {
            ServerInput::Request => match self.state {
                State::Proceeding => Step::none().send(Transmission::LastResponse),
                State::Trying | State::Completed | State::Terminated => Step::none(),
            },
            ServerInput::Provisional => {
                self.state = State::Proceeding;
                Step::none().send(Transmission::Response)
            }
            ServerInput::Success | ServerInput::Failure => {
                let step = Step::clear().send(Transmission::Response);
                if self.reliable {
                    self.state = State::Terminated;
                    step.end()
                } else {
                    self.state = State::Completed;
                    step.set(TimerName::J, timers.j)
                }
            }
            ServerInput::TransportFailed => Step::none().notify(Notice::TransportFailed),
            ServerInput::Timer(TimerName::Unanswered) => {
                self.state = State::Terminated;
                Step::clear().notify(Notice::TimedOut).end()
            }
            ServerInput::Ack | ServerInput::Timer(_) => Step::none(),
        }
    }

    fn end(&mut self) -> Step {
        self.state = State::Terminated;
        Step::clear().end()
    }
}
