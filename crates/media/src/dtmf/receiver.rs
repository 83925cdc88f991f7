//! Telephone events on the way in: one beginning and one end for each event, whatever is lost.
//!
//! A beginning is reported at the first packet, for those who react to it; the end comes with the
//! duration.
//!
//! RFC 4733 section 2.5.2. Packets of one event share a timestamp; the end is seen by its bit, by the
//! start of another event, or by silence. A segment that continues a long event adds to it. Events in one packet follow each
//! other without a pause (section 2.5.1.5).
//!
//! A packet older than the previous event is a late copy. A sender that restarts its timestamps
//! looks the same, but keeps going: several older packets in order, of no event that is known,
//! begin a timeline of their own.

use std::time::{Duration, Instant};

use super::event::EventPayload;

/// An event without a packet for this long has ended: more than three update intervals of 50 ms.
const TIMEOUT: Duration = Duration::from_millis(200);
/// A segment this long is followed by another of the same event.
const MAX_SEGMENT: u32 = 0xFFFF;
/// Packets in a row that begin another timeline: as many as end an event.
const NEW_TIMELINE: u8 = 3;

/// A complete event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Event code.
    pub event: u8,
    /// How long it lasted, by its packets.
    pub duration: Duration,
    /// Whether the end was seen rather than inferred.
    pub ended: bool,
}

/// What packets change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventChange {
    /// An event of this code has begun.
    Started(u8),
    /// One is complete.
    Ended(ReceivedEvent),
}

#[derive(Debug, Clone, Copy)]
struct Current {
    event: u8,
    timestamp: u32,
    /// Units in segments before this one.
    before: u32,
    longest: u16,
    last_seen: Instant,
    reported: bool,
}

/// Folds event packets into events.
#[derive(Debug, Clone)]
pub struct EventReceiver {
    clock_rate: u32,
    current: Option<Current>,
    /// Event and timestamp of what came before the current one.
    previous: Option<(u8, u32)>,
    /// Timestamp of the last packet that was too old, and how many there were in a row.
    older: Option<(u32, u8)>,
}

impl EventReceiver {
    /// Makes a receiver for the clock of the event stream.
    #[must_use]
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, current: None, previous: None, older: None }
    }

    /// Takes the events of a packet and returns what they change; `in_order` means that no packet
    /// sent later has come before it.
    ///
    /// A packet may end the event before its own, whose end was lost.
    pub fn handle(
        &mut self,
        now: Instant,
        timestamp: u32,
        in_order: bool,
        events: &[EventPayload],
    ) -> Vec<EventChange> {
        let starts = events.iter().scan(timestamp, |next, payload| {
            let start = *next;
            *next = start.wrapping_add(u32::from(payload.duration));
            Some((start, *payload))
        });
        let starts: Vec<_> = starts.collect();
        let mut changes = Vec::new();
        if starts.last().is_some_and(|(start, payload)| self.is_new_timeline(*start, payload.event, in_order))
        {
            changes.extend(self.conclude(false).map(EventChange::Ended));
            (self.current, self.previous) = (None, None);
        }
        for (start, payload) in starts {
            self.take(now, start, payload, &mut changes);
        }
        changes
    }

    /// Says whether this packet, given by its timestamp and last event, is the older one too many
    /// that begins a new timeline.
    fn is_new_timeline(&mut self, timestamp: u32, event: u8, in_order: bool) -> bool {
        let is_older = self.current.as_ref().is_some_and(|current| is_newer(current.timestamp, timestamp));
        if !is_older {
            self.older = None;
            return false;
        }
        if !in_order || self.previous == Some((event, timestamp)) {
            return false;
        }
        let row = self.older.filter(|(last, _)| *last == timestamp || is_newer(timestamp, *last));
        let packets = row.map_or(1, |(_, packets)| packets + 1);
        self.older = (packets < NEW_TIMELINE).then_some((timestamp, packets));
        packets >= NEW_TIMELINE
    }

    /// Takes one event of a packet. The event before it may have lost its end.
    fn take(&mut self, now: Instant, timestamp: u32, payload: EventPayload, changes: &mut Vec<EventChange>) {
        match &mut self.current {
            Some(current) if current.timestamp == timestamp && current.event == payload.event => {
                current.longest = current.longest.max(payload.duration);
                current.last_seen = now;
            }
            Some(current) if current.continues_at(timestamp, payload.event) => {
                self.previous = Some((current.event, current.timestamp));
                current.before += MAX_SEGMENT;
                current.timestamp = timestamp;
                current.longest = payload.duration;
                current.last_seen = now;
            }
            Some(current) if !is_newer(timestamp, current.timestamp) => return,
            Some(_) | None => {
                changes.extend(self.conclude(false).map(EventChange::Ended));
                changes.push(EventChange::Started(payload.event));
                self.previous = self.current.map(|current| (current.event, current.timestamp));
                self.current = Some(Current {
                    event: payload.event,
                    timestamp,
                    before: 0,
                    longest: payload.duration,
                    last_seen: now,
                    reported: false,
                });
            }
        }
        if payload.end {
            changes.extend(self.conclude(true).map(EventChange::Ended));
        }
    }

    /// Ends the event whose packets stopped coming.
    pub fn poll(&mut self, now: Instant) -> Option<ReceivedEvent> {
        let silent = self
            .current
            .as_ref()
            .is_some_and(|current| now.saturating_duration_since(current.last_seen) >= TIMEOUT);
        if silent { self.conclude(false) } else { None }
    }

    /// Reports the current event, once; it stays known so that late copies are recognized.
    fn conclude(&mut self, ended: bool) -> Option<ReceivedEvent> {
        let current = self.current.as_mut().filter(|current| !current.reported)?;
        current.reported = true;
        let units = u64::from(current.before) + u64::from(current.longest);
        let duration = Duration::from_micros(units * 1_000_000 / u64::from(self.clock_rate.max(1)));
        Some(ReceivedEvent { event: current.event, duration, ended })
    }
}

impl Current {
    fn continues_at(&self, timestamp: u32, event: u8) -> bool {
        !self.reported && self.event == event && self.timestamp.wrapping_add(MAX_SEGMENT) == timestamp
    }
}

/// Compares timestamps modulo their range.
const fn is_newer(timestamp: u32, reference: u32) -> bool {
    timestamp.wrapping_sub(reference).wrapping_sub(1) < 0x7FFF_FFFF
}
