//! What a call is told.

use offhook_sip::session::SessionEvent;

use super::{CallSettings, Reply, Told, names::Found};
use crate::{
    event::Cause,
    media::{Notice, Recorded},
};

/// What a call's actor can be told.
#[derive(Debug)]
pub(crate) enum CallMessage {
    /// The call begins.
    Begin {
        /// It is to be answered at once.
        auto_answer: bool,
        /// What began it.
        cause: Cause,
    },
    /// The names of a description have been looked up.
    NamesFound {
        /// Which look-up it was.
        round: u64,
        /// The names, with the addresses of those that have one.
        found: Vec<Found>,
    },
    /// Somebody asks for something.
    Command {
        /// What.
        told: Told,
        /// Why, for the journal.
        cause: Cause,
        /// Where the answer goes.
        reply: Reply,
    },
    /// The phone's user agent reports on this call's session.
    Sip {
        /// What happened.
        event: Box<SessionEvent>,
        /// The message or timer that caused it.
        cause: Cause,
        /// Why something could not be sent, where that is the reason.
        unsent: Option<String>,
    },
    /// Media reports something worth an event.
    Media {
        /// What.
        notice: Notice,
        /// Its place in the mailbox, unless it is our doing.
        permit: Option<crate::net::Permit>,
    },
    /// A recording is complete, or will never be.
    Recorded {
        /// What became of it.
        recorded: Recorded,
        /// What ended it.
        cause: Cause,
    },
    /// A digit by INFO has its final response, or could not be sent.
    InfoDone {
        /// Whether the other side took it.
        accepted: bool,
        /// The message or timer that caused it.
        cause: Cause,
    },
    /// The REFER has its final response, or could not be sent.
    ReferDone {
        /// Status of the response; absent when none came.
        status: Option<u16>,
        /// Reason phrase, or why there is none.
        reason: String,
        /// The message or timer that caused it.
        cause: Cause,
    },
    /// A re-INVITE could not even be sent.
    ReinviteRefused {
        /// Why.
        reason: String,
        /// What asked for it.
        cause: Cause,
    },
    /// A provisional response to our INVITE arrived, perhaps the repeat of one.
    Heard,
    /// The time for an answer may be over.
    PatienceOver,
    /// The phone goes away without waiting for the wire.
    PhoneDropped {
        /// What made it go.
        cause: Cause,
        /// The call stays up in the journal, for the next process to end it on the wire.
        left_open: bool,
    },
    /// The phone's settings changed.
    Settings {
        /// Now.
        settings: CallSettings,
        /// What changed them.
        cause: Cause,
    },
    /// The disk has the fact that a change of the sound waits for.
    DiskHasIt,
    /// Fails on purpose, for the tests of supervision.
    #[cfg(test)]
    Fail,
}
