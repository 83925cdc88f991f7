//! Digest authentication: RFC 2617, 7616, 8760 and RFC 3261 §22, client and server side.
//!
//! Leaves out Basic, and `auth-int` where the body is unknown. Nothing here prints a password.

mod challenger;
pub mod digest;
mod wallet;

pub use challenger::{Challenger, Secret, Verdict};
pub(crate) use wallet::{Attempts, Wallet};

use std::fmt;

/// Name and password for digest authentication; `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Authentication user.
    pub username: String,
    /// Password.
    pub password: String,
    /// Realm it is meant for; `None` answers every realm.
    pub realm: Option<String>,
}

impl Credentials {
    /// Returns credentials that answer every realm.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), realm: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &"***")
            .field("realm", &self.realm)
            .finish()
    }
}
