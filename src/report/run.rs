//! The report of a run: places in files, how far each phone's call came, the ladder.

use std::sync::Arc;

use super::{FailureReport, Ladder, RunReport, Selection};
use crate::{
    event::{CallEvent, Envelope, Event, MediaEvent, OnWire, RunEvent},
    id::PhoneId,
    view::{RunEnd, RunView},
};

/// Lines of the ladder shown with a failure.
const EXCERPT: usize = 15;

impl RunReport {
    /// Builds the report of a run from its events; `look` says where to look further, `width`
    /// limits the lines of a ladder.
    #[must_use]
    pub fn of(run: &RunView, events: &[Arc<Envelope>], look: Vec<String>, width: Option<usize>) -> Self {
        let RunEnd { verdict, reason, elapsed, idle_hooks, left_over, .. } = run.outcome();
        let ladder = Ladder::draw(events, &run.phones, Selection::WithoutRegistrations).within(width);
        let near = run.failures.first().and_then(|failure| failure.by);
        let source = run.source.clone().unwrap_or_default();
        // How the run's calls are ended afterwards says nothing about why it failed.
        let cleaning = |envelope: &Arc<Envelope>| {
            envelope.subject.run == Some(run.id)
                && matches!(envelope.event, Event::Run(RunEvent::CleaningUp {}))
        };
        let until = events.iter().position(cleaning).unwrap_or(events.len());
        let planes = planes(run, events.get(..until).unwrap_or_default());
        let failures = run.failures.iter().map(|failure| FailureReport {
            place: place(run.source.as_deref(), failure.at.as_deref()),
            step: failure.step.clone(),
            list: failure.list.clone(),
            expected: failure.expected.clone(),
            instead: failure.instead.clone(),
            by: failure.by,
            planes: planes.clone(),
        });
        let mut notes = Vec::new();
        if !idle_hooks.is_empty() {
            notes.push(format!("never fired: {}", idle_hooks.join(", ")));
        }
        if !left_over.is_empty() {
            let calls: Vec<_> = left_over.iter().map(ToString::to_string).collect();
            notes.push(format!("not ended in time: {}", calls.join(", ")));
        }
        Self {
            failures: failures.collect(),
            ladder: ladder.text(),
            excerpt: ladder.excerpt(near, EXCERPT),
            name: run.name.clone(),
            source,
            tags: run.tags.clone(),
            run: run.id,
            verdict,
            reason,
            elapsed,
            held: run.held.len(),
            notes,
            look,
        }
    }
}

fn place(source: Option<&str>, at: Option<&str>) -> String {
    [source, at].into_iter().flatten().collect::<Vec<_>>().join(":")
}

/// Describes for each phone how far signaling and media came.
fn planes(run: &RunView, events: &[Arc<Envelope>]) -> Vec<String> {
    let plane = |phone: &PhoneId| {
        let is_of_phone = |envelope: &&Arc<Envelope>| {
            envelope.subject.phone.as_ref().is_some_and(|found| found.seen_by(run.id) == *phone)
        };
        let of_phone = || events.iter().filter(is_of_phone).rev();
        let signaling = of_phone().find_map(|envelope| last_message(&envelope.event));
        let call = of_phone().find_map(|envelope| call_state(&envelope.event));
        let media = of_phone().find_map(|envelope| media_state(&envelope.event));
        format!(
            "{phone}: sip {}; call {}; rtp {}",
            signaling.unwrap_or_else(|| "nothing".to_owned()),
            call.unwrap_or("none"),
            media.unwrap_or_else(|| "nothing received".to_owned())
        )
    };
    run.phones.iter().map(plane).collect()
}

fn last_message(event: &Event) -> Option<String> {
    let Event::Sip(event) = event else { return None };
    let OnWire { summary, sent, .. } = event.on_wire()?;
    let verb = if sent { "sent" } else { "received" };
    let method = summary.method.as_deref().unwrap_or("?");
    // Registrations do not interest a reader of a failed call.
    (method != "REGISTER").then(|| match summary.status {
        Some(status) => format!("{verb} {status} to {method} last"),
        None => format!("{verb} {method} last"),
    })
}

fn call_state(event: &Event) -> Option<&'static str> {
    let Event::Call(event) = event else { return None };
    [
        (matches!(event, CallEvent::Ended { .. }), "ended"),
        (matches!(event, CallEvent::Established { .. }), "up"),
        (matches!(event, CallEvent::Answered { .. }), "answered"),
        (matches!(event, CallEvent::Ringing { .. }), "ringing"),
        (matches!(event, CallEvent::Placed { .. } | CallEvent::Incoming { .. }), "begun"),
    ]
    .into_iter()
    .find_map(|(is, word)| is.then_some(word))
}

fn media_state(event: &Event) -> Option<String> {
    let Event::Media(event) = event else { return None };
    if let MediaEvent::Statistics { statistics, .. } | MediaEvent::Stopped { statistics, .. } = event {
        return Some(format!("{} packets received", statistics.received_packets));
    }
    matches!(event, MediaEvent::FirstPacket { .. }).then(|| "packets received".to_owned())
}
