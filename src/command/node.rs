//! What can be asked of the whole process: which phones there are, and all of them at once.

use crate::{event::PhoneSpec, id::PhoneId, secret::Secret};

/// A request to the process.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeCommand {
    /// Creates a phone; one of the same name is replaced.
    AddPhone(AddPhone),
    /// Removes a phone.
    DropPhone {
        /// Which.
        phone: PhoneId,
        /// Whether its calls are ended on the wire first.
        hang_up: bool,
    },
    /// Ends every call of every phone.
    HangUpAll,
}

/// A new phone and its password.
#[derive(Clone, Debug, PartialEq)]
pub struct AddPhone {
    /// The phone's name.
    pub phone: PhoneId,
    /// What it is.
    pub spec: PhoneSpec,
    /// Its digest password.
    pub password: Secret<String>,
}
