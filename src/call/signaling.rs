//! What the session's events mean for a call: facts, negotiation, answers.

use offhook_sip::{
    message::{Message, Reason},
    session::{EndCause as SessionEnd, InfoDigit, Party as Side, SessionEvent},
};

use super::{
    Request,
    actor::Shell,
    media::{Agreed, MediaError},
    patience::NO_ANSWER,
};
use crate::event::{
    CallEvent, CallPhase as Phase, Cause, Change, DigitMethod, EndCause, MediaDirection, MediaEvent, Party,
};

/// The reason given when our answer came too late.
const OVERTAKEN: &str = "the caller canceled before our answer had left";

impl Shell {
    /// Sends our answer, provisional or final.
    pub(super) fn answer(&mut self, status: u16, cause: &Cause) {
        if status >= 200 {
            self.stop_waiting();
        }
        let wants_media = status >= 200 || status == 183;
        let sdp = match (wants_media, self.answer.clone(), self.offer.take()) {
            (false, _, offer) => {
                self.offer = offer;
                None
            }
            (true, Some(answer), _) => Some(answer),
            (true, None, Some(offer)) => match self.media.answer(&offer) {
                Ok((answer, _)) => {
                    self.answer = Some(answer.clone());
                    self.media_began(cause);
                    self.media.follow();
                    Some(answer)
                }
                Err(error) => return self.refuse(488, &error.to_string(), cause),
            },
            // The caller left the offer to us; only a reliable response may carry it (RFC 3264 §5,
            // RFC 3261 §13.3.1).
            (true, None, None) if status >= 200 => {
                self.awaiting_answer_in_ack = true;
                Some(self.media.offer())
            }
            (true, None, None) => None,
        };
        self.ask(Request::Respond { status, sdp }, cause);
    }

    /// Handles one event of the session.
    pub(super) fn session_event(&mut self, event: SessionEvent, cause: &Cause) {
        match event {
            // The phone created this call from it.
            SessionEvent::Incoming { .. } => {}
            SessionEvent::Trying => self.append(CallEvent::Trying {}, cause),
            SessionEvent::Provisional { status, reason, sdp, early, .. } => {
                let early_media = sdp.is_some();
                self.append(CallEvent::Ringing { status: status.code(), reason, early_media }, cause);
                match sdp.map(|sdp| self.take_answer(&sdp, true, cause)) {
                    Some(Ok(agreed)) => {
                        self.early_answer_of = Some(early.remote_tag);
                        self.follow(agreed);
                    }
                    // The final answer may still be usable.
                    Some(Err(error)) => {
                        if let Some(more) = self.refusals.turn() {
                            tracing::warn!(call = %self.id, %error, more, "early answer cannot be used");
                        }
                    }
                    None => {}
                }
            }
            SessionEvent::Answered { message, sdp } => self.answered(&message, sdp, cause),
            SessionEvent::Acknowledged { sdp } => self.acknowledged(sdp, cause),
            SessionEvent::Reoffered { offer, .. } => self.reoffered(offer, cause),
            SessionEvent::Modified { answer, .. } => self.modified(answer, cause),
            SessionEvent::ModifyFailed { status, reason } => {
                self.modify_failed(status.map(|status| status.code()), reason, cause);
            }
            // Until the back-off is over the session stays as it was, also for an offer of the
            // other side.
            SessionEvent::Glare { .. } => self.media.offer_withdrawn(self.state.held_locally),
            SessionEvent::GlareOver => {
                if let Some(wish) = self.wish.clone().filter(|_| self.state.phase == Phase::Established) {
                    self.reoffer(wish, cause);
                }
            }
            SessionEvent::Rejected { status, reason, .. } if status.code() < 400 => {
                let reason = format!("{reason} (redirections are not followed yet)");
                self.last_status = Some((status.code(), reason));
            }
            SessionEvent::Rejected { status, reason, .. } => self.last_status = Some((status.code(), reason)),
            // The CANCEL of a re-INVITE ends only the re-INVITE.
            SessionEvent::Canceled { .. } if self.established.is_some() => {}
            SessionEvent::Canceled { .. } => {
                // We had decided to answer while the CANCEL was on its way: there is no INVITE left
                // for our 2xx.
                let overtaken = self.state.phase == Phase::Answered;
                let reason = if overtaken { OVERTAKEN } else { "Request Terminated" };
                self.last_status = Some((487, reason.to_owned()));
            }
            SessionEvent::SurplusAnswer { .. } => {}
            // Acting as a transferee is not implemented: phones do not allow REFER, and their
            // engine refuses it.
            SessionEvent::Refer { .. } => {}
            SessionEvent::Notify { request, message } => self.notified(request, &message, cause),
            SessionEvent::Info { request, message } => self.info_received(request, &message, cause),
            SessionEvent::Message { request, .. } => self.ask(Request::Reply { request, status: 200 }, cause),
            SessionEvent::RequestDone { .. } => {}
            SessionEvent::Ending { .. } if self.state.phase < Phase::Ending => {
                self.append(CallEvent::Ending {}, cause);
            }
            SessionEvent::Ending { .. } => {}
            SessionEvent::Ended { by, cause: end, status, reason_header } => {
                self.ended(by, end, status.map(|status| status.code()), reason_header, cause);
            }
        }
    }

    fn answered(&mut self, message: &Message, sdp: Option<Vec<u8>>, cause: &Cause) {
        let status = message.status().map_or(200, |status| status.code());
        let reason = message.reason().unwrap_or_default().into_owned();
        self.stop_waiting();
        self.append(CallEvent::Answered { by: Party::Remote, status, reason }, cause);
        // RFC 3261 §13.2.2.4: the ACK has been sent; a session that cannot be used is ended with
        // BYE.
        match sdp.map(|sdp| self.take_answer(&sdp, false, cause)) {
            Some(Err(error)) => return self.end_for_media(error.to_string(), cause),
            Some(Ok(agreed)) => self.follow(agreed),
            // An early answer in this dialog stands, reliable or not; without any answer there is
            // no session (§13.2.1).
            None if self.early_answer_of.take().is_some_and(|tag| to_tag(message) == Some(tag)) => {
                self.media.settle();
            }
            None => {
                return self.end_for_media("the 2xx holds no session description".to_owned(), cause);
            }
        }
        let contact = contact_of(message);
        self.established(contact, cause);
    }

    fn acknowledged(&mut self, sdp: Option<Vec<u8>>, cause: &Cause) {
        // We hung up before the ACK came: BYE follows it and media must not begin.
        if matches!(self.state.phase, Phase::Ending | Phase::Ended) {
            return;
        }
        if std::mem::take(&mut self.awaiting_answer_in_ack) {
            match sdp.map(|sdp| self.take_answer(&sdp, false, cause)) {
                Some(Ok(agreed)) => {
                    if let Some(agreed) = agreed.filter(|agreed| !agreed.first) {
                        self.changed_by_remote(agreed, cause);
                    }
                    self.follow(agreed);
                }
                Some(Err(error)) => return self.end_for_media(error.to_string(), cause),
                None => return self.end_for_media("the ACK holds no session description".to_owned(), cause),
            }
        }
        self.established(None, cause);
    }

    /// Ends a session whose INVITE has been answered, but whose two sides cannot agree on media.
    fn end_for_media(&mut self, why: String, cause: &Cause) {
        if let Some(more) = self.refusals.turn() {
            tracing::warn!(call = %self.id, why, more, "answer cannot be used");
        }
        self.last_status = Some((488, why));
        self.append(CallEvent::Ending {}, cause);
        self.ask(Request::HangUp, cause);
    }

    fn established(&mut self, contact: Option<String>, cause: &Cause) {
        if self.established.is_none() {
            self.established = Some(tokio::time::Instant::now());
            // Refusals on the way did not matter in the end.
            self.last_status = None;
            self.append(CallEvent::Established { contact }, cause);
        }
    }

    /// Applies the other side's answer; `None` if it is already in use.
    fn take_answer(&mut self, sdp: &[u8], early: bool, cause: &Cause) -> Result<Option<Agreed>, MediaError> {
        let agreed = self.media.take_answer(sdp, early, cause)?;
        match agreed {
            Some(Agreed { first: true, .. }) => self.media_began(cause),
            // Later changes are journaled as `call.modified`.
            Some(Agreed { moved: true, .. }) if self.established.is_none() => {
                if let Some(moved) = self.media.moved() {
                    self.append(moved, cause);
                }
            }
            Some(_) | None => {}
        }
        Ok(agreed)
    }

    /// Makes media follow an answer of the other side, once its facts are in the journal; one
    /// already in use changes nothing.
    fn follow(&self, agreed: Option<Agreed>) {
        if agreed.is_some() {
            self.media.follow();
        }
    }

    fn media_began(&mut self, cause: &Cause) {
        if let Some(started) = self.media.started() {
            self.append(started, cause);
        }
        if self.settings.recording {
            self.set_recording(true, cause);
        }
    }

    /// Answers a re-INVITE of the other side.
    fn reoffered(&mut self, offer: Option<Vec<u8>>, cause: &Cause) {
        let Some(offer) = offer else {
            let sdp = Some(self.media.offer());
            self.awaiting_answer_in_ack = true;
            return self.ask(Request::Respond { status: 200, sdp }, cause);
        };
        self.media.offered(cause);
        match self.media.answer(&offer) {
            Ok((answer, agreed)) => {
                if agreed.first {
                    self.media_began(cause);
                }
                self.changed_by_remote(agreed, cause);
                self.media.follow();
                self.ask(Request::Respond { status: 200, sdp: Some(answer) }, cause);
            }
            Err(error) => {
                if let Some(more) = self.refusals.turn() {
                    tracing::warn!(call = %self.id, %error, more, "re-INVITE refused");
                }
                self.ask(Request::Respond { status: 488, sdp: None }, cause);
            }
        }
    }

    /// Handles a change of the session by the other side, whose direction tells whether we are
    /// held.
    fn changed_by_remote(&mut self, agreed: Agreed, cause: &Cause) {
        self.append_modified(Party::Remote, agreed.now, cause);
        let held = matches!(agreed.now, MediaDirection::Recvonly | MediaDirection::Inactive);
        match (self.state.held_remotely, held) {
            (false, true) => self.append(CallEvent::Held { by: Party::Remote }, cause),
            (true, false) => self.append(CallEvent::Resumed { by: Party::Remote }, cause),
            (false, false) | (true, true) => {}
        }
    }

    fn append_modified(&mut self, by: Party, direction: MediaDirection, cause: &Cause) {
        let codec = self.media.codec();
        let (epoch, agreement) = self.media.agreement();
        self.append(CallEvent::Modified { by, codec, direction, epoch, agreement }, cause);
    }

    /// Handles the acceptance of our re-INVITE.
    fn modified(&mut self, answer: Option<Vec<u8>>, cause: &Cause) {
        let change = self.state.changing;
        match answer.map(|answer| self.media.take_answer(&answer, false, cause)) {
            Some(Ok(agreed)) => {
                let direction = agreed.map_or(MediaDirection::Sendrecv, |agreed| agreed.now);
                self.append_modified(Party::Local, direction, cause);
                match change {
                    Some(Change::Hold) => self.append(CallEvent::Held { by: Party::Local }, cause),
                    Some(Change::Resume) => self.append(CallEvent::Resumed { by: Party::Local }, cause),
                    Some(Change::Codecs) | None => {}
                }
                self.follow(agreed);
            }
            Some(Err(error)) => self.modify_failed(None, error.to_string(), cause),
            None => self.modify_failed(None, "the 2xx holds no session description".to_owned(), cause),
        }
    }

    pub(super) fn modify_failed(&mut self, status: Option<u16>, reason: String, cause: &Cause) {
        self.media.offer_refused(self.state.held_locally);
        self.append(CallEvent::ModifyFailed { status, reason }, cause);
    }

    fn info_received(
        &mut self,
        request: offhook_sip::user_agent::IncomingId,
        message: &Message,
        cause: &Cause,
    ) {
        self.ask(Request::Reply { request, status: 200 }, cause);
        if let Some(InfoDigit { digit, duration_ms }) = InfoDigit::of(message) {
            let (duration_ms, epoch) = (duration_ms.unwrap_or(0), self.state.epoch);
            let method = DigitMethod::Info;
            self.append(MediaEvent::DigitStarted { digit, method, epoch }, cause);
            let received = MediaEvent::DigitReceived { digit, duration_ms, method, epoch };
            self.append(received, cause);
        }
    }

    fn ended(
        &mut self,
        by: Side,
        end: SessionEnd,
        status: Option<u16>,
        reason_header: Option<String>,
        cause: &Cause,
    ) {
        let unsent = matches!(end, SessionEnd::TransportFailed | SessionEnd::Unsent(_));
        let unsent = self.unsent.take().filter(|_| unsent);
        let (end, fallback) = describe(end);
        let fallback = unsent.unwrap_or_else(|| fallback.to_owned());
        let refused_media = matches!(self.last_status, Some((488, _))) && by == Side::Local;
        let (status, reason) = match self.last_status.take() {
            Some((status, reason)) => (Some(status), reason),
            None => (status, reason_header.map_or(fallback, |header| readable(&header))),
        };
        let duration_ms = self.duration_ms();
        let by = match by {
            Side::Local => Party::Local,
            Side::Remote => Party::Remote,
        };
        let (end, reason) = match (refused_media, self.patience.over) {
            (true, _) => (EndCause::MediaRefused, reason),
            (false, true) if by == Party::Local => (EndCause::TimedOut, NO_ANSWER.to_owned()),
            (false, _) => (end, reason),
        };
        self.leave(CallEvent::Ended { by, cause: end, status, reason, duration_ms }, cause);
    }

    /// Ends a call whose phone is closing; nothing more is sent.
    pub(super) fn dropped(&mut self, left_open: bool, cause: &Cause) {
        if self.is_leaving() {
            return;
        }
        if left_open {
            return self.leave_open(cause);
        }
        let ended = CallEvent::Ended {
            by: Party::Local,
            cause: EndCause::PhoneDropped,
            status: None,
            reason: "the phone was dropped".to_owned(),
            duration_ms: self.duration_ms(),
        };
        self.leave(ended, cause);
    }

    /// Returns the milliseconds from the start of the conversation to the decision to end it.
    fn duration_ms(&self) -> u64 {
        let until = self.ending.unwrap_or_else(tokio::time::Instant::now);
        let lasted = self.established.or(self.answered).map(|since| until.saturating_duration_since(since));
        lasted.map_or(0, |lasted| u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Puts a Reason header (RFC 3326) into words: its text, otherwise protocol and cause. One that
/// does not parse is returned as it is.
fn readable(header: &str) -> String {
    let Ok(reason) = header.parse::<Reason>() else { return header.to_owned() };
    match (reason.text(), reason.cause()) {
        (Some(text), _) if !text.is_empty() => text.into_owned(),
        (_, Some(cause)) => format!("{} cause {cause}", reason.protocol),
        (_, None) => header.to_owned(),
    }
}

fn to_tag(message: &Message) -> Option<String> {
    message.to().ok()?.tag().map(str::to_owned)
}

fn contact_of(message: &Message) -> Option<String> {
    message.header(offhook_sip::message::HeaderName::Contact).map(std::borrow::Cow::into_owned)
}

/// Returns the journal's word for how a session ended, and a sentence for when no reason was given.
const fn describe(end: SessionEnd) -> (EndCause, &'static str) {
    match end {
        SessionEnd::Bye => (EndCause::Normal, "Normal call clearing"),
        SessionEnd::Cancel => (EndCause::Canceled, "Request Terminated"),
        SessionEnd::Rejected(_) => (EndCause::Rejected, "rejected"),
        SessionEnd::Timeout(_) => (EndCause::TimedOut, "nobody answered in time"),
        SessionEnd::TransportFailed => (EndCause::TransportFailed, "the transport failed"),
        SessionEnd::AckMissing => (EndCause::TimedOut, "our answer was never acknowledged"),
        SessionEnd::Expired => (EndCause::TimedOut, "nobody answered before the INVITE expired"),
        SessionEnd::DialogGone(_) => (EndCause::DialogLost, "the other side no longer knows the call"),
        SessionEnd::Unsent(_) => (EndCause::TransportFailed, "the call could not be sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_header_is_said_in_words() {
        for (header, words) in [
            ("Q.850;cause=16;text=\"Normal call clearing\"", "Normal call clearing"),
            ("Q.850;cause=16", "Q.850 cause 16"),
            ("SIP;cause=200;text=\"Call completed elsewhere\"", "Call completed elsewhere"),
            ("SIP", "SIP"),
            ("\u{1}", "\u{1}"),
        ] {
            assert_eq!(readable(header), words, "{header}");
        }
    }
}
