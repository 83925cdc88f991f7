//! The text messages that each phone received.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Envelope, Event, PhoneEvent},
    id::{PhoneId, Seq},
    journal::Fold,
};

/// Messages kept per phone.
const INBOX: usize = 100;

/// One received message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    /// Position of its event.
    pub seq: Seq,
    /// When it arrived.
    pub at: Timestamp,
    /// Sender's URI.
    pub from: String,
    /// Our URI as addressed.
    pub to: String,
    /// The body.
    pub body: String,
    /// Media type.
    pub content_type: String,
}

/// The newest messages of each phone; a phone that is added again starts empty.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    by_phone: HashMap<PhoneId, VecDeque<MessageView>>,
}

impl Inbox {
    /// Returns a phone's messages, oldest first.
    #[must_use]
    pub fn of(&self, phone: &PhoneId) -> Vec<MessageView> {
        self.by_phone.get(phone).into_iter().flatten().cloned().collect()
    }

    /// Forgets a phone.
    pub(super) fn forget(&mut self, phone: &PhoneId) {
        self.by_phone.remove(phone);
    }
}

impl Fold for Inbox {
    fn apply(&mut self, envelope: &Envelope) {
        let (Event::Phone(event), Some(phone)) = (&envelope.event, &envelope.subject.phone) else { return };
        match event {
            PhoneEvent::Added { .. } => {
                self.by_phone.remove(phone);
            }
            PhoneEvent::MessageReceived { from, to, body, content_type } => {
                let inbox = self.by_phone.entry(phone.clone()).or_default();
                if inbox.len() >= INBOX {
                    inbox.pop_front();
                }
                inbox.push_back(MessageView {
                    seq: envelope.seq,
                    at: envelope.at,
                    from: from.clone(),
                    to: to.clone(),
                    body: body.clone(),
                    content_type: content_type.clone(),
                });
            }
            PhoneEvent::Updated { .. }
            | PhoneEvent::Bound { .. }
            | PhoneEvent::Dropped {}
            | PhoneEvent::Registering { .. }
            | PhoneEvent::Registered { .. }
            | PhoneEvent::RegistrationFailed { .. }
            | PhoneEvent::Unregistered { .. }
            | PhoneEvent::Crashed { .. }
            | PhoneEvent::Restarted { .. }
            | PhoneEvent::MessageSent { .. }
            | PhoneEvent::MessageDelivered { .. }
            | PhoneEvent::MessageFailed { .. } => {}
        }
    }
}
