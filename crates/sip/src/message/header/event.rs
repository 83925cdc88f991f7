//! Event and Subscription-State.
//!
//! RFC 6665 §8.2, §8.4.

use std::fmt;
use std::str::FromStr;

use super::{HeaderFault, token_and_params};
use crate::message::params::Params;
use crate::message::scan;

/// An event package and the id that tells subscriptions to it apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The package with its templates, such as `message-summary`.
    pub package: String,
    /// `id` and others.
    pub params: Params,
}

impl Event {
    /// Returns the `id` parameter.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.params.get("id")
    }
}

impl FromStr for Event {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (package, params) = token_and_params(text)?;
        Ok(Self { package, params })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.package, self.params)
    }
}

/// The status of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// Accepted.
    Active,
    /// Received, not yet decided.
    Pending,
    /// Over.
    Terminated,
    /// Any other word, as written.
    Other(String),
}

/// The state of a subscription with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// The state itself.
    pub status: SubscriptionStatus,
    /// `expires`, `reason`, `retry-after` and others.
    pub params: Params,
}

impl SubscriptionState {
    /// Returns the remaining lifetime in seconds.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").and_then(scan::number)
    }

    /// Returns why the subscription ended.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.params.get("reason")
    }

    /// Returns when to try again, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.params.get("retry-after").and_then(scan::number)
    }
}

impl FromStr for SubscriptionState {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let (word, params) = token_and_params(text)?;
        let status = match word.to_ascii_lowercase().as_str() {
            "active" => SubscriptionStatus::Active,
            "pending" => SubscriptionStatus::Pending,
            "terminated" => SubscriptionStatus::Terminated,
            _ => SubscriptionStatus::Other(word),
        };
        Ok(Self { status, params })
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match &self.status {
            SubscriptionStatus::Active => "active",
            SubscriptionStatus::Pending => "pending",
            SubscriptionStatus::Terminated => "terminated",
            SubscriptionStatus::Other(word) => word,
        };
        write!(f, "{word}{}", self.params)
    }
}
