//! Requests for which there is no room: RFC 3261 §21.5.4, by a server that keeps no state of them (§8.2.7).

use super::engine::UserAgent;
use super::event::Anomaly;
use super::flow::{Flow, Transmit};
use super::write::{self, Reply};
use crate::message::{HeaderName, Message, Method, StatusCode, Via, inspect};
use crate::transaction::hop;
use offhook_seed::scramble;

/// Seconds after which a caller may try again: by then a third of what fills the room is gone.
const RETRY_AFTER: u64 = 10;

impl UserAgent {
    /// Tells whether there is no room for a new request; `expected` when it belongs to a call that is known.
    pub(super) fn is_full_for(&self, method: &Method, expected: bool) -> bool {
        if self.transactions.fills(&self.config.room) {
            return !(expected && matches!(method, Method::Bye | Method::Cancel));
        }
        !expected && self.transactions.strangers_fill(&self.config.room_of_strangers)
    }

    /// Answers a request without remembering it. An INVITE in a dialog is dropped: its ACK would belong to nothing.
    pub(super) fn turn_away(&mut self, flow: Flow, message: &Message, via: &Via) {
        self.anomaly(Anomaly::TooManyRequests, flow, message.bytes());
        let untagged = message.to().is_ok_and(|to| to.tag().is_none());
        if message.method() == Method::Invite && !untagged || inspect(message).is_err() {
            return;
        }
        let mut headers = vec![(HeaderName::RetryAfter, RETRY_AFTER.to_string())];
        if !self.config.product.is_empty() {
            headers.push((HeaderName::Server, self.config.product.clone()));
        }
        let to_tag = self.tag_without_state(message).filter(|_| untagged);
        let reply = Reply { to_tag, headers, ..Reply::default() };
        let response = write::response(message, via, StatusCode::SERVICE_UNAVAILABLE, None, &reply);
        let transmit = Transmit::message_on(hop::response_flow(flow, via), response, false);
        self.outputs.push_back(super::Output::Transmit(transmit));
    }

    /// Tells whether an ACK belongs to an INVITE that was turned away, and so needs no report.
    pub(super) fn is_ack_of_turned_away(&self, ack: &Message) -> bool {
        let tag = ack.to().ok().and_then(|to| to.tag().map(str::to_owned));
        tag.is_some() && tag == self.tag_without_state(ack)
    }

    /// Returns the To tag of a request, or of the ACK of an INVITE: the same for each repeat, as
    /// §8.2.7 wants, and unpredictable for others.
    fn tag_without_state(&self, message: &Message) -> Option<String> {
        let call_id = message.call_id().ok()?.to_string();
        let branch = message.branch()?;
        let from_tag = message.from_tag().unwrap_or_default();
        // FNV-1a over the parts, each ended by a zero byte.
        let parts = [call_id.as_bytes(), branch.as_bytes(), from_tag.as_bytes()];
        let bytes = parts.into_iter().flat_map(|part| part.iter().copied().chain([0]));
        let start = scramble(self.config.seed ^ 0xcbf2_9ce4_8422_2325);
        let hash = bytes.fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Some(format!("{:016x}", scramble(hash)))
    }
}
