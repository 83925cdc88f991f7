//! A transfer that we asked for: whether the other side accepted the REFER, its progress, and our
//! hanging up when it is done.
//!
//! RFC 3515: the response to the REFER says only that it was accepted; the notifications say how
//! the transfer went. RFC 5589 §6.1: after the final one, the transferor hangs up.

use offhook_sip::{message::Message, user_agent::IncomingId};

use super::{Request, actor::Shell};
use crate::event::{CallEvent, CallPhase as Phase, Cause};

impl Shell {
    /// Handles the final response to our REFER.
    pub(super) fn refer_done(&mut self, status: Option<u16>, reason: String, cause: &Cause) {
        match status {
            Some(status @ 200..=299) => self.append(CallEvent::TransferAccepted { status }, cause),
            Some(_) | None => self.append(CallEvent::TransferRefused { status, reason }, cause),
        }
    }

    /// Handles a notification. The engine passes on only those about a REFER of this call, as a
    /// sipfrag.
    pub(super) fn notified(&mut self, request: IncomingId, message: &Message, cause: &Cause) {
        self.ask(Request::Reply { request, status: 200 }, cause);
        // RFC 3515 §2.4.5: the body begins with a status line.
        let text = String::from_utf8_lossy(message.body()).into_owned();
        let line = text.lines().next().unwrap_or_default().strip_prefix("SIP/2.0 ").unwrap_or_default();
        let mut words = line.splitn(2, ' ');
        // RFC 3261 §7.2: three digits, of which the first is one of six classes.
        let status = words.next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok());
        let Some(status) = status.filter(|status| (100..700).contains(status)) else { return };
        let reason = words.next().unwrap_or_default().trim().to_owned();
        self.append(CallEvent::TransferProgress { status, reason }, cause);
        if (200..300).contains(&status) && self.state.phase < Phase::Ending {
            self.append(CallEvent::Ending {}, cause);
            self.ask(Request::HangUp, cause);
        }
    }
}
