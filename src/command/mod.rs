//! What can be asked: every request that changes something, as pure data.
//!
//! MCP tools, scenario actions and CLI verbs all become a [`Command`] and go through one door.

mod rejection;

pub use rejection::{Code, Rejection};

use std::{collections::BTreeMap, future::Future, pin::Pin, time::Duration};

use crate::{
    event::{Cause, PhoneSpec},
    id::{CallId, PhoneId, Seq},
    secret::Secret,
};

/// A request to change something.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Creates a phone; one of the same name is replaced.
    AddPhone(AddPhone),
    /// Removes a phone.
    DropPhone {
        /// The phone.
        phone: PhoneId,
        /// Whether its calls are ended on the wire first.
        hang_up: bool,
    },
    /// Changes a phone's settings.
    UpdatePhone(UpdatePhone),
    /// Sends a REGISTER now; the outcome comes when the registrar has answered or the wait is over.
    Register {
        /// The phone.
        phone: PhoneId,
    },
    /// Removes the binding.
    Unregister {
        /// The phone.
        phone: PhoneId,
    },
    /// Calls someone; the outcome holds the new call and comes at once.
    PlaceCall {
        /// The calling phone.
        phone: PhoneId,
        /// Full SIP URI, or a bare extension at the phone's domain.
        target: String,
        /// Extra headers of the INVITE.
        headers: BTreeMap<String, String>,
    },
    /// Answers an incoming call; a status below 200 is a provisional answer.
    AnswerCall {
        /// Which call.
        call: CallSelector,
        /// 180 to 299.
        status: u16,
    },
    /// Refuses an incoming call.
    RejectCall {
        /// Which call.
        call: CallSelector,
        /// 300 to 699.
        status: u16,
    },
    /// Ends a call with BYE, CANCEL or a refusal, as its state asks; ending an ended call is no error.
    HangUp {
        /// Which call.
        call: CallSelector,
    },
    /// Ends every call of one phone, or of all.
    HangUpAll {
        /// The phone; none means all.
        phone: Option<PhoneId>,
    },
    /// Puts the other side on hold.
    Hold {
        /// Which call.
        call: CallSelector,
    },
    /// Takes the other side back.
    Resume {
        /// Which call.
        call: CallSelector,
    },
    /// Sends digits, one after the other.
    SendDigits {
        /// Which call.
        call: CallSelector,
        /// `0-9 * # A-D`.
        digits: String,
        /// Length of one digit; none means 200 ms.
        duration: Option<Duration>,
    },
    /// Asks the other side to call someone else (REFER).
    Transfer {
        /// Which call.
        call: CallSelector,
        /// Full SIP URI, or a bare extension at the phone's domain.
        to: String,
    },
    /// Joins the other sides of two calls of one phone (REFER with Replaces).
    AttendedTransfer {
        /// The call whose other side is sent away.
        call: CallSelector,
        /// The call that it replaces; none means the phone's newest other call.
        target: Option<CallId>,
    },
    /// Connects the audio of several calls of one phone.
    Conference {
        /// The phone.
        phone: PhoneId,
        /// The calls; empty means all active ones.
        calls: Vec<CallId>,
    },
    /// Sends a sound to the other side.
    Play {
        /// Which call.
        call: CallSelector,
        /// What.
        sound: Sound,
        /// Whether it repeats until stopped.
        repeat: bool,
    },
    /// Stops what is being played.
    StopPlaying {
        /// Which call.
        call: CallSelector,
    },
    /// Switches the recording of one call on or off.
    Record {
        /// Which call.
        call: CallSelector,
        /// On or off.
        on: bool,
    },
    /// Offers other codecs on a running call.
    SetCodecs {
        /// Which call.
        call: CallSelector,
        /// Codec names in order.
        codecs: Vec<String>,
    },
    /// Sends a MESSAGE outside any dialog.
    SendMessage {
        /// The sending phone.
        phone: PhoneId,
        /// Full SIP URI, or a bare extension at the phone's domain.
        to: String,
        /// The body.
        body: String,
        /// Media type.
        content_type: String,
    },
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

/// Changes to a phone; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdatePhone {
    /// The phone.
    pub phone: Option<PhoneId>,
    /// New value of the setting.
    pub auto_answer: Option<bool>,
    /// New codecs; an empty list means all again. Running calls are re-offered.
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

impl UpdatePhone {
    /// Says whether a registered phone registers again.
    #[must_use]
    pub const fn reregisters(&self) -> bool {
        self.password.is_some() || self.realm.is_some() || self.srtp.is_some()
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

/// What came of an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The journal's head after the command's facts: a read or wait from here misses nothing.
    pub seq: Seq,
    /// The call that was placed or chosen.
    pub call: Option<CallId>,
    /// All calls concerned, where there may be several.
    pub calls: Vec<CallId>,
}

/// The door through which every surface and every run sends its commands.
pub trait Execute: Send + Sync {
    /// Executes `command`, to be recorded as caused by `cause`.
    fn execute(
        &self,
        command: Command,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send + '_>>;
}
