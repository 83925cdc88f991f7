//! Telephone events on the way out, one packet a tick.
//!
//! RFC 4733 sections 2.5.1.1 to 2.5.1.4. A 60 ms digit on 20 ms ticks, all with the timestamp of its start:
//!
//! ```text
//! tick      0        20       40       60       80      …
//! packet    160 M    320      480 E    480 E    480 E   gap, next digit
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::event::{Digit, EventPayload};

/// How often the last packet of an event is sent.
const END_PACKETS: u8 = 3;
/// Longest duration one segment can express.
const MAX_SEGMENT: u32 = 0xFFFF;
/// Power of our events, below zero dBm0.
const VOLUME: u8 = 10;

/// One packet to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload.
    pub payload: EventPayload,
    /// RTP timestamp: the start of the event, or of its segment.
    pub timestamp: u32,
    /// Whether the RTP marker is set: on the first packet of an event only.
    pub marker: bool,
}

/// Digit that waits for its turn.
#[derive(Debug, Clone, Copy)]
struct Queued {
    digit: Digit,
    duration: u32,
    gap: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Playing { queued: Queued, timestamp: u32, elapsed: u32, segment: u32, started: bool },
    Ending { last: EventPacket, left: u8, gap: u32 },
    Gap { left: u32 },
}

/// Queue of digits and the event under way.
///
/// All durations inside are timestamp units.
#[derive(Debug, Clone)]
pub struct EventSender {
    clock_rate: u32,
    queue: VecDeque<Queued>,
    state: State,
}

impl EventSender {
    /// Makes an idle sender for the clock of the audio stream.
    #[must_use]
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, queue: VecDeque::new(), state: State::Idle }
    }

    /// Queues a digit that lasts `duration`, with silence of `gap` behind it.
    pub fn push(&mut self, digit: Digit, duration: Duration, gap: Duration) {
        let duration = self.units(duration).max(1);
        let gap = self.units(gap);
        self.queue.push_back(Queued { digit, duration, gap });
    }

    /// Returns whether nothing is queued or under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && matches!(self.state, State::Idle)
    }

    /// Returns whether an event occupies the stream, so that no audio may be sent.
    #[must_use]
    pub const fn is_sounding(&self) -> bool {
        matches!(self.state, State::Playing { .. } | State::Ending { .. })
    }

    /// Forgets the queue and the event under way; a peer that saw its start infers its end.
    pub fn stop(&mut self) {
        self.queue.clear();
        self.state = State::Idle;
    }

    /// Advances by `tick` units; `now` is the RTP timestamp of the tick.
    ///
    /// Returns the packet to send in place of audio, if any.
    pub fn tick(&mut self, now: u32, tick: u32) -> Option<EventPacket> {
        loop {
            match self.state {
                State::Idle => {
                    let queued = self.queue.pop_front()?;
                    self.state =
                        State::Playing { queued, timestamp: now, elapsed: 0, segment: 0, started: false };
                }
                State::Gap { left } => {
                    if left == 0 {
                        self.state = State::Idle;
                        continue;
                    }
                    self.state = State::Gap { left: left.saturating_sub(tick) };
                    return None;
                }
                State::Ending { last, left, gap } => {
                    let gap = gap.saturating_sub(tick);
                    self.state = match left {
                        0 | 1 => State::Gap { left: gap },
                        more => State::Ending { last, left: more - 1, gap },
                    };
                    return Some(last);
                }
                State::Playing { queued, timestamp, elapsed, segment, started } => {
                    return Some(self.play(queued, timestamp, elapsed + tick, segment, started));
                }
            }
        }
    }

    /// Reports an event whose age is now `elapsed`, of which earlier segments cover `segment`.
    fn play(
        &mut self,
        queued: Queued,
        timestamp: u32,
        elapsed: u32,
        segment: u32,
        started: bool,
    ) -> EventPacket {
        let elapsed = elapsed.min(queued.duration);
        let in_segment = elapsed - segment;
        // Section 2.5.1.3: a full segment is reported without the end bit, then the next one begins
        // where it stopped.
        let full = in_segment > MAX_SEGMENT;
        let duration = u16::try_from(in_segment).unwrap_or(u16::MAX);
        let end = elapsed == queued.duration && !full;
        let payload = EventPayload { event: queued.digit.event(), end, volume: VOLUME, duration };
        let packet = EventPacket { payload, timestamp, marker: !started };
        self.state = if end {
            let last = EventPacket { marker: false, ..packet };
            State::Ending { last, left: END_PACKETS - 1, gap: queued.gap }
        } else {
            let skip = if full { MAX_SEGMENT } else { 0 };
            let (timestamp, segment) = (timestamp.wrapping_add(skip), segment + skip);
            State::Playing { queued, timestamp, elapsed, segment, started: true }
        };
        packet
    }

    fn units(&self, duration: Duration) -> u32 {
        let units = duration.as_millis().saturating_mul(u128::from(self.clock_rate)) / 1000;
        u32::try_from(units).unwrap_or(u32::MAX)
    }
}
