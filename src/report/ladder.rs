//! The SIP messages of a run as an ASCII ladder: one column per phone, one for the PBX, time
//! running down.
//!
//! ```text
//!             a                     pbx                     b
//!   0.000     │─ INVITE sdp ────────►│                       │
//!   0.003     │◄──────────────── 407 ─│                       │
//! ```

use std::sync::Arc;

use super::label::label;
use crate::{
    event::{Envelope, Event, MediaEvent, OnWire, RunEvent, SipEvent, SipSummary, Transport},
    id::{PhoneId, RunId, Seq},
};

/// Distance between two columns, and the smallest at which an arrow is still readable.
const STEP: usize = 24;
const NARROWEST: usize = 15;
/// Marks where cleaning up begins.
const CLEANING: &str = "cleaning up";
/// Position of the first column.
const FIRST: usize = 12;

/// A ladder, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    /// Phones in the order of their columns, with the text above each.
    columns: Vec<(PhoneId, String)>,
    rows: Vec<Row>,
    /// Columns of the terminal; `None` if lines may have any length.
    width: Option<usize>,
}

#[derive(Clone, Debug)]
struct Row {
    seq: Seq,
    offset: f64,
    drawn: Drawn,
}

#[derive(Clone, Debug)]
enum Drawn {
    Arrow { column: usize, sent: bool, label: String },
    Remark(String),
}

/// Which messages are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    Everything,
    /// Calls and messages; registrations only if there is nothing else.
    WithoutRegistrations,
}

/// One of the columns that an arrow connects.
#[derive(Clone, Copy)]
enum End {
    Phone(usize),
    Pbx,
}

impl Ladder {
    /// Draws the messages of these events, phones in the given order.
    #[must_use]
    pub fn draw(events: &[Arc<Envelope>], phones: &[PhoneId], selection: Selection) -> Self {
        let calls =
            events.iter().filter_map(|envelope| message(envelope)).any(|passed| !registers(passed.summary));
        let skip = selection == Selection::WithoutRegistrations && calls;
        let shown: Vec<_> = events
            .iter()
            .filter(|envelope| message(envelope).is_some_and(|passed| !(skip && registers(passed.summary))))
            .collect();
        let Some(first) = shown.first() else { return Self::default() };
        let start = first.at;
        let run = only_run(events);
        let phone_of = |envelope: &Envelope| {
            let phone = envelope.subject.phone.as_ref()?;
            Some(run.map_or_else(|| phone.clone(), |run| phone.seen_by(run)))
        };
        let present: Vec<PhoneId> = shown.iter().filter_map(|envelope| phone_of(envelope)).collect();
        let mut columns: Vec<PhoneId> = phones.to_vec();
        columns.retain(|phone| present.contains(phone));
        for phone in present {
            if !columns.contains(&phone) {
                columns.push(phone);
            }
        }
        let mut rows = Vec::new();
        for envelope in events {
            let offset = envelope.at.duration_since(start).as_secs_f64();
            let drawn = match message(envelope) {
                Some(OnWire { summary, .. }) if skip && registers(summary) => None,
                Some(passed) => {
                    let phone = phone_of(envelope);
                    let column = columns.iter().position(|column| Some(column) == phone.as_ref());
                    column.map(|column| Drawn::Arrow { column, sent: passed.sent, label: label(passed) })
                }
                None => remark(envelope, phone_of(envelope)).map(Drawn::Remark),
            };
            if let Some(drawn) = drawn.filter(|_| offset >= 0.0) {
                rows.push(Row { seq: envelope.seq, offset, drawn });
            }
        }
        // The start of cleaning up is not worth a line if no message followed.
        if matches!(rows.last(), Some(Row { drawn: Drawn::Remark(text), .. }) if text == CLEANING) {
            rows.pop();
        }
        let named = columns.into_iter().map(|phone| {
            let of_phone = shown.iter().filter(|envelope| phone_of(envelope).as_ref() == Some(&phone));
            let head = format!("{phone}{}", transports(of_phone.map(|envelope| &envelope.event)));
            (phone, head)
        });
        Self { columns: named.collect(), rows, width: None }
    }

    /// Returns the ladder fitted to a terminal with this many columns.
    #[must_use]
    pub fn within(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// Returns whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the whole drawing.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines(&self.rows)
    }

    /// Returns at most `most` rows, ending shortly after `by`; without it, the end of the ladder.
    #[must_use]
    pub fn excerpt(&self, by: Option<Seq>, most: usize) -> String {
        let until = match by {
            Some(by) => self.rows.iter().rposition(|row| row.seq <= by).map_or(0, |at| at + 1),
            None => self.rows.len(),
        };
        // What follows that place gets a third of the lines.
        let end = (until + most / 3).min(self.rows.len());
        let begin = end.saturating_sub(most);
        self.lines(self.rows.get(begin..end).unwrap_or_default())
    }

    fn lines(&self, rows: &[Row]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let gaps = self.columns.len().max(1);
        let room = self.width.map_or(STEP, |width| (width.saturating_sub(FIRST + 2) / gaps).min(STEP));
        let canvas = Canvas { phones: self.columns.len(), step: room };
        // If arrows would no longer be readable, each message gets a line of its own.
        let listed = room < NARROWEST;
        let mut lines = if listed { Vec::new() } else { vec![canvas.head(&self.columns)] };
        lines.extend(rows.iter().map(|row| {
            let drawn = match &row.drawn {
                Drawn::Arrow { column, sent, label } if listed => {
                    let head = self.columns.get(*column).map_or("?", |(_, head)| head.as_str());
                    format!("{head} {} {label}", if *sent { "──►" } else { "◄──" })
                }
                Drawn::Arrow { column, sent, label } => canvas.arrow(*column, *sent, label),
                Drawn::Remark(text) => format!("  · {text}"),
            };
            format!("{:>8.3}  {drawn}", row.offset)
        }));
        let fits = |line: String| match self.width {
            Some(width) if line.chars().count() > width => {
                line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
            }
            Some(_) | None => line.trim_end().to_owned(),
        };
        lines.into_iter().map(fits).collect::<Vec<_>>().join("\n")
    }
}

/// Lists the transports of the messages, unless all went over UDP.
fn transports<'a>(events: impl Iterator<Item = &'a Event>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for event in events {
        let Event::Sip(SipEvent::Sent { transport, .. } | SipEvent::Received { transport, .. }) = event
        else {
            continue;
        };
        if !names.contains(&transport.name()) {
            names.push(transport.name());
        }
    }
    if names == [Transport::Udp.name()] || names.is_empty() {
        return String::new();
    }
    format!(" ({})", names.join(", "))
}

/// Returns the run that created the phones of these events, if there is only one: then phones can
/// be shown without it.
fn only_run(events: &[Arc<Envelope>]) -> Option<RunId> {
    let mut runs = events.iter().filter_map(|envelope| envelope.subject.phone.as_ref()?.run());
    let first = runs.next()?;
    runs.all(|run| run == first).then_some(first)
}

/// The positions of the columns.
struct Canvas {
    phones: usize,
    /// Distance between two columns.
    step: usize,
}

impl Canvas {
    /// The PBX is after the first phone, so that a call between two crosses it.
    fn place(&self, end: End) -> usize {
        let index = match end {
            End::Pbx => 1.min(self.phones),
            End::Phone(0) => 0,
            End::Phone(index) => index + 1,
        };
        FIRST + index * self.step
    }

    fn head(&self, columns: &[(PhoneId, String)]) -> String {
        let mut line = String::new();
        let mut names: Vec<(usize, &str)> = columns
            .iter()
            .enumerate()
            .map(|(index, (_, head))| (self.place(End::Phone(index)), head.as_str()))
            .collect();
        names.push((self.place(End::Pbx), "pbx"));
        names.sort_unstable();
        for (place, name) in names {
            let place = place.saturating_sub(name.chars().count() / 2);
            while line.chars().count() < place {
                line.push(' ');
            }
            line.push_str(name);
        }
        line
    }

    fn arrow(&self, phone: usize, sent: bool, label: &str) -> String {
        let (from, to) = (self.place(End::Phone(phone)), self.place(End::Pbx));
        let (left, right) = (from.min(to), from.max(to));
        let rightwards = sent == (from < to);
        // The time takes the first ten places of a line.
        let mut line: Vec<char> = vec![' '; self.place(End::Phone(self.phones.max(1) - 1)).max(to) + 1];
        let mut set = |at: usize, c: char| {
            if let Some(cell) = line.get_mut(at) {
                *cell = c;
            }
        };
        for index in 0..self.phones {
            set(self.place(End::Phone(index)), '│');
        }
        set(self.place(End::Pbx), '│');
        for at in left + 1..right {
            set(at, '─');
        }
        let room = right - left - 5;
        let label: String = label.chars().take(room).collect();
        let begin = if rightwards { left + 2 } else { right - 2 - label.chars().count() };
        set(if rightwards { right - 1 } else { left + 1 }, if rightwards { '►' } else { '◄' });
        set(begin.saturating_sub(1), ' ');
        set(begin + label.chars().count(), ' ');
        for (offset, c) in label.chars().enumerate() {
            set(begin + offset, c);
        }
        line.into_iter().skip(10).collect()
    }
}

fn message(envelope: &Envelope) -> Option<OnWire<'_>> {
    let Event::Sip(event) = &envelope.event else { return None };
    event.on_wire()
}

fn registers(summary: &SipSummary) -> bool {
    summary.method.as_deref() == Some("REGISTER")
}

/// Returns what else is worth a line between the messages.
fn remark(envelope: &Envelope, phone: Option<PhoneId>) -> Option<String> {
    let phone = phone.map(|phone| format!(" {phone}")).unwrap_or_default();
    if let Event::Run(RunEvent::ExpectationMet { expectation, .. }) = &envelope.event {
        return Some(format!("✓ {expectation}"));
    }
    if let Event::Run(RunEvent::ExpectationFailed { expectation, .. }) = &envelope.event {
        return Some(format!("✗ {expectation}"));
    }
    if let Event::Run(RunEvent::ActionFailed { action, error, .. }) = &envelope.event {
        return Some(format!("✗ {action}: {error}"));
    }
    if let Event::Run(RunEvent::CleaningUp {}) = &envelope.event {
        return Some(CLEANING.to_owned());
    }
    if let Event::Media(MediaEvent::DigitsSent { digits, .. }) = &envelope.event {
        return Some(format!("{phone} sends digits {digits}").trim_start().to_owned());
    }
    if let Event::Media(MediaEvent::ToneStarted { hz, .. }) = &envelope.event {
        return Some(format!("{phone} hears {hz:.0} Hz").trim_start().to_owned());
    }
    None
}
