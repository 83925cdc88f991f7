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
    /// Jitter in units of `clock`.
    jitter: f64,
    /// Clock rate of the last packet that counts for jitter.
    clock: u32,
    received: u64,
    /// Expected and received at the last report (appendix A.3).
    prior: (u64, u64),
}

/// Counts one direction of RTP over all sources that follow each other.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    stream: Option<Stream>,
    /// Figures of streams that ended, and counters that need no stream.
    total: ReceiverStats,
}

impl Receiver {
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

    /// Counts a packet; `clock` is the rate of its timestamp, `None` if that is not the time of its sending.
    pub fn handle(&mut self, now: Instant, packet: &RtpPacket<'_>, clock: Option<u32>) -> Arrival {
        let arrival = self.place(now, packet);
        match arrival {
            Arrival::Accepted { .. } | Arrival::Reordered => {
                self.total.packets += 1;
                self.total.bytes += packet.payload.len() as u64;
                let in_order = matches!(arrival, Arrival::Accepted { .. });
                self.total.reordered += u64::from(!in_order);
                if let Some(clock) = clock {
                    self.measure_jitter(now, packet.timestamp, clock);
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
            stats.jitter_ms = stream.jitter_ms();
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
            Sequence::Restarted => {
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
            clock: 0,
            received: 1,
            prior: (0, 0),
        });
    }

    /// Appendix A.8: the mean deviation of the spacing at arrival from the spacing at sending.
    fn measure_jitter(&mut self, now: Instant, timestamp: u32, clock: u32) {
        let Some(stream) = &mut self.stream else { return };
        if stream.clock != clock {
            // Timestamps of two clocks cannot be compared; what was measured keeps its meaning in time.
            stream.jitter *= f64::from(clock) / f64::from(stream.clock.max(1));
            stream.clock = clock;
            stream.transit = None;
        }
        if let Some((arrived, sent)) = stream.transit.replace((now, timestamp)) {
            let spacing = now.saturating_duration_since(arrived).as_secs_f64() * f64::from(clock);
            let ahead = timestamp.wrapping_sub(sent).cast_signed();
            let deviation = (spacing - f64::from(ahead)).abs();
            stream.jitter += (deviation - stream.jitter) / 16.0;
            self.total.max_jitter_ms = self.total.max_jitter_ms.max(stream.jitter_ms());
        }
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
    fn jitter_ms(&self) -> f64 {
        self.jitter * 1000.0 / f64::from(self.clock.max(1))
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::epoch;

    fn packet(ssrc: u32, sequence: u16) -> RtpPacket<'static> {
        let timestamp = u32::from(sequence) * 160;
        RtpPacket { marker: false, payload_type: 8, sequence, timestamp, ssrc, payload: &[0; 160] }
    }

    #[test]
    fn a_restarted_sender_adds_to_the_figures_of_what_ended() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        let numbers = [10, 11, 13, 60_000, 60_001, 60_002, 60_004];
        let arrivals: Vec<_> = numbers
            .iter()
            .zip(0u32..)
            .map(|(number, index)| {
                receiver.handle(start + Duration::from_millis(20) * index, &packet(1, *number), Some(8000))
            })
            .collect();
        let (began, went_on) =
            (Arrival::Accepted { restarted: true }, Arrival::Accepted { restarted: false });
        assert_eq!(arrivals, [began, went_on, went_on, Arrival::Foreign, began, went_on, went_on]);
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.expected, stats.lost), (6, 4 + 4, 2));
        assert_eq!((stats.restarts, stats.foreign), (1, 1));
    }

    #[test]
    fn the_report_has_the_fraction_of_its_interval_only() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        // Appendix A.3: 2 of 8 lost is 64 of 256; then nothing of 8.
        for number in [0u16, 1, 2, 4, 5, 7] {
            let _arrival = receiver.handle(start, &packet(9, number), None);
        }
        let report = receiver.report().unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost, report.highest_sequence), (64, 2, 7));
        for number in 8..16u16 {
            let _arrival = receiver.handle(start, &packet(9, number), None);
        }
        let report = receiver.report().unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost, report.highest_sequence), (0, 2, 15));
        assert_eq!((report.ssrc, report.jitter), (9, 0));
    }

    #[test]
    fn jitter_follows_the_formula_of_the_rfc() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        let mut expected = 0.0f64;
        for (number, late) in [0u64, 5, 0, 11, 3, 3, 20].into_iter().enumerate() {
            let at = start + Duration::from_millis(20 * number as u64 + late);
            let _arrival = receiver.handle(at, &packet(1, number as u16), Some(8000));
        }
        // The deviations of neighbors, in milliseconds.
        for deviation in [5.0, 5.0, 11.0, 8.0, 0.0, 17.0f64] {
            expected += (deviation - expected) / 16.0;
        }
        assert!((receiver.stats().jitter_ms - expected).abs() < 1e-9);
        assert!((receiver.stats().max_jitter_ms - expected).abs() < 1e-9);
    }

    #[test]
    fn a_change_of_clock_is_no_jitter() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        for number in 0..20u16 {
            // Ten packets of 20 ms at 8 kHz, then ten at 48 kHz.
            let (clock, units) = if number < 10 { (8000, 160) } else { (48_000, 960) };
            let packet = RtpPacket { timestamp: u32::from(number) * units, ..packet(1, number) };
            let at = start + Duration::from_millis(20) * u32::from(number);
            let _arrival = receiver.handle(at, &packet, Some(clock));
        }
        assert!(receiver.stats().max_jitter_ms < 1e-9, "{:?}", receiver.stats());
    }

    #[test]
    fn a_second_source_is_foreign_until_the_first_is_silent() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(receiver.handle(at(0), &packet(1, 5), Some(8000)), Arrival::Accepted { restarted: true });
        assert_eq!(receiver.handle(at(10), &packet(2, 900), Some(8000)), Arrival::Foreign);
        assert_eq!(receiver.ssrc(), Some(1));
        assert_eq!(
            receiver.handle(at(60), &packet(2, 901), Some(8000)),
            Arrival::Accepted { restarted: true }
        );
        assert_eq!(receiver.ssrc(), Some(2));
        assert_eq!(receiver.stats().lost, 0);
    }
}
