//! The newest events, in memory, up to a limit in bytes.
//!
//! Positions may have holes, after the import of a damaged file and where events were retired. So
//! an event is at the index its position suggests, counted from the newest, or a little later.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    event::{CallEvent, Envelope, Event, MediaEvent, PhoneEvent, RawMessage, RunEvent},
    id::Seq,
};

/// The newest events in order.
#[derive(Debug)]
pub(super) struct Memory {
    events: VecDeque<Arc<Envelope>>,
    /// Bytes that the events may take.
    capacity: usize,
    /// Bytes that they take, estimated.
    bytes: usize,
    /// Every existing event after this one is in `events`.
    complete_after: Seq,
}

impl Memory {
    /// Creates an empty memory for a journal whose newest event is `head`.
    pub(super) fn new(capacity: usize, head: Seq) -> Self {
        Self { events: VecDeque::new(), capacity, bytes: 0, complete_after: head }
    }

    /// Adds the newest event and drops the oldest ones while over the limit, except events after
    /// `free` and the newest.
    pub(super) fn push(&mut self, envelope: Arc<Envelope>, free: Seq) {
        self.bytes = self.bytes.saturating_add(weight(&envelope));
        self.events.push_back(envelope);
        while self.bytes > self.capacity && self.events.len() > 1 {
            match self.events.front() {
                Some(oldest) if oldest.seq <= free => {
                    self.complete_after = oldest.seq;
                    self.bytes = self.bytes.saturating_sub(weight(oldest));
                    self.events.pop_front();
                }
                Some(_) | None => break,
            }
        }
    }

    /// Removes events.
    pub(super) fn remove(&mut self, gone: &BTreeSet<Seq>) {
        self.events.retain(|envelope| !gone.contains(&envelope.seq));
        self.bytes = self.events.iter().map(|envelope| weight(envelope)).fold(0, usize::saturating_add);
    }

    /// Returns the position after which nothing is missing here.
    pub(super) const fn complete_after(&self) -> Seq {
        self.complete_after
    }

    /// Returns up to `limit` events after `after`, oldest first.
    pub(super) fn after(&self, after: Seq, limit: usize) -> impl Iterator<Item = &Arc<Envelope>> {
        self.events.range(self.place_after(after)..).take(limit)
    }

    /// Returns up to `limit` events before `before`, newest first.
    pub(super) fn before(&self, before: Seq, limit: usize) -> impl Iterator<Item = &Arc<Envelope>> {
        let to = before.0.checked_sub(1).map_or(0, |last| self.place_after(Seq(last)));
        self.events.range(..to).rev().take(limit)
    }

    /// Returns one event.
    pub(super) fn get(&self, seq: Seq) -> Option<&Arc<Envelope>> {
        let at = self.place_after(Seq(seq.0.checked_sub(1)?));
        self.events.get(at).filter(|envelope| envelope.seq == seq)
    }

    /// Returns the index of the first event after `after`.
    ///
    /// Readers mostly ask for the newest events, and a search through the old ones would pull them
    /// all into the CPU cache.
    fn place_after(&self, after: Seq) -> usize {
        let Some(newest) = self.events.back() else { return 0 };
        let behind = usize::try_from(newest.seq.0.saturating_sub(after.0)).unwrap_or(usize::MAX);
        // Without holes exactly this many events follow, with holes fewer.
        let earliest = self.events.len().saturating_sub(behind);
        match self.events.get(earliest) {
            None => earliest,
            Some(event) if event.seq.0 == after.0.saturating_add(1) => earliest,
            Some(_) => self.events.partition_point(|envelope| envelope.seq <= after),
        }
    }
}

/// Estimates how many bytes an event takes: its own size, the small strings that every event has,
/// and the strings of any length.
pub(super) fn weight(envelope: &Envelope) -> usize {
    const EVENT: usize = size_of::<Envelope>() + 200;
    let texts = match &envelope.event {
        Event::Sip(event) => event.on_wire().map_or(0, |passed| match passed.message {
            RawMessage::Text(text) | RawMessage::Base64(text) => text.len(),
        }),
        Event::Phone(PhoneEvent::MessageReceived { body, .. } | PhoneEvent::MessageSent { body, .. }) => {
            body.len()
        }
        Event::Call(CallEvent::Dialog { dialog }) => {
            dialog.route_set.iter().map(String::len).fold(400, usize::saturating_add)
        }
        Event::Media(
            MediaEvent::ConferenceJoined { members, hears, heard_by, .. }
            | MediaEvent::ConferenceChanged { members, hears, heard_by, .. },
        ) => {
            // As text, `"call-1000",` each.
            [members, hears, heard_by].iter().map(|calls| calls.len()).sum::<usize>().saturating_mul(14)
        }
        Event::Run(event) => of_run(event),
        Event::Phone(_) | Event::Call(_) | Event::Media(_) | Event::Capture(_) | Event::System(_) => 0,
    };
    EVENT.saturating_add(texts)
}

fn of_run(event: &RunEvent) -> usize {
    match event {
        RunEvent::Log { message: text } | RunEvent::Finished { reason: text, .. } => text.len(),
        RunEvent::ActionStarted { args: value, .. } | RunEvent::Signal { data: value, .. } => of_json(value),
        RunEvent::ActionFailed { args, error, .. } => of_json(args).saturating_add(error.len()),
        RunEvent::ExpectationMet { expectation, .. } => expectation.len(),
        RunEvent::ExpectationFailed { expectation, instead, .. } => {
            expectation.len().saturating_add(instead.len())
        }
        RunEvent::Started { .. } | RunEvent::HookFired { .. } => 0,
        RunEvent::ActionFinished { .. } | RunEvent::Checkpoint { .. } | RunEvent::CleaningUp {} => 0,
    }
}

fn of_json(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(of_json).fold(0, usize::saturating_add),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| name.len().saturating_add(of_json(value));
            fields.iter().map(field).fold(0, usize::saturating_add)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    inside.saturating_add(size_of::<Value>())
}
