//! A rejected command: the code that programs branch on, the reason, and what would have worked.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CommandKind, Refused};

/// The closed list of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The phone, call or file does not exist.
    NotFound,
    /// It exists, but not in a state that allows this.
    WrongState,
    /// An argument makes no sense.
    InvalidArgument,
    /// The phone has no binding and this needs one.
    NotRegistered,
    /// The other side refused.
    PeerRejected,
    /// Nobody answered in time.
    TimedOut,
    /// A bound of ours was reached.
    LimitReached,
    /// A resource that is needed is missing: port, file, connection.
    Unavailable,
}

impl Code {
    /// Returns the wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::WrongState => "wrong_state",
            Self::InvalidArgument => "invalid_argument",
            Self::NotRegistered => "not_registered",
            Self::PeerRejected => "peer_rejected",
            Self::TimedOut => "timed_out",
            Self::LimitReached => "limit_reached",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rejected command: a code to branch on, the reason, and what would have worked.
///
/// Its `Display` is a sentence for logs and reports; a surface with words of its own builds its
/// sentence from `what`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Rejection {
    /// The code to branch on.
    pub code: Code,
    /// The reason.
    pub what: Refused,
    /// Commands that are legal in the current state.
    pub legal: Vec<CommandKind>,
}

impl From<Refused> for Rejection {
    fn from(what: Refused) -> Self {
        Self { code: what.code(), what, legal: Vec::new() }
    }
}

impl Rejection {
    /// Adds what would have worked.
    #[must_use]
    pub fn or_try(mut self, legal: impl Into<Vec<CommandKind>>) -> Self {
        self.legal = legal.into();
        self
    }
}
