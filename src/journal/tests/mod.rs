//! Tests of the journal, by claim.

mod append;
mod cut;
mod disk;
mod ending;
mod interest;
mod kept;
mod lines;
mod memory;
mod redaction;

use std::sync::Arc;

use super::*;
use crate::{
    event::{CallEvent, Cause, Envelope, Event, RunEvent, Subject},
    id::{CallId, RunId, Seq},
    wall::Wall,
};

/// Remembers which events it has applied.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Seen(pub(super) Vec<u64>);

impl Fold for Seen {
    fn apply(&mut self, envelope: &Envelope) {
        self.0.push(envelope.seq.0);
    }
}

impl Seen {
    pub(super) fn all(&self) -> Vec<u64> {
        self.0.clone()
    }
}

/// Returns the bytes that `events` log lines take in memory.
pub(super) fn room_for(events: usize) -> usize {
    let journal = with_lines(1);
    let line = journal.query_blocking(&Query::default()).unwrap();
    events * (super::memory::weight(&line[0]) + 8)
}

/// A journal in memory with `count` log lines, `0` to `count - 1`.
pub(super) fn with_lines(count: u64) -> Journal {
    let journal = Journal::in_memory(Wall::system());
    lines(&journal, 0, count);
    journal
}

/// Appends `count` log lines, counting from `from`.
pub(super) fn lines(journal: &Journal, from: u64, count: u64) {
    for n in from..from + count {
        journal.append(Subject::run(RunId(1)), Cause::Start, RunEvent::Log { message: n.to_string() });
    }
}

pub(super) fn seqs(envelopes: &[Arc<Envelope>]) -> Vec<u64> {
    envelopes.iter().map(|envelope| envelope.seq.0).collect()
}

/// Appends the first fact of an outbound call of phone `a`.
pub(super) fn placed(journal: &Journal, call: u64) -> Seq {
    let subject = Subject::call("a".parse().unwrap(), CallId(call));
    let event = CallEvent::Placed {
        target: "sip:b@example.com".into(),
        local: "sip:a@example.com".into(),
        sip_call_id: format!("id-{call}"),
    };
    journal.append(subject, Cause::Start, event)
}
