//! What a call is told, and what it asks of its phone.

use offhook_sip::{session::SessionEvent, user_agent::IncomingId};

use super::{CallSettings, Reply, Told};
use crate::{
    event::Cause,
    id::CallId,
    media::{Notice, Recorded},
};

/// What a call's actor can be told.
#[derive(Debug)]
pub(crate) enum CallMessage {
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

/// What a call may ask of its phone.
#[derive(Debug)]
pub(crate) struct ToPhone {
    /// The asking call.
    pub(crate) call: CallId,
    /// Why, for the journal.
    pub(crate) cause: Cause,
    /// What.
    pub(crate) request: Request,
}

/// A piece of signaling that a call wants done.
#[derive(Debug)]
pub(crate) enum Request {
    /// Answer the pending INVITE or re-INVITE.
    Respond {
        /// Status of the response.
        status: u16,
        /// Session description to carry.
        sdp: Option<Vec<u8>>,
    },
    /// End the session as its state asks.
    HangUp,
    /// Offer a changed session.
    Reinvite {
        /// The offer.
        sdp: Vec<u8>,
    },
    /// Ask the other side to call someone else.
    Refer {
        /// Refer-To, as a name-addr or URI.
        to: String,
    },
    /// Send one digit by INFO.
    Info {
        /// Media type of the body.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// Answer a request inside the dialog.
    Reply {
        /// Which one.
        request: IncomingId,
        /// Status of the response.
        status: u16,
    },
}
