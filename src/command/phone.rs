//! Commands for an existing phone.

use std::collections::BTreeMap;

use super::{CommandKind, Refused};
use crate::secret::Secret;

/// A command for a phone.
#[derive(Clone, Debug, PartialEq)]
pub enum PhoneCommand {
    /// Changes its settings.
    Update(PhoneChanges),
    /// Sends a REGISTER now; the outcome comes when the registrar has answered or the wait is over.
    Register,
    /// Removes the binding.
    Unregister,
    /// Places a call; the outcome names the new call and comes at once.
    PlaceCall {
        /// Full SIP URI, or a bare extension at the phone's domain.
        target: String,
        /// Extra headers of the INVITE.
        headers: BTreeMap<String, String>,
    },
    /// Ends every call of the phone.
    HangUpAll,
    /// Sends a MESSAGE outside any dialog.
    SendMessage {
        /// Full SIP URI, or a bare extension at the phone's domain.
        to: String,
        /// The body.
        body: String,
        /// Media type.
        content_type: String,
    },
}

impl PhoneCommand {
    /// Returns which command it is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Update(_) => CommandKind::UpdatePhone,
            Self::Register => CommandKind::Register,
            Self::Unregister => CommandKind::Unregister,
            Self::PlaceCall { .. } => CommandKind::PlaceCall,
            Self::HangUpAll => CommandKind::HangUpAll,
            Self::SendMessage { .. } => CommandKind::SendMessage,
        }
    }
}

/// Changes to a phone; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhoneChanges {
    /// New value of the setting.
    pub auto_answer: Option<bool>,
    /// New codecs; an empty list allows all again. Running calls are re-offered.
    pub codecs: Option<Vec<String>>,
    /// New password, for running calls too; a registered phone registers again.
    pub password: Option<Secret<String>>,
    /// New realm, for running calls too; a registered phone registers again.
    pub realm: Option<String>,
    /// New value of the setting; a registered phone registers again.
    pub srtp: Option<bool>,
    /// New value of the setting, running calls included.
    pub recording_enabled: Option<bool>,
    /// New value of the setting, running calls included.
    pub capture_enabled: Option<bool>,
}

impl PhoneChanges {
    /// Returns whether a registered phone registers again.
    #[must_use]
    pub const fn reregisters(&self) -> bool {
        self.password.is_some() || self.realm.is_some() || self.srtp.is_some()
    }
}

/// Refuses settings whose features are not implemented, whoever asks for them.
///
/// # Errors
/// [`Refused::SrtpNotBuilt`].
pub const fn check_built(srtp: bool) -> Result<(), Refused> {
    if srtp { Err(Refused::SrtpNotBuilt) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_is_refused_by_its_name() {
        assert_eq!(check_built(false), Ok(()));
        let refused = check_built(true).unwrap_err();
        assert!(refused.to_string().contains("srtp is not built yet"), "{refused}");
    }
}
