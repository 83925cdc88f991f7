//! Native tools over the journal: wait for an event, look up events.

use std::{sync::Arc, time::Duration};

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{
    command::Code,
    event::{Condition, Envelope, EventPattern, UnknownKind, check_condition, look_up},
    id::{CallId, PhoneId, RunId, Seq},
    journal::{About, Interest, Query},
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, native},
        context::CallContext,
        result::{Refusal, Reply},
        services::Services,
    },
};

use super::subject::Named;

/// Longest wait: clients give up on a request after about a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(45);

/// Most events in one answer.
const MOST_EVENTS: usize = 500;

/// Characters of each text in an event that a brief answer shows.
const BRIEF_TEXT: usize = 160;

pub(super) fn tools() -> Vec<ToolDefinition> {
    let label = |name, title, about| Label { name, title, about, hints: Hints::Reads };
    let event = json!({ "type": "object" });
    vec![
        native(
            label(
                "wait_for_event",
                "Wait for an event",
                "Wait until something happens: call.incoming, call.established, call.ended, dtmf.received, media.first_packet, media.tone_started, phone.registered, message.received ... Give the `seq` of your last action as `after`, so that an event that came meanwhile counts.",
            ),
            json!({ "type": "object", "properties": { "found": { "type": "boolean" }, "cursor": { "type": "integer" }, "event": event }, "required": ["found", "cursor"] }),
            wait_for_event,
        ),
        native(
            label(
                "query_events",
                "Look up events",
                "Look up what happened in the journal: calls, registrations, DTMF, media statistics, SIP messages, scenario runs, and why (cause).",
            ),
            json!({ "type": "object", "properties": { "events": { "type": "array", "items": event }, "cursor": { "type": "integer" }, "more": { "type": "boolean" } }, "required": ["events", "cursor", "more"] }),
            query_events,
        ),
    ]
}

arguments! {
    /// Arguments of `wait_for_event`.
    WaitForEvent {
        /// Kinds to wait for, exact (call.ended) or a family (call.*); one is enough.
        events: Vec<String>,
        /// Only this phone's.
        phone_id: Option<PhoneId>,
        /// Only this call's.
        call_id: Option<CallId>,
        /// What fields of its data must be, as in scenarios: {"digit": "5"}, {"status": "4xx"}, {"reason": "~busy"}, {"statistics.mos": ">= 4"}.
        r#match: Option<JsonObject>,
        /// Journal position to start after; now by default.
        after: Option<u64>,
        /// How long to wait, at most 45000.
        within_ms: u64 = 10000u64,
    }
}

async fn wait_for_event(services: Arc<Services>, given: WaitForEvent, context: CallContext) -> Reply {
    let read = patterns(&given.events)
        .and_then(|kinds| conditions(&kinds, given.r#match.as_ref()).map(|conditions| (kinds, conditions)));
    let named = Named { phone: given.phone_id.as_ref(), call: given.call_id, run: None, after: given.after };
    let (kinds, conditions) = match read.and_then(|read| named.check(&services).map(|()| read)) {
        Ok(read) => read,
        Err(refusal) => return Reply::refused(refusal),
    };
    let within = Duration::from_millis(given.within_ms).min(LONGEST_WAIT);
    let after = given.after.map_or_else(|| services.journal.head(), Seq);
    let wanted = Query { phone: given.phone_id, call: given.call_id, kinds, ..Query::default() };
    let started = Instant::now();
    let mut reader = services.journal.reader_of(after, interest(&wanted));
    loop {
        let next = tokio::select! {
            next = timeout_at(started + within, reader.next()) => next,
            () = context.canceled.cancelled() => break,
            () = services.closing.cancelled() => break,
        };
        match next {
            Ok(Ok(envelope)) if wanted.matches(&envelope) && holds(&envelope, &conditions) => {
                return found(&services, &envelope);
            }
            Ok(Ok(_)) => {}
            Ok(Err(gone)) => {
                let sentence = format!("events before {} are no longer kept", gone.oldest);
                return Reply::refused(Refusal::new(Code::NotFound, sentence).or_try(&["query_events"]));
            }
            Err(_) => break,
        }
    }
    let cursor = reader.position();
    let waited = started.elapsed().as_millis();
    let text = format!("no {} within {waited} ms (cursor {cursor})", given.events.join(" or "));
    Reply::native(text, json!({ "found": false, "cursor": cursor }))
}

/// Returns the interest of a wait: its kinds, about the narrowest subject named.
fn interest(wanted: &Query) -> Interest {
    let about = wanted.call.map(About::Call).or_else(|| wanted.phone.clone().map(About::Phone));
    let kinds = Interest::of_kinds(&wanted.kinds);
    about.map_or(kinds.clone(), |about| kinds.about(about))
}

fn found(services: &Services, envelope: &Envelope) -> Reply {
    let text = line(services, envelope);
    Reply::native(text, json!({ "found": true, "cursor": envelope.seq, "event": shown(envelope, false) }))
}

/// Parses the kinds, so that nobody waits for a typing mistake.
fn patterns(given: &[String]) -> Result<Vec<EventPattern>, Refusal> {
    if given.is_empty() {
        let families = "phone.*, call.*, media.*, dtmf.*, message.*, sip.*, run.*";
        return Err(invalid(&format!("events is empty: name kinds (call.ended) or families ({families})")));
    }
    let read = |text: &String| text.parse().map_err(|error: UnknownKind| invalid(&error));
    given.iter().map(read).collect()
}

/// Parses the conditions on the data, and refuses those that could never hold.
fn conditions(patterns: &[EventPattern], given: Option<&JsonObject>) -> Result<Vec<Condition>, Refusal> {
    let read = |(path, expected): (&String, &Value)| {
        let condition = Condition::new(path, expected).map_err(|error| invalid(&error))?;
        check_condition(patterns, &condition).map_err(|error| invalid(&error))?;
        Ok(condition)
    };
    given.into_iter().flatten().map(read).collect()
}

fn invalid(error: &impl ToString) -> Refusal {
    Refusal::new(Code::InvalidArgument, error.to_string())
}

fn holds(envelope: &Envelope, conditions: &[Condition]) -> bool {
    if conditions.is_empty() {
        return true;
    }
    let data = envelope.event.data();
    conditions.iter().all(|condition| condition.holds(look_up(&data, &condition.path)))
}

arguments! {
    /// Arguments of `query_events`.
    QueryEvents {
        /// Kinds, exact (call.ended) or a family (sip.*); all by default.
        events: Option<Vec<String>>,
        /// Only this phone's.
        phone_id: Option<PhoneId>,
        /// Only this call's.
        call_id: Option<CallId>,
        /// Only this scenario run's.
        run_id: Option<RunId>,
        /// Only after this journal position (a cursor).
        after: Option<u64>,
        /// Only before this journal position.
        before: Option<u64>,
        /// Text that the data must contain.
        text: Option<String>,
        /// At most this many, 1 to 500.
        limit: u32 = 50u32,
        /// Newest first; with `after`, oldest first reads on.
        newest_first: bool = false,
        /// Whole texts (SIP messages) instead of their beginnings.
        full: bool = false,
    }
}

async fn query_events(services: Arc<Services>, given: QueryEvents, _: CallContext) -> Reply {
    let named =
        Named { phone: given.phone_id.as_ref(), call: given.call_id, run: given.run_id, after: given.after };
    let read = given.events.as_deref().map_or(Ok(Vec::new()), patterns);
    let read = read.and_then(|kinds| named.check(&services).map(|()| kinds));
    let kinds = match read.and_then(|kinds| stretch(&given).map(|()| kinds)) {
        Ok(kinds) => kinds,
        Err(refusal) => return Reply::refused(refusal),
    };
    let limit = usize::try_from(given.limit).unwrap_or(MOST_EVENTS).clamp(1, MOST_EVENTS);
    let query = Query {
        phone: given.phone_id,
        call: given.call_id,
        run: given.run_id,
        kinds,
        after: given.after.map(Seq),
        before: given.before.map(Seq),
        text: given.text,
        // One more than is shown reveals whether there are more.
        limit: Some(limit + 1),
        newest_first: given.newest_first,
        ..Query::default()
    };
    let mut events = match services.journal.query(&query).await {
        Ok(events) => events,
        Err(error) => return Reply::refused(Refusal::new(Code::Unavailable, error.to_string())),
    };
    let more = events.len() > limit;
    events.truncate(limit);
    let cursor = events.last().map_or_else(|| services.journal.head(), |last| last.seq);
    let mut text: Vec<String> = events.iter().map(|envelope| line(&services, envelope)).collect();
    let direction = if given.newest_first { "before" } else { "after" };
    let kept_after = services.journal.kept_after();
    if kept_after > Seq(0) {
        text.push(format!("events up to {kept_after} are no longer kept"));
    }
    text.push(if more {
        format!("{} events; more with {direction} {cursor}", events.len())
    } else {
        format!("{} events, no more", events.len())
    });
    let shown: Vec<Value> = events.iter().map(|envelope| shown(envelope, given.full)).collect();
    Reply::native(text.join("\n"), json!({ "events": shown, "cursor": cursor, "more": more }))
}

/// Refuses a search that no event can match.
fn stretch(given: &QueryEvents) -> Result<(), Refusal> {
    if let (Some(after), Some(before)) = (given.after, given.before)
        && before <= after.saturating_add(1)
    {
        return Err(invalid(&format!("there is nothing after {after} and before {before}")));
    }
    if given.limit == 0 { Err(invalid(&"limit is 0: give 1 to 500")) } else { Ok(()) }
}

/// Builds the event's object; long texts are cut unless `full`.
fn shown(envelope: &Envelope, full: bool) -> Value {
    let mut value = serde_json::to_value(envelope).unwrap_or_default();
    if !full {
        cut(&mut value);
    }
    value
}

fn cut(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().count() > BRIEF_TEXT => {
            *text = text.chars().take(BRIEF_TEXT).chain("...".chars()).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(fields) => fields.values_mut().for_each(cut),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Builds one line for reading: position, time, subject, kind and the data in brief.
fn line(services: &Services, envelope: &Envelope) -> String {
    let subject = &envelope.subject;
    let time = envelope.at.to_zoned(services.zone.clone()).strftime("%H:%M:%S.%3f").to_string();
    let phone = subject.phone.as_ref().map(|phone| format!(" {phone}")).unwrap_or_default();
    let call = subject.call.map(|call| format!(" {call}")).unwrap_or_default();
    let run = subject.run.map(|run| format!(" {run}")).unwrap_or_default();
    let data = envelope.event.data().as_object().map(brief).unwrap_or_default();
    format!("#{} {time}{phone}{call}{run} {} {data}", envelope.seq, envelope.event.kind())
        .trim_end()
        .to_owned()
}

fn brief(fields: &Map<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| {
        // The message itself is in the structure and in get_sip_log.
        if value.is_null() || (name == "message" && value.is_object()) {
            return None;
        }
        let text = value.as_str().map(|text| text.chars().take(BRIEF_TEXT).collect::<String>());
        let shown = text.map_or_else(|| value.to_string(), |text| text.escape_debug().to_string());
        Some(format!("{name}={shown}"))
    };
    fields.iter().filter_map(field).collect::<Vec<_>>().join(" ")
}
