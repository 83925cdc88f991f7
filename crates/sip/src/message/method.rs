//! Request methods.
//!
//! RFC 3261 §7.1 and the extensions the project speaks (RFC 3262, 3311, 3428, 3515, 3903, 6086, 6665).
//! Methods are case-sensitive: `invite` is an extension method, not INVITE.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Names what a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Offers a session (RFC 3261 §13).
    Invite,
    /// Confirms a final response to INVITE (RFC 3261 §13, §17).
    Ack,
    /// Ends a session (RFC 3261 §15).
    Bye,
    /// Withdraws a pending INVITE (RFC 3261 §9).
    Cancel,
    /// Binds an address of record to contacts (RFC 3261 §10).
    Register,
    /// Asks for capabilities (RFC 3261 §11).
    Options,
    /// Carries an instant message (RFC 3428).
    Message,
    /// Carries application information inside a dialog (RFC 6086).
    Info,
    /// Asks the peer to contact a third party (RFC 3515).
    Refer,
    /// Reports the state of a subscription (RFC 6665).
    Notify,
    /// Asks for notifications (RFC 6665).
    Subscribe,
    /// Publishes event state (RFC 3903).
    Publish,
    /// Acknowledges a reliable provisional response (RFC 3262).
    Prack,
    /// Changes session parameters without a re-INVITE (RFC 3311).
    Update,
    /// Any other method, exactly as written.
    Extension(Arc<str>),
}

impl Method {
    /// Every method that has a variant of its own.
    pub const KNOWN: [Self; 14] = [
        Self::Invite,
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Register,
        Self::Options,
        Self::Message,
        Self::Info,
        Self::Refer,
        Self::Notify,
        Self::Subscribe,
        Self::Publish,
        Self::Prack,
        Self::Update,
    ];

    /// Returns the method that `text` names; an unknown one becomes an extension.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "REGISTER" => Self::Register,
            "OPTIONS" => Self::Options,
            "MESSAGE" => Self::Message,
            "INFO" => Self::Info,
            "REFER" => Self::Refer,
            "NOTIFY" => Self::Notify,
            "SUBSCRIBE" => Self::Subscribe,
            "PUBLISH" => Self::Publish,
            "PRACK" => Self::Prack,
            "UPDATE" => Self::Update,
            other => Self::Extension(Arc::from(other)),
        }
    }

    /// Returns the method as it is written on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Message => "MESSAGE",
            Self::Info => "INFO",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Extension(name) => name,
        }
    }

    /// Returns whether the project has no variant for this method.
    #[must_use]
    pub fn is_extension(&self) -> bool {
        matches!(self, Self::Extension(_))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Method {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from_text(text))
    }
}
