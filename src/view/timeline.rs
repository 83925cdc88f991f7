//! What happened in a call or run, as rows for reports.

use std::time::Duration;

use jiff::Timestamp;

use super::describe;
use crate::{
    event::{Cause, Envelope, Event},
    id::{CallId, PhoneId, RunId, Seq},
    journal::{Journal, JournalError, Query},
};

/// The subject of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One call.
    Call(CallId),
    /// One run: everything except SIP messages.
    Run(RunId),
}

/// One row of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    /// Position of the event.
    pub seq: Seq,
    /// When it happened.
    pub at: Timestamp,
    /// Time since the first row.
    pub offset: Duration,
    /// The phone concerned.
    pub phone: Option<PhoneId>,
    /// The call concerned.
    pub call: Option<CallId>,
    /// Kind of the event.
    pub kind: &'static str,
    /// The essential data in words.
    pub text: String,
    /// The cause.
    pub cause: Cause,
}

/// Builds the rows.
pub(super) async fn rows(journal: &Journal, scope: Scope) -> Result<Vec<TimelineRow>, JournalError> {
    let events = match scope {
        Scope::Call(call) => journal.query(&Query::of_call(call)).await?,
        Scope::Run(run) => {
            let mut events = journal.query(&Query { run: Some(run), ..Query::default() }).await?;
            // Ladders show what is on the wire.
            events.retain(|envelope| !matches!(envelope.event, Event::Sip(_)));
            events
        }
    };
    let start = events.first().map(|first| first.at);
    Ok(events.iter().map(|envelope| row(envelope, start.unwrap_or(envelope.at))).collect())
}

fn row(envelope: &Envelope, start: Timestamp) -> TimelineRow {
    TimelineRow {
        seq: envelope.seq,
        at: envelope.at,
        offset: Duration::try_from(envelope.at.duration_since(start)).unwrap_or_default(),
        phone: envelope.subject.phone.clone(),
        call: envelope.subject.call,
        kind: envelope.event.kind(),
        text: describe(&envelope.event),
        cause: envelope.cause.clone(),
    }
}
