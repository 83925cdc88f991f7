//! What uses a dialog (RFC 5057): an INVITE session, a subscription. A dialog lives as long as its last usage.
//!
//! Each usage says by an [`Ability`](crate::user_agent::Ability) which methods and option tags it brings.

pub mod invite;
pub(crate) mod refer;
pub(crate) mod subscription;

pub use subscription::SubscriptionTimer;
pub(crate) use subscription::{PACKAGES, Subscription};

use crate::user_agent::SessionId;

/// One usage of a dialog.
#[derive(Debug)]
pub(crate) enum Usage {
    /// The session that an INVITE began.
    Invite(SessionId),
    /// A subscription of ours.
    Subscription(Subscription),
}
