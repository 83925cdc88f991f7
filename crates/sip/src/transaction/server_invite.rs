//! INVITE server transaction: RFC 3261 §17.2.1, figure 7, with the Accepted state of RFC 6026.
//!
//! ```text
//!   Proceeding ──2xx──► Accepted ──L──► Terminated        (repeats absorbed; the user repeats its 2xx)
//!       └──300-699──► Completed ──ACK──► Confirmed ──I──► Terminated
//!                      G: response again; H: no ACK ──► Terminated
//! ```

use super::{Notice, ServerInput, Step, Timers, Transmission};
use crate::transaction::TimerName;
use std::time::Duration;

/// State of an INVITE server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

/// INVITE server transaction.
#[derive(Debug)]
pub(crate) struct ServerInvite {
    pub(crate) state: State,
    reliable: bool,
    interval: Duration,
    /// The ACK of the 2xx has come: the response arrived, whatever becomes of its path.
    acknowledged: bool,
}

impl ServerInvite {
    /// Starts the machine; 100 Trying is due after a silence unless the user answers first.
    pub(crate) fn start(timers: &Timers, reliable: bool) -> (Self, Step) {
        let machine = Self { state: State::Proceeding, reliable, interval: timers.t1, acknowledged: false };
        let step = if timers.trying.is_zero() {
            Step::none().notify(Notice::TryingDue)
        } else {
            Step::none().set(TimerName::Trying, timers.trying)
        };
        (machine, step)
    }

    pub(crate) fn handle(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match self.state {
            State::Proceeding => self.proceeding(timers, input),
            State::Completed => self.completed(timers, input),
            State::Confirmed => match input {
                ServerInput::Timer(TimerName::I) => self.end(),
                ServerInput::TransportFailed
                | ServerInput::Request
                | ServerInput::Ack
                | ServerInput::Provisional
                | ServerInput::Success
                | ServerInput::Failure
                | ServerInput::Timer(_) => Step::none(),
            },
            State::Accepted => match input {
                ServerInput::Success => Step::none().send(Transmission::Response),
                ServerInput::Ack => {
                    self.acknowledged = true;
                    Step::none().notify(Notice::Acknowledged)
                }
                ServerInput::TransportFailed if !self.acknowledged => {
                    Step::none().notify(Notice::TransportFailed)
                }
                ServerInput::Timer(TimerName::L) => self.end(),
                ServerInput::TransportFailed
                | ServerInput::Request
                | ServerInput::Provisional
                | ServerInput::Failure
                | ServerInput::Timer(_) => Step::none(),
            },
            State::Terminated => Step::none(),
        }
    }

    fn proceeding(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match input {
            ServerInput::Request => Step::none().send(Transmission::LastResponse),
            ServerInput::Provisional => Step::clear().send(Transmission::Response),
            ServerInput::Success => {
                self.state = State::Accepted;
                Step::clear().send(Transmission::Response).set(TimerName::L, timers.l)
            }
            ServerInput::Failure => {
                self.state = State::Completed;
                let step = Step::clear().send(Transmission::Response).set(TimerName::H, timers.h);
                if self.reliable { step } else { step.set(TimerName::G, timers.t1) }
            }
            ServerInput::Timer(TimerName::Trying) => Step::none().notify(Notice::TryingDue),
            // RFC 6026 §7.1: the user is told and the machine stays where it is.
            ServerInput::TransportFailed => Step::none().notify(Notice::TransportFailed),
            ServerInput::Ack | ServerInput::Timer(_) => Step::none(),
        }
    }

    fn completed(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match input {
            ServerInput::Request => Step::none().send(Transmission::LastResponse),
            ServerInput::Ack => {
                if self.reliable {
                    return self.end();
                }
                self.state = State::Confirmed;
                Step::clear().set(TimerName::I, timers.t4)
            }
            ServerInput::Timer(TimerName::G) => {
                self.interval = self.interval.saturating_mul(2).min(timers.t2);
                Step::none().send(Transmission::LastResponse).set(TimerName::G, self.interval)
            }
            ServerInput::Timer(TimerName::H) => {
                self.state = State::Terminated;
                Step::clear().notify(Notice::TimedOut).end()
            }
            ServerInput::TransportFailed => Step::none().notify(Notice::TransportFailed),
            ServerInput::Provisional
            | ServerInput::Success
            | ServerInput::Failure
            | ServerInput::Timer(_) => Step::none(),
        }
    }

    fn end(&mut self) -> Step {
        self.state = State::Terminated;
        Step::clear().end()
    }
}
