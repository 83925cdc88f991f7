//! The messages of a call's actor.

use offhook_sip::session::SessionEvent;

use tokio::sync::oneshot;

use super::{CallSettings, Reply, Told, conference::Seated, names::Found};
use crate::{
    event::Cause,
    media::{Notice, Recorded},
};

/// The messages of a call's actor.
#[derive(Debug)]
pub(crate) enum CallMessage {
    /// The call begins.
    Begin {
        /// Whether to answer at once.
        auto_answer: bool,
        /// The cause.
        cause: Cause,
    },
    /// The names of a description have been looked up.
    NamesFound {
        /// The number of the look-up.
        round: u64,
        /// The names, with the addresses of those that have one.
        found: Vec<Found>,
    },
    /// A user command.
    Command {
        /// The command.
        told: Told,
        /// The cause to journal.
        cause: Cause,
        /// Where the reply goes.
        reply: Reply,
    },
    /// The phone's user agent reports on this call's session.
    Sip {
        /// The event.
        event: Box<SessionEvent>,
        /// The message or timer that caused it.
        cause: Cause,
        /// Why something could not be sent, where that is the reason.
        unsent: Option<String>,
    },
    /// Media reports something worth an event.
    Media {
        /// What it noticed.
        notice: Notice,
        /// Its place in the mailbox; `None` if our side caused it.
        permit: Option<crate::net::Permit>,
    },
    /// A recording is complete, or never will be.
    Recorded {
        /// How it turned out.
        recorded: Recorded,
        /// What ended it.
        cause: Cause,
    },
    /// A digit by INFO has its final response, or could not be sent.
    InfoDone {
        /// Whether the other side accepted it.
        accepted: bool,
        /// The message or timer that caused it.
        cause: Cause,
    },
    /// The REFER has its final response, or could not be sent.
    ReferDone {
        /// Status of the response; `None` if there was none.
        status: Option<u16>,
        /// Reason phrase, or why there is no response.
        reason: String,
        /// The message or timer that caused it.
        cause: Cause,
    },
    /// A re-INVITE could not even be sent.
    ReinviteRefused {
        /// The reason.
        reason: String,
        /// The cause of the attempt.
        cause: Cause,
    },
    /// A provisional response to our INVITE arrived, possibly a retransmission.
    Heard,
    /// The time limit for an answer may have passed.
    PatienceOver,
    /// The phone closes without waiting for the wire.
    PhoneDropped {
        /// The cause to journal.
        cause: Cause,
        /// The call stays up in the journal, for the next process to end on the wire.
        left_open: bool,
    },
    /// The phone's settings changed.
    Settings {
        /// The new settings.
        settings: CallSettings,
        /// The cause of the change.
        cause: Cause,
    },
    /// The fact that the oldest waiting sound change depends on is on disk, or has been waited for
    /// long enough.
    DiskHasIt,
    /// The call has another place in a conference, or is in none any more.
    Seated {
        /// Its place.
        seated: Option<Seated>,
        /// The cause to journal.
        cause: Cause,
        /// Told whether it has the place, once the fact has been appended.
        done: oneshot::Sender<bool>,
    },
    /// Somebody waits until everything before this has been handled.
    Settle {
        /// Told then.
        done: oneshot::Sender<()>,
    },
    /// Makes the call fail on purpose; for the tests of supervision.
    #[cfg(test)]
    Fail,
}
