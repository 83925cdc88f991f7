//! The receiving side of a stream: what a receiver report and a quality estimate need.
//!
//! RFC 3550 appendices A.1, A.3 and A.8. Telephone-event packets count for loss, but not for jitter:
//! all packets of an event carry one timestamp.

use std::time::{Duration, Instant};

use super::loss::{BurstHistogram, LossTracker, Mark};
use super::packet::RtpPacket;
use super::sequence::{Sequence, SequenceTracker};

/// Another source is followed when the known one has been silent this long.
const TAKEOVER_SILENCE: Duration = Duration::from_millis(60);

/// What to do with an arrived packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Use it; `restarted` asks to forget the timeline of what came before.
    Accepted {
        /// Whether the numbering began anew (first packet, other source, restarted sender).
        restarted: bool,
    },
    /// Use it for audio if it is still in time: it came out of order.
    Reordered,
    /// A second copy; ignore it.
    Duplicate,
    /// From a second source, or numbered beyond belief; ignore it.
    Foreign,
}

/// Figures of the receiving side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReceiverStats {
    /// Packets accepted.
    pub packets: u64,
    /// Payload bytes accepted.
    pub bytes: u64,
    /// Packets that should have come.
    pub expected: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Packets that came after a newer one.
    pub reordered: u64,
    /// Packets of another source, or numbered beyond belief.
    pub foreign: u64,
    /// How often the source or its numbering changed after the first packet.
    pub restarts: u64,
    /// Interarrival jitter now, in milliseconds.
    pub jitter_ms: f64,
    /// Largest value the jitter had.
    pub max_jitter_ms: f64,
    /// Loss bursts.
    pub bursts: BurstHistogram,
}

/// State of one source.
#[derive(Debug, Clone)]
struct Stream {
    ssrc: u32,
    base: u64,
    sequence: SequenceTracker,
    loss: LossTracker,
    last_arrival: Instant,
    /// Arrival and timestamp of the last packet that counts for jitter.
    transit: Option<(Instant, u32)>,
    /// Jitter in timestamp units.
    jitter: f64,
    received: u64,
    /// Expected and received at the last report (appendix A.3).
    prior: (u64, u64),
}

/// Counts one direction of RTP over all sources that follow each other.
#[derive(Debug, Clone)]
pub struct Receiver {
    clock_rate: u32,
    stream: Option<Stream>,
    /// Figures of streams that ended, and counters that need no stream.
    total: ReceiverStats,
}

impl Receiver {
    /// Makes a receiver for the clock rate of its payload.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, stream: None, total: ReceiverStats::default() }
    }

    /// Returns the source that is followed.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// Returns when the last packet came.
    #[must_use]
    pub fn last_arrival(&self) -> Option<Instant> {
        self.stream.as_ref().map(|stream| stream.last_arrival)
    }

    /// Counts a packet; `timed` tells whether its timestamp is that of its sending.
    pub fn handle(&mut self, now: Instant, packet: &RtpPacket<'_>, timed: bool) -> Arrival {
        let arrival = self.place(now, packet);
        match arrival {
            Arrival::Accepted { .. } | Arrival::Reordered => {
                self.total.packets += 1;
                self.total.bytes += packet.payload.len() as u64;
                let in_order = matches!(arrival, Arrival::Accepted { .. });
                self.total.reordered += u64::from(!in_order);
                if timed {
                    self.measure_jitter(now, packet.timestamp);
                }
            }
            Arrival::Duplicate => self.total.duplicates += 1,
            Arrival::Foreign => self.total.foreign += 1,
        }
        arrival
    }

    /// Returns the figures so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        let mut stats = self.total;
        if let Some(stream) = &self.stream {
            stream.add_to(&mut stats);
            stats.jitter_ms = self.milliseconds(stream.jitter);
        }
        stats
    }

    /// Returns what a receiver report says, and starts its next interval.
    pub fn report(&mut self) -> Option<ReportFigures> {
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let (prior_expected, prior_received) = stream.prior;
        stream.prior = (expected, stream.received);
        let interval = expected - prior_expected;
        let lost = interval.saturating_sub(stream.received - prior_received);
        let fraction = (lost << 8).checked_div(interval).unwrap_or(0);
        Some(ReportFigures {
            ssrc: stream.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: expected.saturating_sub(stream.received).min(0x7F_FFFF) as u32,
            // The first cycle is ours, so that early packets have a number; peers must not see it.
            highest_sequence: (stream.sequence.highest() - 0x1_0000) as u32,
            jitter: stream.jitter as u32,
        })
    }

    fn place(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Arrival {
        let Some(stream) = &mut self.stream else {
            self.start(now, packet);
            return Arrival::Accepted { restarted: true };
        };
        if stream.ssrc != packet.ssrc {
            // Two sources at once would tear the audio; the one we hear goes on until it falls silent.
            if now.saturating_duration_since(stream.last_arrival) < TAKEOVER_SILENCE {
                return Arrival::Foreign;
            }
            self.restart(now, packet);
            return Arrival::Accepted { restarted: true };
        }
        let (number, in_order) = match stream.sequence.update(packet.sequence) {
            Sequence::Forward(number) => (number, true),
            Sequence::Behind(number) => (number, false),
            Sequence::Doubtful => return Arrival::Foreign,
            Sequence::Restarted(_) => {
                self.restart(now, packet);
                return Arrival::Accepted { restarted: true };
            }
        };
        stream.last_arrival = now;
        match stream.loss.mark(number) {
            Mark::Fresh => {
                stream.received += 1;
                if in_order { Arrival::Accepted { restarted: false } } else { Arrival::Reordered }
            }
            Mark::Duplicate => Arrival::Duplicate,
            Mark::Stale => Arrival::Foreign,
        }
    }

    fn restart(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        if let Some(ended) = self.stream.take() {
            ended.add_to(&mut self.total);
            self.total.restarts += 1;
        }
        self.start(now, packet);
    }

    fn start(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        let sequence = SequenceTracker::new(packet.sequence);
        let base = sequence.highest();
        let mut loss = LossTracker::new(base);
        let _fresh = loss.mark(base);
        self.stream = Some(Stream {
            ssrc: packet.ssrc,
            base,
            sequence,
            loss,
            last_arrival: now,
            transit: None,
            jitter: 0.0,
            received: 1,
            prior: (0, 0),
        });
    }

    /// Appendix A.8: the mean deviation of the spacing at arrival from the spacing at sending.
    fn measure_jitter(&mut self, now: Instant, timestamp: u32) {
        let clock_rate = f64::from(self.clock_rate);
        let Some(stream) = &mut self.stream else { return };
        if let Some((arrived, sent)) = stream.transit.replace((now, timestamp)) {
            let spacing = now.saturating_duration_since(arrived).as_secs_f64() * clock_rate;
            let ahead = timestamp.wrapping_sub(sent).cast_signed();
            let deviation = (spacing - f64::from(ahead)).abs();
            stream.jitter += (deviation - stream.jitter) / 16.0;
            let jitter = stream.jitter;
            self.total.max_jitter_ms = self.total.max_jitter_ms.max(self.milliseconds(jitter));
        }
    }

    fn milliseconds(&self, units: f64) -> f64 {
        units * 1000.0 / f64::from(self.clock_rate.max(1))
    }
}

/// The figures of a report block, but for its clock fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportFigures {
    /// Source the report is about.
    pub ssrc: u32,
    /// Share of the packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start.
    pub cumulative_lost: u32,
    /// Highest extended sequence number.
    pub highest_sequence: u32,
    /// Jitter in timestamp units.
    pub jitter: u32,
}

impl Stream {
    const fn expected(&self) -> u64 {
        self.sequence.highest() - self.base + 1
    }

    fn add_to(&self, stats: &mut ReceiverStats) {
        let (lost, bursts) = self.loss.summary();
        stats.expected += self.expected();
        stats.lost += lost;
        stats.bursts.one += bursts.one;
        stats.bursts.two += bursts.two;
        stats.bursts.three_to_five += bursts.three_to_five;
        stats.bursts.six_to_ten += bursts.six_to_ten;
        stats.bursts.over_ten += bursts.over_ten;
    }
}
