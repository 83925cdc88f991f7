//! Telephone events on the way in: one report an event, whatever is lost.
//!
//! RFC 4733 section 2.5.2. Packets of one event share a timestamp; the end is seen by its bit, by the
//! start of another event, or by silence. A segment that continues a long event adds to it.

use std::time::{Duration, Instant};

use super::event::EventPayload;

/// An event without a packet for this long has ended: more than three update intervals of 50 ms.
const TIMEOUT: Duration = Duration::from_millis(200);
/// A segment this long is followed by another of the same event.
const MAX_SEGMENT: u32 = 0xFFFF;

/// A complete event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Event code.
    pub event: u8,
    /// How long it lasted, as its packets tell.
    pub duration: Duration,
    /// Whether the end was seen, not only concluded.
    pub ended: bool,
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

/// Folds event packets to events.
#[derive(Debug, Clone)]
pub struct EventReceiver {
    clock_rate: u32,
    current: Option<Current>,
}

impl EventReceiver {
    /// Makes a receiver for the clock of the event stream.
    #[must_use]
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, current: None }
    }

    /// Takes a packet and returns the event that it ends, if any.
    ///
    /// The packet may end the event before its own, whose end was lost.
    pub fn handle(
        &mut self,
        now: Instant,
        timestamp: u32,
        payload: EventPayload,
    ) -> [Option<ReceivedEvent>; 2] {
        let mut lost_end = None;
        match &mut self.current {
            Some(current) if current.timestamp == timestamp && current.event == payload.event => {
                current.longest = current.longest.max(payload.duration);
                current.last_seen = now;
            }
            Some(current) if current.continues_at(timestamp, payload.event) => {
                current.before += MAX_SEGMENT;
                current.timestamp = timestamp;
                current.longest = payload.duration;
                current.last_seen = now;
            }
            Some(current) if !is_newer(timestamp, current.timestamp) => return [None, None],
            Some(_) | None => {
                lost_end = self.conclude(false);
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
        [lost_end, if payload.end { self.conclude(true) } else { None }]
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
