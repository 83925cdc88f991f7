//! Calls as their SIP messages tell them.
//!
//! RFC 3261 sections 12, 13, 15 and 9. A call is all that has one Call-ID, on either side of a
//! proxy. Messages of calls that began before the capture make a call too, but those of
//! registrations and the like do not.

use std::collections::BTreeMap;
use std::time::Duration;

use offhook_sip::message::{Message, Method, StatusClass, StatusCode};

use super::analysis::{Call, Ending, Party, up_to};
use super::media::Media;

/// Most calls that are kept.
const MOST: usize = 4096;
/// Most bytes of a text.
const MOST_TEXT: usize = 256;

/// A call and its media.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) call: Call,
    pub(super) media: Media,
    /// Number of its first message among those of all calls.
    turn: u64,
    /// CSeq number of the INVITE that begins the call, and its From tag.
    initial: Option<u32>,
    caller: Option<String>,
    cancelled_at: Option<Option<Duration>>,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: BTreeMap<String, Progress>,
    turns: u64,
    /// Messages of calls that are not kept.
    pub(super) left_out: u64,
}

/// Returns whether requests of a method only occur in calls.
const fn is_of_a_call(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Prack | Method::Update
    )
}

impl Calls {
    /// Takes a message; the description in one that was cut is not looked at.
    pub(super) fn add(&mut self, at: Option<Duration>, message: &Message, is_cut: bool) {
        let Ok(call_id) = message.call_id() else { return };
        let call_id = up_to(&call_id, MOST_TEXT);
        let method = message.method();
        if !self.calls.contains_key(&call_id) {
            if !is_of_a_call(&method) {
                return;
            }
            if self.calls.len() == MOST {
                self.left_out += 1;
                return;
            }
            self.turns += 1;
            let _none =
                self.calls.insert(call_id.clone(), Progress::new(call_id.clone(), message, self.turns));
        }
        let Some(progress) = self.calls.get_mut(&call_id) else { return };
        progress.call.messages += 1;
        match message.status() {
            None if message.is_request() => progress.request(at, &method, message),
            None => {}
            Some(status) => progress.response(at, &method, message, status),
        }
        if let Some(description) = message.sdp().filter(|_| !is_cut) {
            progress.media.announce(at, description);
        }
    }

    /// Returns the calls in the order of their first messages.
    pub(super) fn into_sorted(self) -> Vec<Progress> {
        let mut calls: Vec<Progress> = self.calls.into_values().collect();
        calls.sort_by_key(|progress| progress.turn);
        calls.iter_mut().for_each(Progress::end);
        calls
    }
}

impl Progress {
    fn new(call_id: String, message: &Message, turn: u64) -> Self {
        let text = |address: Result<offhook_sip::message::NameAddr, _>| {
            address.map(|address| up_to(address.uri.as_str(), MOST_TEXT)).unwrap_or_default()
        };
        let call = Call {
            call_id,
            from: text(message.from()),
            to: text(message.to()),
            invited_at: None,
            answered_at: None,
            final_status: None,
            ending: Ending::Open,
            ended_at: None,
            messages: 0,
            streams: Vec::new(),
        };
        Self { call, media: Media::default(), turn, initial: None, caller: None, cancelled_at: None }
    }

    fn request(&mut self, at: Option<Duration>, method: &Method, message: &Message) {
        if *method == Method::Invite && message.to_tag().is_none() {
            self.invite(at, message);
        } else if *method == Method::Cancel {
            self.cancelled_at.get_or_insert(at);
        } else if *method == Method::Bye && self.call.ending == Ending::Open {
            let tag = message.from_tag();
            let by = |caller: &String| match tag.as_deref() {
                Some(tag) if tag == caller => Party::Caller,
                Some(_) | None => Party::Callee,
            };
            self.call.ending = Ending::HungUp(self.caller.as_ref().map(by));
            self.call.ended_at = at;
        }
    }

    /// Takes an INVITE that begins the call, or tries again after a challenge or a redirection.
    fn invite(&mut self, at: Option<Duration>, message: &Message) {
        let number = message.cseq().ok().map(|cseq| cseq.number);
        if self.call.answered_at.is_none() && number > self.initial {
            self.initial = number;
            self.call.final_status = None;
            self.call.ended_at = None;
            self.cancelled_at = None;
        }
        self.call.invited_at = self.call.invited_at.or(at);
        if self.caller.is_none() {
            self.caller = message.from_tag().map(|tag| up_to(&tag, MOST_TEXT));
        }
    }

    fn response(&mut self, at: Option<Duration>, method: &Method, message: &Message, status: StatusCode) {
        let number = message.cseq().ok().map(|cseq| cseq.number);
        let is_settled = self.call.final_status.is_some_and(|status| status < 300);
        if *method != Method::Invite || number.is_none() || number != self.initial || is_settled {
            return;
        }
        match status.class() {
            StatusClass::Provisional => {}
            StatusClass::Success => {
                self.call.final_status = Some(status.code());
                self.call.answered_at = at;
                self.call.ended_at = None;
            }
            StatusClass::Redirection
            | StatusClass::ClientError
            | StatusClass::ServerError
            | StatusClass::GlobalFailure => {
                self.call.final_status = Some(status.code());
                self.call.ended_at = at;
            }
        }
    }

    /// Says how the call ended, unless a BYE said so.
    fn end(&mut self) {
        if self.call.ending != Ending::Open {
            return;
        }
        match (self.call.final_status, self.cancelled_at) {
            (Some(..300), _) | (None, None) => {}
            (Some(487), Some(_)) => self.call.ending = Ending::Cancelled,
            (Some(_), _) => self.call.ending = Ending::Refused,
            (None, Some(at)) => {
                self.call.ending = Ending::Cancelled;
                self.call.ended_at = at;
            }
        }
    }
}
