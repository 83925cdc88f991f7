//! What the engine remembers about one session, and how others see it.

use super::{EndCause, Party};
use crate::dialog::{DialogKey, DialogRecord, DialogSet, DialogSetId};
use crate::message::Message;
use crate::user_agent::{Flow, NamedHeaders, SessionId};
use std::fmt;
use std::time::Duration;

/// Who started a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer called.
    Inbound,
    /// We called.
    Outbound,
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Our INVITE has no response above 100 yet.
    Calling,
    /// A provisional response was received, or the incoming call waits for our answer.
    Ringing,
    /// Our 2xx was sent and its ACK has not come yet.
    Answered,
    /// Both sides agreed.
    Established,
    /// CANCEL or BYE is under way.
    Ending,
    /// Over; only repeats are still absorbed.
    Ended,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Established => "established",
            Self::Ending => "ending",
            Self::Ended => "ended",
        })
    }
}

/// A session as others may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// State.
    pub state: SessionState,
    /// Who started it.
    pub direction: Direction,
    /// Call-ID.
    pub sip_call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The dialog: the confirmed one, else the latest early one.
    pub dialog: Option<DialogRecord>,
    /// Whether a 2xx has completed that dialog (§12): it is ended with BYE, an early one with CANCEL or a refusal.
    pub confirmed: bool,
    /// Every early dialog of a forked INVITE.
    pub early: Vec<DialogKey>,
}

/// How far the canceling of our INVITE has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cancel {
    No,
    /// Wanted, but §9.1 forbids it before the first provisional response.
    Wanted(NamedHeaders),
    Sent,
}

/// A 2xx to an INVITE of ours, for its ACK.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The INVITE that was answered.
    pub(crate) outgoing: u64,
    pub(crate) cseq: u32,
    /// Headers with credentials of the INVITE, which the ACK repeats.
    pub(crate) credentials: NamedHeaders,
}

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) server: u64,
    pub(crate) cseq: u32,
    pub(crate) flow: Flow,
    pub(crate) message: Message,
    pub(crate) interval: Duration,
    /// It carries the offer, which the ACK has to answer.
    pub(crate) offers: bool,
}

/// One INVITE session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) state: SessionState,
    pub(crate) direction: Direction,
    /// The dialogs that this session uses.
    pub(crate) dialogs: DialogSetId,
    /// Our first INVITE while its transaction is open.
    pub(crate) invite: Option<u64>,
    pub(crate) cancel: Cancel,
    /// Our INVITE or re-INVITE carried no offer, so its 2xx does.
    pub(crate) offerless: bool,
    /// A 2xx that carried the offer and waits for `acknowledge`.
    pub(crate) owed_ack: Option<Answered>,
    /// An INVITE or re-INVITE that waits for our final response.
    pub(crate) server: Option<u64>,
    /// The last provisional response, sent or received, to recognize its repeats.
    pub(crate) provisional: Option<Message>,
    /// The last description in a response to our INVITE, with the tag of its dialog.
    pub(crate) early_answer: Option<(String, Vec<u8>)>,
    pub(crate) answer: Option<Answer>,
    /// Hang-up that waits for the ACK of our 2xx (§15).
    pub(crate) bye_after_ack: Option<NamedHeaders>,
    /// Our re-INVITE while its transaction is open.
    pub(crate) reinvite: Option<u64>,
    /// A re-INVITE of ours collided with the peer's, and the pause before the next is not over.
    pub(crate) glare: bool,
    /// What to report when our BYE is over.
    pub(crate) ending: Option<(Party, EndCause)>,
    /// Requests and transactions that still refer to this session.
    pub(crate) open: usize,
}

impl Session {
    pub(crate) const fn new(direction: Direction, dialogs: DialogSetId) -> Self {
        Self {
            state: match direction {
                Direction::Inbound => SessionState::Ringing,
                Direction::Outbound => SessionState::Calling,
            },
            direction,
            dialogs,
            invite: None,
            cancel: Cancel::No,
            offerless: false,
            owed_ack: None,
            server: None,
            provisional: None,
            early_answer: None,
            answer: None,
            bye_after_ack: None,
            reinvite: None,
            glare: false,
            ending: None,
            open: 0,
        }
    }

    pub(crate) fn is_canceling(&self) -> bool {
        self.cancel != Cancel::No || self.is_over()
    }

    pub(crate) fn is_established(&self) -> bool {
        self.state == SessionState::Established
    }

    /// Tells whether the session is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.state == SessionState::Ended
    }

    /// Tells whether the session is ending or over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, SessionState::Ending | SessionState::Ended)
    }

    /// Returns whether the dialog is complete (§12.1).
    fn is_confirmed(&self, dialogs: &DialogSet) -> bool {
        match self.direction {
            Direction::Outbound => dialogs.dialog().is_some(),
            Direction::Inbound => matches!(
                self.state,
                SessionState::Answered | SessionState::Established | SessionState::Ending
            ),
        }
    }

    fn view(&self, dialogs: &DialogSet) -> SessionView {
        SessionView {
            state: self.state,
            direction: self.direction,
            sip_call_id: dialogs.call_id.clone(),
            local_tag: dialogs.local_tag.clone(),
            dialog: dialogs.latest().cloned(),
            confirmed: self.is_confirmed(dialogs),
            early: dialogs.early().map(DialogRecord::key).collect(),
        }
    }
}

impl crate::user_agent::UserAgent {
    /// Returns a session as it stands; `None` when it is unknown or forgotten.
    pub fn session(&self, id: SessionId) -> Option<SessionView> {
        let session = self.sessions.get(&id)?;
        Some(session.view(self.dialogs.get(session.dialogs)?))
    }

    /// Returns the Call-ID of a session.
    pub fn sip_call_id(&self, id: SessionId) -> Option<&str> {
        self.dialogs_of(id).map(|dialogs| dialogs.call_id.as_str())
    }

    /// Returns the dialog of a session that is not over, the confirmed one or else the latest early
    /// one, and whether it is confirmed. [`session`](Self::session) says the same, but copies.
    pub fn live_dialog(&self, id: SessionId) -> Option<(&DialogRecord, bool)> {
        let session = self.sessions.get(&id).filter(|session| session.state != SessionState::Ended)?;
        let dialogs = self.dialogs.get(session.dialogs)?;
        Some((dialogs.latest()?, session.is_confirmed(dialogs)))
    }

    /// Returns the handles of all sessions that are not over, oldest first.
    pub fn session_ids(&self) -> Vec<SessionId> {
        let alive = self.sessions.iter().filter(|(_, session)| session.state != SessionState::Ended);
        alive.map(|(&id, _)| id).collect()
    }

    /// Finds the session that owns a dialog, for example the one that a Replaces header names.
    pub fn session_with(&self, dialog: &DialogKey) -> Option<SessionId> {
        let id = self.dialogs.session_with(dialog)?;
        let session = self.sessions.get(&id)?;
        (session.state != SessionState::Ended).then_some(id)
    }

    /// Returns the dialogs of a session.
    pub(crate) fn dialogs_of(&self, id: SessionId) -> Option<&DialogSet> {
        self.dialogs.get(self.sessions.get(&id)?.dialogs)
    }

    /// Returns the dialogs of a session, for changes.
    pub(crate) fn dialogs_of_mut(&mut self, id: SessionId) -> Option<&mut DialogSet> {
        self.dialogs.get_mut(self.sessions.get(&id)?.dialogs)
    }

    /// Returns the settled dialog of a session.
    pub(crate) fn dialog_of(&self, id: SessionId) -> Option<&DialogRecord> {
        self.dialogs_of(id)?.dialog().map(|dialog| &dialog.record)
    }

    /// Takes over the peer's Contact from a target refresh (§12.2).
    pub(crate) fn refresh_target(&mut self, id: SessionId, message: &Message) {
        if let Some(dialog) = self.dialogs_of_mut(id).and_then(DialogSet::dialog_mut) {
            dialog.record.refresh_target(message);
        }
    }

    /// Returns our tag in a session's dialogs.
    pub(crate) fn local_tag_of(&self, id: SessionId) -> Option<String> {
        self.dialogs_of(id).map(|dialogs| dialogs.local_tag.clone())
    }

    /// Counts up and returns the CSeq of a session's next request.
    pub(crate) fn next_cseq_of(&mut self, id: SessionId) -> Option<u32> {
        self.dialogs_of_mut(id).map(DialogSet::next_cseq)
    }
}
