//! What happened in a call or run, as rows for reports.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{RunView, describe};
use crate::{
    event::{Cause, Envelope, Event},
    id::{CallId, PhoneId, RunId, Seq},
    journal::{Journal, JournalError, Query},
};

/// What a timeline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One call.
    Call(CallId),
    /// One run: its own events and those of its phones while it ran.
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
    /// Why it happened.
    pub cause: Cause,
}

/// Makes the rows; a run that is no longer known has none.
pub(super) async fn rows(
    journal: &Journal,
    scope: Scope,
    run: Option<&RunView>,
) -> Result<Vec<TimelineRow>, JournalError> {
    let events = match (scope, run) {
        (Scope::Call(call), _) => journal.query(&Query::of_call(call)).await?,
        (Scope::Run(_), None) => Vec::new(),
        (Scope::Run(_), Some(run)) => events_of_run(journal, run).await?,
    };
    let start = events.first().map(|first| first.at);
    Ok(events.iter().map(|envelope| row(envelope, start.unwrap_or(envelope.at))).collect())
}

async fn events_of_run(journal: &Journal, run: &RunView) -> Result<Vec<Arc<Envelope>>, JournalError> {
    let over = run.verdict.map(|_| Seq(run.latest.0.saturating_add(1)));
    let query = Query { after: Some(Seq(run.first.0.saturating_sub(1))), before: over, ..Query::default() };
    let concerned = |envelope: &Arc<Envelope>| {
        let subject = &envelope.subject;
        let signaling = matches!(envelope.event, Event::Sip(_));
        match &subject.phone {
            Some(phone) => !signaling && run.phones.contains(phone),
            None => subject.run == Some(run.id),
        }
    };
    let mut events = journal.query(&query).await?;
    events.retain(concerned);
    Ok(events)
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
