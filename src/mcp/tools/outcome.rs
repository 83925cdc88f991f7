//! The outcome of an action that the other side has to confirm: done, refused, or not known yet.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{
    command::{Arguments, CommandKind, Outcome},
    event::{CallEvent, Event, Party, PhoneEvent},
    id::{CallId, PhoneId, Seq},
    journal::{About, Interest, Kinds, Query},
    mcp::{context::CallContext, services::Services},
};

/// Longest wait: clients give up on a request after about a minute.
const LONGEST: Duration = Duration::from_secs(45);
/// How long to wait for an attended transfer, whose result says whether it is done.
const TRANSFER: Duration = Duration::from_secs(1);

/// The outcome of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Settled {
    /// The other side did it.
    Done,
    /// The other side refused, or it failed.
    Refused { status: Option<u16>, reason: String },
    /// The other side has not answered yet.
    Pending,
}

impl Settled {
    /// Returns the keys that report it in a result.
    pub(super) fn keys(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Done => vec![("outcome", "done".into())],
            Self::Pending => vec![("outcome", "pending".into())],
            Self::Refused { status, reason } => {
                vec![
                    ("outcome", "refused".into()),
                    ("outcome_status", json!(status)),
                    ("outcome_reason", reason.as_str().into()),
                ]
            }
        }
    }
}

/// What the other side has to confirm.
enum Wish {
    /// The hold, or its end, on this call.
    Held { call: CallId, held: bool },
    /// A REFER of this call.
    Transfer { call: CallId },
    /// The MESSAGE of this `message.sent`.
    Message { ours: Option<Seq> },
    /// The removal of the binding.
    Unregistered,
}

/// Waits for the outcome of a command as long as its caller wants; `None` if nobody has to confirm
/// it.
pub(super) async fn settle(
    services: &Services,
    phone: &PhoneId,
    kind: CommandKind,
    given: &Arguments,
    asked: &Outcome,
    context: &CallContext,
) -> Option<Settled> {
    let wish = wish(services, phone, kind, asked).await?;
    let usual = if kind == CommandKind::AttendedTransfer { TRANSFER } else { Duration::ZERO };
    let until = Instant::now() + given.time("wait").unwrap_or(usual).min(LONGEST);
    if wish.is_so(services) {
        return Some(Settled::Done);
    }
    let subject = match &wish {
        Wish::Held { call, .. } | Wish::Transfer { call } => About::Call(*call),
        Wish::Message { .. } | Wish::Unregistered => About::Phone(phone.clone()),
    };
    let interest =
        Interest { subjects: vec![subject], kinds: Kinds::of(&["call.*", "phone.*", "message.*"]) };
    let mut reader = services.journal.reader_of(asked.seq, interest);
    loop {
        let next = tokio::select! {
            biased;
            next = timeout_at(until, reader.next()) => next,
            () = context.canceled.cancelled() => return Some(Settled::Pending),
            () = services.closing.cancelled() => return Some(Settled::Pending),
        };
        // The awaited event may be among those no longer kept.
        let Ok(Ok(envelope)) = next else { return Some(Settled::Pending) };
        if let Some(settled) = wish.settled_by(&envelope.event) {
            return Some(settled);
        }
    }
}

async fn wish(services: &Services, phone: &PhoneId, kind: CommandKind, asked: &Outcome) -> Option<Wish> {
    if matches!(kind, CommandKind::Hold | CommandKind::Resume) {
        return Some(Wish::Held { call: asked.call?, held: kind == CommandKind::Hold });
    }
    if matches!(kind, CommandKind::Transfer | CommandKind::AttendedTransfer) {
        return Some(Wish::Transfer { call: asked.call? });
    }
    if kind == CommandKind::SendMessage {
        return Some(Wish::Message { ours: sent(services, phone, asked).await });
    }
    (kind == CommandKind::Unregister).then_some(Wish::Unregistered)
}

impl Wish {
    /// Returns whether nothing had to be requested, because it already is so.
    fn is_so(&self, services: &Services) -> bool {
        let Self::Held { call, held } = self else { return false };
        let call = services.views.call(*call);
        call.is_some_and(|call| call.modifying.is_none() && call.held_by_local == *held)
    }

    fn settled_by(&self, event: &Event) -> Option<Settled> {
        match event {
            Event::Call(event) => self.settled_by_call(event),
            Event::Phone(event) => self.settled_by_phone(event),
            Event::Media(_) | Event::Capture(_) | Event::Sip(_) | Event::Run(_) | Event::System(_) => None,
        }
    }

    fn settled_by_call(&self, event: &CallEvent) -> Option<Settled> {
        let local = Party::Local;
        match (self, event) {
            (Self::Held { held: true, .. }, CallEvent::Held { by }) if *by == local => Some(Settled::Done),
            (Self::Held { held: false, .. }, CallEvent::Resumed { by }) if *by == local => {
                Some(Settled::Done)
            }
            (Self::Held { .. }, CallEvent::ModifyFailed { status, reason })
            | (Self::Transfer { .. }, CallEvent::TransferRefused { status, reason }) => {
                Some(refused(*status, reason))
            }
            (Self::Transfer { .. }, CallEvent::TransferProgress { status, .. }) if *status < 200 => None,
            (Self::Transfer { .. }, CallEvent::TransferProgress { status, .. }) if *status < 300 => {
                Some(Settled::Done)
            }
            (Self::Transfer { .. }, CallEvent::TransferProgress { status, reason }) => {
                Some(refused(Some(*status), reason))
            }
            // It may have been done without anybody confirming it.
            (Self::Transfer { .. }, CallEvent::Ended { .. }) => Some(Settled::Pending),
            (_, CallEvent::Ended { status, .. }) => Some(refused(*status, "the call ended before")),
            (_, _) => None,
        }
    }

    fn settled_by_phone(&self, event: &PhoneEvent) -> Option<Settled> {
        match (self, event) {
            (Self::Message { ours }, PhoneEvent::MessageDelivered { sent, .. }) if ours == sent => {
                Some(Settled::Done)
            }
            (Self::Message { ours }, PhoneEvent::MessageFailed { sent, status, reason, .. })
                if ours == sent =>
            {
                Some(refused(*status, reason))
            }
            (Self::Unregistered, PhoneEvent::Unregistered { .. }) => Some(Settled::Done),
            (Self::Unregistered, PhoneEvent::RegistrationFailed { status, reason, .. }) => {
                Some(refused(*status, reason))
            }
            (_, _) => None,
        }
    }
}

fn refused(status: Option<u16>, reason: &str) -> Settled {
    Settled::Refused { status, reason: reason.to_owned() }
}

/// Returns the seq of the `message.sent` that a command led to.
async fn sent(services: &Services, phone: &PhoneId, asked: &Outcome) -> Option<Seq> {
    let sent = Query {
        phone: Some(phone.clone()),
        before: Some(Seq(asked.seq.0 + 1)),
        limit: Some(1),
        newest_first: true,
        ..Query::of_kinds(&["message.sent"])
    };
    let found = services.journal.query(&sent).await.ok()?;
    found.first().map(|envelope| envelope.seq)
}
