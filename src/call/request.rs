//! What a call asks of its phone.

use offhook_sip::user_agent::IncomingId;

use crate::{event::Cause, id::CallId};

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
