//! What a call asks of its phone.

use offhook_sip::user_agent::IncomingId;

use crate::{event::Cause, id::CallId};

/// A call's request to its phone.
#[derive(Debug)]
pub(crate) struct ToPhone {
    /// The asking call.
    pub(crate) call: CallId,
    /// The cause to journal.
    pub(crate) cause: Cause,
    /// The request.
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
    /// End the session in the way its state requires.
    HangUp,
    /// Offer to change the session.
    Reinvite {
        /// The offer.
        sdp: Vec<u8>,
    },
    /// Ask the other side to call somebody else.
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
    /// Respond to a request within the dialog.
    Reply {
        /// The request.
        request: IncomingId,
        /// Status of the response.
        status: u16,
    },
}
