//! Why a command was refused, for programs and for people.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// A refused command: a code to branch on, a sentence to read, and what would have worked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Rejection {
    /// What to branch on.
    pub code: Code,
    /// What to read.
    pub sentence: String,
    /// Actions that are legal in the current state, as tool names.
    pub legal: Vec<&'static str>,
}

impl Rejection {
    /// Makes a rejection without a list of legal actions.
    #[must_use]
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), legal: Vec::new() }
    }

    /// Adds what would have worked.
    #[must_use]
    pub fn or_try(mut self, legal: &[&'static str]) -> Self {
        self.legal = legal.to_vec();
        self
    }
}
