//! Requests passed on: instant messages between phones (RFC 3428), and INFO and MESSAGE within a
//! call.

use std::time::Instant;

use offhook_sip::{
    message::{Message, Method, NameAddr, StatusCode},
    session::InfoDigit,
    user_agent::{Body, IncomingId, OutOfDialog, RequestId, SessionId},
};

use super::{Engine, leg::Role};

/// A request that was passed on.
pub(super) struct Relayed {
    incoming: IncomingId,
    request: Message,
    /// The leg it went to, if it belongs to a call.
    by: Option<SessionId>,
}

impl Engine {
    /// Passes an instant message on to every contact of the number it is for.
    pub(super) fn relay_message(
        &mut self,
        now: Instant,
        id: IncomingId,
        request: &Message,
        party: &NameAddr,
    ) -> Result<(), StatusCode> {
        let uri = request.request_uri().ok_or(StatusCode::NOT_FOUND)?;
        let number = uri.user_decoded().unwrap_or_default().into_owned();
        if self.users.get(&number).is_none() {
            return Err(StatusCode::NOT_FOUND);
        }
        let contacts = self.bindings.of(&number, now);
        if contacts.is_empty() {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        let to = self.number(&number);
        self.copies.insert(id, contacts.len());
        for contact in contacts {
            let destination = contact.destination();
            let mut copy =
                OutOfDialog::new(Method::Message, contact.uri, party.clone(), to.clone(), destination);
            copy.body = body(request);
            let sent = self.agent.request(now, copy);
            self.relayed.insert(sent, Relayed { incoming: id, request: request.clone(), by: None });
        }
        Ok(())
    }

    /// Passes a request within a call on to the partner; a test number handles it itself.
    pub(super) fn pass_in_dialog(&mut self, now: Instant, from: SessionId, id: IncomingId, request: Message) {
        let partner = match self.legs.get(&from).map(|leg| &leg.role) {
            Some(Role::Bridged { with }) => *with,
            Some(Role::Robot(_)) => {
                self.reply(now, id, StatusCode::OK);
                if let Some(read) = InfoDigit::of(&request) {
                    self.robot_digit(now, from, read.digit);
                }
                return;
            }
            Some(Role::Caller | Role::Branch { .. } | Role::Waiting | Role::Transferred | Role::Leaving)
            | None => return self.reply(now, id, StatusCode::CALL_DOES_NOT_EXIST),
        };
        let method = request.method();
        match self.agent.send_in_dialog(now, partner, method, Vec::new(), body(&request)) {
            Ok(sent) => {
                self.copies.insert(id, 1);
                self.relayed.insert(sent, Relayed { incoming: id, request, by: Some(partner) });
            }
            Err(_) => self.reply(now, id, StatusCode::CALL_DOES_NOT_EXIST),
        }
    }

    /// Answers the requests that were passed on in a call that is over: their responses will not
    /// come any more.
    pub(super) fn pass_on_no_more(&mut self, now: Instant, by: SessionId) {
        let lost = self.relayed.iter().filter(|(_, relayed)| relayed.by == Some(by));
        let mut lost: Vec<RequestId> = lost.map(|(id, _)| *id).collect();
        lost.sort_unstable();
        for id in lost {
            self.passed_on(now, id, None);
        }
    }

    /// Handles the response to a request that was passed on, and answers the original request.
    ///
    /// With several contacts the first success counts, or the last failure.
    pub(super) fn passed_on(&mut self, now: Instant, id: RequestId, response: Option<&Message>) {
        let Some(relayed) = self.relayed.remove(&id) else { return };
        let Some(left) = self.copies.get_mut(&relayed.incoming) else { return };
        *left = left.saturating_sub(1);
        let status = response.and_then(Message::status).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        if status.is_success() || *left == 0 {
            self.copies.remove(&relayed.incoming);
            self.reply_with(now, relayed.incoming, &relayed.request, status, Vec::new());
        }
    }
}

fn body(request: &Message) -> Option<Body> {
    let bytes = request.body();
    let content_type = request.content_type().ok().flatten()?;
    Some(Body { content_type: content_type.to_string(), bytes: bytes.to_vec() })
}
