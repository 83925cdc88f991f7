//! A subscription of ours that lives in a dialog: RFC 6665. So far only REFER makes them (RFC 3515
//! §2.4.4).

use crate::message::{Event, Method};
use crate::user_agent::{Ability, BodyType, RequestId};

/// The event packages that we subscribe to.
pub(crate) const PACKAGES: [&str; 1] = ["refer"];

/// NOTIFY for our own subscriptions. Nobody can subscribe to anything here, and whether REFER is
/// allowed is up to the engine's user.
pub(crate) const ABILITY: Ability = Ability {
    methods: &[Method::Notify],
    bodies: &[BodyType { media: "message/sipfrag", purpose: "render", requests: &[Method::Notify] }],
};

/// What a subscription waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriptionTimer {
    /// Forget the subscriptions that outlived their session: their notifier had 64·T1 to end them (RFC 6665 §4.1.2, N).
    Outlived,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The event package.
    pub(crate) package: &'static str,
    /// The request that made it.
    pub(crate) request: RequestId,
    /// Tells it apart from others of its package: for `refer`, the CSeq of the REFER (RFC 3515
    /// §2.4.6).
    pub(crate) id: u32,
}

impl Subscription {
    /// Tells whether a NOTIFY with this Event is about the subscription.
    pub(crate) fn takes(&self, event: &Event) -> bool {
        // The id may be left out where there is only one subscription.
        let id = event.id();
        self.is_for(event) && id.is_none_or(|id| id == self.id.to_string())
    }

    /// Tells whether it is one of the package.
    pub(crate) fn is_for(&self, event: &Event) -> bool {
        event.package.eq_ignore_ascii_case(self.package)
    }
}
