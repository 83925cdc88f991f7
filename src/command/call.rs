//! What can be asked of a call.

use std::time::Duration;

use super::CommandKind;
use crate::id::{CallId, PhoneId};

/// A request to one call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallCommand {
    /// Answers an incoming call; a status below 200 is a provisional answer.
    Answer {
        /// 180 to 299.
        status: u16,
    },
    /// Refuses an incoming call.
    Reject {
        /// 300 to 699.
        status: u16,
    },
    /// Ends it with BYE, CANCEL or a refusal, as its state asks; ending an ended call is no error.
    HangUp,
    /// Puts the other side on hold.
    Hold,
    /// Takes the other side back.
    Resume,
    /// Sends digits, one after the other.
    SendDigits {
        /// `0-9 * # A-D`.
        digits: String,
        /// Length of one digit; none means 200 ms.
        duration: Option<Duration>,
    },
    /// Asks the other side to call someone else (REFER).
    Transfer {
        /// Full SIP URI, or a bare extension at the phone's domain.
        to: String,
    },
    /// Joins the other sides of two calls of one phone (REFER with Replaces); this one's is sent away.
    AttendedTransfer {
        /// The call that it replaces; none means the phone's newest other call.
        target: Option<CallId>,
    },
    /// Sends a sound to the other side.
    Play {
        /// What.
        sound: Sound,
        /// Whether it repeats until stopped.
        repeat: bool,
    },
    /// Stops what is being played.
    StopPlaying,
    /// Switches the recording on or off.
    Record {
        /// On or off.
        on: bool,
    },
    /// Offers other codecs while it is up.
    SetCodecs {
        /// Codec names in order.
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

    /// Says whether an unnamed call means one that waits for an answer.
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
    /// A sine at one or several frequencies.
    Tone {
        /// Frequencies in hertz.
        hz: Vec<f64>,
        /// Level in dBFS, -10 by default.
        level_dbfs: f64,
        /// How long; none means until stopped.
        duration: Option<Duration>,
    },
    /// What the other side says, sent back.
    Echo,
}

/// Names a call of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSelector {
    /// The phone; none means the call's own.
    pub phone: Option<PhoneId>,
    /// The call; none means the phone's oldest that fits (a ringing one to answer or reject, else any active).
    pub call: Option<CallId>,
}

impl CallSelector {
    /// Names a call by its handle alone.
    #[must_use]
    pub const fn call(call: CallId) -> Self {
        Self { phone: None, call: Some(call) }
    }

    /// Names whichever call of the phone fits.
    #[must_use]
    pub const fn any_of(phone: PhoneId) -> Self {
        Self { phone: Some(phone), call: None }
    }
}
