//! Commands for a call.

use std::time::Duration;

use super::CommandKind;
use crate::id::{CallId, PhoneId};

/// A command for one call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallCommand {
    /// Answers an incoming call; a status below 200 sends a provisional response.
    Answer {
        /// 180 to 299.
        status: u16,
    },
    /// Refuses an incoming call.
    Reject {
        /// 300 to 699.
        status: u16,
    },
    /// Ends the call with BYE, CANCEL or a refusal, depending on its state; ending an ended call is
    /// not an error.
    HangUp,
    /// Puts the other side on hold.
    Hold,
    /// Takes the other side off hold.
    Resume,
    /// Sends digits, one after another.
    SendDigits {
        /// `0-9 * # A-D`.
        digits: String,
        /// Length of one digit; `None` means 200 ms.
        duration: Option<Duration>,
    },
    /// Asks the other side to call somebody else (REFER).
    Transfer {
        /// Full SIP URI, or a bare extension at the phone's domain.
        to: String,
    },
    /// Connects the other sides of two calls of one phone (REFER with Replaces); the REFER goes out
    /// on this call.
    AttendedTransfer {
        /// The call to be replaced; `None` means the phone's newest other call.
        target: Option<CallId>,
    },
    /// Sends a sound to the other side.
    Play {
        /// The sound.
        sound: Sound,
        /// Whether it repeats until stopped.
        repeat: bool,
    },
    /// Stops what is being played.
    StopPlaying,
    /// Starts or stops recording.
    Record {
        /// Whether to record.
        on: bool,
    },
    /// Offers other codecs during the call.
    SetCodecs {
        /// Codec names in order of preference.
        codecs: Vec<String>,
    },
}

impl CallCommand {
    /// Returns which command it is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Answer { .. } => CommandKind::Answer,
            Self::Reject { .. } => CommandKind::Reject,
            Self::HangUp => CommandKind::HangUp,
            Self::Hold => CommandKind::Hold,
            Self::Resume => CommandKind::Resume,
            Self::SendDigits { .. } => CommandKind::SendDigits,
            Self::Transfer { .. } => CommandKind::Transfer,
            Self::AttendedTransfer { .. } => CommandKind::AttendedTransfer,
            Self::Play { .. } => CommandKind::Play,
            Self::StopPlaying => CommandKind::StopPlaying,
            Self::Record { .. } => CommandKind::Record,
            Self::SetCodecs { .. } => CommandKind::SetCodecs,
        }
    }

    /// Returns whether an unnamed call means one that is waiting for an answer.
    #[must_use]
    pub const fn is_for_ringing(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::Reject { .. })
    }
}

/// A sound to play.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// A WAV file on this machine.
    File(String),
    /// A sine tone of one or several frequencies.
    Tone {
        /// Frequencies in hertz.
        hz: Vec<f64>,
        /// Level in dBFS, -10 by default.
        level_dbfs: f64,
        /// Duration; `None` means until stopped.
        duration: Option<Duration>,
    },
    /// What the other side sends, sent back.
    Echo,
}

/// Selects a call of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSelector {
    /// The phone; `None` means the call's own.
    pub phone: Option<PhoneId>,
    /// The call; `None` means the oldest one of the phone that fits (a ringing one to answer or
    /// reject, otherwise any active one).
    pub call: Option<CallId>,
}

impl CallSelector {
    /// Selects a call by its id alone.
    #[must_use]
    pub const fn call(call: CallId) -> Self {
        Self { phone: None, call: Some(call) }
    }

    /// Selects whichever call of the phone fits.
    #[must_use]
    pub const fn any_of(phone: PhoneId) -> Self {
        Self { phone: Some(phone), call: None }
    }
}
