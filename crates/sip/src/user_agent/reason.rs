//! Why the engine wakes: every timer by its owner.

use super::event::{RegistrationId, SessionId};
use crate::dialog::DialogSetId;
use crate::registration::RegistrationTimer;
use crate::transaction::TimerName;
use crate::usage::SubscriptionTimer;
use crate::usage::invite::InviteTimer;
use std::ops::RangeInclusive;

/// Why the engine wants to be woken at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A timer of a transaction.
    Transaction(TimerName),
    /// A timer of a session.
    Invite(InviteTimer),
    /// A timer of a subscription.
    Subscription(SubscriptionTimer),
    /// A timer of a registration.
    Registration(RegistrationTimer),
    /// Give up waiting for the final response to an INVITE of an earlier process, which was canceled (§9.1).
    Recovery,
}

/// A deadline outside the transactions: whose, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    Invite(SessionId, InviteTimer),
    Subscription(DialogSetId, SubscriptionTimer),
    Registration(RegistrationId, RegistrationTimer),
    Recovery(u64),
}

impl Deadline {
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Invite(_, timer) => Reason::Invite(timer),
            Self::Subscription(_, timer) => Reason::Subscription(timer),
            Self::Registration(_, timer) => Reason::Registration(timer),
            Self::Recovery(_) => Reason::Recovery,
        }
    }

    /// Returns all deadlines that a session may have.
    pub(crate) const fn of_session(id: SessionId) -> RangeInclusive<Self> {
        Self::Invite(id, InviteTimer::FIRST)..=Self::Invite(id, InviteTimer::LAST)
    }

    /// Returns all deadlines that a registration may have.
    pub(crate) const fn of_registration(id: RegistrationId) -> RangeInclusive<Self> {
        Self::Registration(id, RegistrationTimer::FIRST)..=Self::Registration(id, RegistrationTimer::LAST)
    }
}
