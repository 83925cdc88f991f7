//! Commands for the whole process: which phones exist, and all of them at once.

use crate::{event::PhoneSpec, id::PhoneId, secret::Secret};

/// A command for the process.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeCommand {
    /// Creates a phone; one of the same name is replaced.
    AddPhone(AddPhone),
    /// Removes a phone.
    DropPhone {
        /// The phone.
        phone: PhoneId,
        /// Whether to hang up its calls first.
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
    /// Its settings.
    pub spec: PhoneSpec,
    /// Its digest password.
    pub password: Secret<String>,
}
