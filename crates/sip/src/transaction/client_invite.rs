//! INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the Accepted state of RFC 6026.
//!
//! ```text
//!            INVITE sent ── A: again, doubling; B: time-out ──► Terminated
//!   Calling ──1xx──► Proceeding ──2xx──► Accepted ──M──► Terminated
//!      │ └──────2xx───────────┼────────────▲
//!      └──300-699 / ACK──► Completed ──D──► Terminated   (repeats are answered with the same ACK)
//! ```

use super::{ClientInput, Notice, Step, Timers, Transmission};
use crate::transaction::TimerName;
use std::time::Duration;

/// State of an INVITE client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Calling,
    Proceeding,
    Accepted,
    Completed,
    Terminated,
}

/// INVITE client transaction.
#[derive(Debug)]
pub(crate) struct ClientInvite {
    pub(crate) state: State,
    reliable: bool,
    interval: Duration,
}

impl ClientInvite {
    /// Starts the machine; the caller sends the INVITE.
    pub(crate) fn start(timers: &Timers, reliable: bool) -> (Self, Step) {
        let machine = Self { state: State::Calling, reliable, interval: timers.t1 };
        let step = Step::none().set(TimerName::B, timers.b);
        let step = if reliable { step } else { step.set(TimerName::A, timers.t1) };
        (machine, step)
    }

    /// Takes up an INVITE that was sent before the engine existed: nothing is sent or timed again.
    pub(crate) const fn resume(timers: &Timers, reliable: bool) -> Self {
        Self { state: State::Proceeding, reliable, interval: timers.t1 }
    }

    pub(crate) fn handle(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match self.state {
            State::Calling => self.calling(timers, input),
            State::Proceeding => self.proceeding(timers, input),
            State::Accepted => self.accepted(input),
            State::Completed => self.completed(input),
            State::Terminated => Step::none(),
        }
    }

    fn calling(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match input {
            ClientInput::Provisional => {
                self.state = State::Proceeding;
                Step::clear().notify(Notice::Response)
            }
            ClientInput::Success => self.accept(timers),
            ClientInput::Failure => self.complete(timers),
            ClientInput::TransportFailed => self.fail(Notice::TransportFailed),
            ClientInput::Timer(TimerName::A) => {
                // §17.1.1.2: the interval doubles without the T2 ceiling of other requests.
                self.interval = self.interval.saturating_mul(2);
                Step::none().send(Transmission::Request).set(TimerName::A, self.interval)
            }
            ClientInput::Timer(TimerName::B) => self.fail(Notice::TimedOut),
            ClientInput::Timer(_) => Step::none(),
        }
    }

    fn proceeding(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match input {
            ClientInput::Provisional => Step::none().notify(Notice::Response),
            ClientInput::Success => self.accept(timers),
            ClientInput::Failure => self.complete(timers),
            // A response may still arrive over another connection (§18.2.2), so losing this one
            // ends nothing.
            ClientInput::TransportFailed | ClientInput::Timer(_) => Step::none(),
        }
    }

    fn accepted(&mut self, input: ClientInput) -> Step {
        match input {
            ClientInput::Success => Step::none().notify(Notice::Response),
            ClientInput::Timer(TimerName::M) => self.end(),
            ClientInput::Provisional
            | ClientInput::Failure
            | ClientInput::TransportFailed
            | ClientInput::Timer(_) => Step::none(),
        }
    }

    fn completed(&mut self, input: ClientInput) -> Step {
        match input {
            ClientInput::Failure => Step::none().send(Transmission::Ack),
            ClientInput::TransportFailed => self.fail(Notice::TransportFailed),
            ClientInput::Timer(TimerName::D) => self.end(),
            ClientInput::Provisional | ClientInput::Success | ClientInput::Timer(_) => Step::none(),
        }
    }

    fn accept(&mut self, timers: &Timers) -> Step {
        self.state = State::Accepted;
        Step::clear().notify(Notice::Response).set(TimerName::M, timers.m)
    }

    fn complete(&mut self, timers: &Timers) -> Step {
        let step = Step::clear().send(Transmission::Ack).notify(Notice::Response);
        if self.reliable {
            self.state = State::Terminated;
            step.end()
        } else {
            self.state = State::Completed;
            step.set(TimerName::D, timers.d)
        }
    }

    fn fail(&mut self, notice: Notice) -> Step {
        self.state = State::Terminated;
        Step::clear().notify(notice).end()
    }

    fn end(&mut self) -> Step {
        self.state = State::Terminated;
        Step::clear().end()
    }
}
