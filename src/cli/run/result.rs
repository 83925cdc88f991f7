//! A finished run becomes a report: places with files, planes, ladder, where to look.

use std::{path::Path, sync::Arc};

use crate::{
    event::{CallEvent, Envelope, Event, MediaEvent, SipEvent},
    id::{PhoneId, RunId, Seq},
    journal::{Journal, Query},
    report::{FailureReport, Ladder, RunReport, Selection},
    scenario::{RunSummary, Scenario},
};

/// Lines of the ladder that go with a failure.
const EXCERPT: usize = 15;

/// What is known of a scenario before its run takes it over.
pub(super) struct Described {
    pub(super) name: String,
    pub(super) path: String,
    tags: Vec<String>,
    phones: Vec<PhoneId>,
}

impl Described {
    pub(super) fn of(scenario: &Scenario, path: &str) -> Self {
        Self {
            name: scenario.name.clone(),
            path: path.to_owned(),
            tags: scenario.tags.clone(),
            phones: scenario.phones.iter().map(|phone| phone.id.clone()).collect(),
        }
    }

    /// Makes the report of a run whose events lie after `after`.
    pub(super) async fn report(
        self,
        summary: RunSummary,
        journal: &Journal,
        after: Seq,
        kept: Option<&Path>,
    ) -> RunReport {
        let events = self.events(journal, after, summary.run).await;
        let ladder = Ladder::draw(&events, &self.phones, Selection::WithoutRegistrations);
        let near = summary.failures.first().and_then(|failure| failure.by);
        let planes = self.planes(&events);
        let failures = summary.failures.iter().map(|failure| FailureReport {
            place: failure.at.text().map_or_else(|| self.path.clone(), |at| format!("{}:{at}", self.path)),
            list: failure.list.clone(),
            expected: failure.expected.clone(),
            instead: failure.instead.clone(),
            by: failure.by,
            planes: planes.clone(),
        });
        let mut notes = Vec::new();
        if !summary.idle_hooks.is_empty() {
            notes.push(format!("never fired: {}", summary.idle_hooks.join(", ")));
        }
        if !summary.left_over.is_empty() {
            let calls: Vec<_> = summary.left_over.iter().map(ToString::to_string).collect();
            notes.push(format!("not ended in time: {}", calls.join(", ")));
        }
        let look = match kept {
            Some(folder) => vec![format!("offhook log --data {} --run {}", folder.display(), summary.run)],
            None => vec![format!("offhook run --keep {} keeps journal and recordings", self.path)],
        };
        RunReport {
            failures: failures.collect(),
            ladder: ladder.text(),
            excerpt: ladder.excerpt(near, EXCERPT),
            name: self.name,
            source: self.path,
            tags: self.tags,
            run: summary.run,
            verdict: summary.verdict,
            reason: summary.reason,
            elapsed: summary.elapsed,
            held: summary.held.len(),
            notes,
            look,
        }
    }

    /// Returns what the run and its phones did.
    async fn events(&self, journal: &Journal, after: Seq, run: RunId) -> Vec<Arc<Envelope>> {
        let all = journal.query(&Query { after: Some(after), ..Query::default() }).await;
        let all = all.unwrap_or_else(|error| {
            tracing::warn!(%error, "the run's events cannot be read");
            Vec::new()
        });
        let ours = |envelope: &Arc<Envelope>| {
            let phone = envelope.subject.phone.as_ref();
            envelope.subject.run == Some(run) || phone.is_some_and(|phone| self.phones.contains(phone))
        };
        all.into_iter().filter(ours).collect()
    }

    /// Says of each phone how far signaling and media came.
    fn planes(&self, events: &[Arc<Envelope>]) -> Vec<String> {
        let plane = |phone: &PhoneId| {
            let of_phone = || events.iter().filter(|envelope| envelope.subject.phone.as_ref() == Some(phone));
            let signaling = of_phone().rev().find_map(|envelope| last_message(&envelope.event));
            let call = of_phone().rev().find_map(|envelope| call_state(&envelope.event));
            let media = of_phone().rev().find_map(|envelope| media_state(&envelope.event));
            format!(
                "{phone}: sip {}; call {}; rtp {}",
                signaling.unwrap_or_else(|| "nothing".to_owned()),
                call.unwrap_or("none"),
                media.unwrap_or_else(|| "nothing received".to_owned())
            )
        };
        self.phones.iter().map(plane).collect()
    }
}

fn last_message(event: &Event) -> Option<String> {
    let (summary, verb) = match event {
        Event::Sip(SipEvent::Sent { summary, .. }) => (summary, "sent"),
        Event::Sip(SipEvent::Received { summary, .. }) => (summary, "received"),
        Event::Sip(SipEvent::Anomaly { .. } | SipEvent::Refused { .. })
        | Event::Phone(_)
        | Event::Call(_)
        | Event::Media(_)
        | Event::Run(_)
        | Event::System(_) => return None,
    };
    let method = summary.method.as_deref().unwrap_or("?");
    // Cleaning up registers nothing that a reader of a failed call wants to know.
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
    if let MediaEvent::Statistics { statistics } | MediaEvent::Stopped { statistics } = event {
        return Some(format!("{} packets received", statistics.received_packets));
    }
    matches!(event, MediaEvent::FirstPacket { .. }).then(|| "packets received".to_owned())
}
