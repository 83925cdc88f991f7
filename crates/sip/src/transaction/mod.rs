//! The transaction layer of RFC 3261 §17 with RFC 6026: four machines, pure state over small inputs, and around them
//! the [`Layer`] with their messages, keys and timers.
//!
//! A machine takes an input and returns a [`Step`]: what to send, what to tell the user, which timers to set.
//! The layer carries the step out and says what leaves.

mod client_invite;
mod client_other;
mod clients;
pub(crate) mod hop;
mod key;
mod layer;
mod returned;
mod room;
mod server_invite;
mod server_other;
mod servers;
#[cfg(test)]
mod tests;
mod timers;

pub(crate) use client_invite::{ClientInvite, State as ClientInviteState};
pub(crate) use client_other::{ClientOther, State as ClientOtherState};
pub(crate) use key::{ClientKey, MergeKey, ServerKey};
pub(crate) use layer::{Effect, Fired, Layer, TransactionId};
pub(crate) use returned::Returned;
pub use room::Room;
pub(crate) use server_invite::{ServerInvite, State as ServerInviteState};
pub(crate) use server_other::{ServerOther, State as ServerOtherState};
pub use timers::{TimerName, Timers};

use std::time::Duration;

/// What happens to a client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientInput {
    Provisional,
    Success,
    Failure,
    TransportFailed,
    Timer(TimerName),
}

/// What happens to a server transaction; responses come from its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerInput {
    Request,
    Ack,
    Provisional,
    Success,
    Failure,
    TransportFailed,
    Timer(TimerName),
}

/// What a machine wants sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transmission {
    /// The request again.
    Request,
    /// The ACK of a failure response (§17.1.1.3).
    Ack,
    /// The response that its user just gave.
    Response,
    /// The last response again, if there is one.
    LastResponse,
}

/// What a machine tells its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Response,
    TimedOut,
    TransportFailed,
    TryingDue,
    Acknowledged,
}

/// What one input causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) clear_timers: bool,
    pub(crate) transmission: Option<Transmission>,
    pub(crate) notice: Option<Notice>,
    pub(crate) timers: [Option<(TimerName, Duration)>; 2],
    pub(crate) terminated: bool,
}

impl Step {
    pub(crate) const fn none() -> Self {
        Self {
            clear_timers: false,
            transmission: None,
            notice: None,
            timers: [None, None],
            terminated: false,
        }
    }

    pub(crate) const fn clear() -> Self {
        Self { clear_timers: true, ..Self::none() }
    }

    pub(crate) const fn send(mut self, transmission: Transmission) -> Self {
        self.transmission = Some(transmission);
        self
    }

    pub(crate) const fn notify(mut self, notice: Notice) -> Self {
        self.notice = Some(notice);
        self
    }

    pub(crate) const fn set(mut self, timer: TimerName, after: Duration) -> Self {
        let [first, second] = self.timers;
        self.timers = match (first, second) {
            (None, _) => [Some((timer, after)), second],
            (Some(_), _) => [first, Some((timer, after))],
        };
        self
    }

    pub(crate) const fn end(mut self) -> Self {
        self.terminated = true;
        self
    }
}
