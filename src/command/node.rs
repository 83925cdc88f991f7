//! Commands for the whole process: which phones exist, all of them at once, and what concerns calls
//! of several.

use crate::{
    event::PhoneSpec,
    id::{CallId, PhoneId},
    secret::Secret,
};

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
    /// Mixes the audio of calls: the other side of each hears those of all others.
    ///
    /// The conference has exactly these calls, as far as they have audio. The conference that the
    /// first of them is in, if any is, becomes this one, and its other calls leave it; calls of
    /// another conference move, and that one goes on without them.
    Conference {
        /// The phone that all of them must belong to; `None` for calls of any phones.
        phone: Option<PhoneId>,
        /// The calls; empty means all active ones of the phone.
        calls: Vec<CallId>,
    },
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
