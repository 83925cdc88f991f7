//! The receiving side of a stream: what a receiver report and a quality estimate need.
//!
//! RFC 3550 appendices A.1, A.3 and A.8. Telephone-event packets count for loss, but not for jitter:
//! all packets of an event carry one timestamp.
//!
//! A jump of the numbers is a loss if time has jumped with them: nothing came for as long as the
//! missing packets last. Otherwise the sender has started a new numbering. Neither is believed
//! until several packets in a row say so while the old numbering is silent, and the loss is taken
//! back if the old numbering goes on after all.

use std::time::{Duration, Instant};

use super::loss::{BurstHistogram, LossTracker, Mark};
use super::packet::RtpPacket;
use super::sequence::{Jump, Sequence, SequenceTracker};

/// Another source, or another numbering, is followed when the known one has been silent this long.
const TAKEOVER_SILENCE: Duration = Duration::from_millis(60);
/// Packets that are off by more than this are on another timeline, not late.
const LONGEST_DELAY: f64 = 10.0;
/// Clock rate of timestamps until one is known.
const USUAL_CLOCK: u32 = 8000;
/// Packets after which a loss that was believed is never taken back.
const TAKEN_BACK: u64 = 500;

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
    /// From a second source, or with an implausible number; ignore it.
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
    /// Packets of another source, or with an implausible number.
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
    /// Timestamp of the newest packet.
    timestamp: u32,
    /// Packets in a row that jumped, and their bytes.
    doubted: (u16, u64),
    /// The stream before the last jump that was taken for a loss.
    before: Option<Box<Self>>,
}

/// Counts one direction of RTP over all successive sources.
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

    /// Ends the stream that is followed, unless it is that of `ssrc`, because the peer is known to
    /// be elsewhere.
    pub fn leave_for(&mut self, ssrc: u32) {
        if self.ssrc().is_some_and(|known| known != ssrc) {
            self.end();
        }
    }

    /// Counts a packet; `clock` is the rate of its timestamp, `None` if the timestamp is not its
    /// sending time.
    pub fn handle(&mut self, now: Instant, packet: &RtpPacket<'_>, clock: Option<u32>) -> Arrival {
        let arrival = self.place(now, packet, clock);
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

    fn place(&mut self, now: Instant, packet: &RtpPacket<'_>, clock: Option<u32>) -> Arrival {
        let Some(stream) = &mut self.stream else {
            self.start(now, packet, 0);
            return Arrival::Accepted { restarted: true };
        };
        if stream.ssrc != packet.ssrc {
            // Two sources at once would garble the audio; the one we hear goes on until it falls
            // silent.
            if now.saturating_duration_since(stream.last_arrival) < TAKEOVER_SILENCE {
                return Arrival::Foreign;
            }
            self.end();
            self.start(now, packet, 0);
            return Arrival::Accepted { restarted: true };
        }
        let (number, in_order) = match stream.sequence.update(packet.sequence) {
            Sequence::Forward(number) => (number, true),
            Sequence::Behind(number) => (number, false),
            Sequence::Doubtful(packets) => {
                stream.doubt(packets, packet);
                return Arrival::Foreign;
            }
            Sequence::Jumped(jump) => return self.jump(now, packet, clock, jump),
        };
        stream.last_arrival = now;
        match stream.loss.mark(number) {
            Mark::Fresh => {
                stream.received += 1;
                if in_order {
                    stream.timestamp = packet.timestamp;
                }
                if stream.before.as_ref().is_some_and(|before| stream.received > before.received + TAKEN_BACK)
                {
                    stream.before = None;
                }
                if in_order { Arrival::Accepted { restarted: false } } else { Arrival::Reordered }
            }
            Mark::Duplicate => Arrival::Duplicate,
            Mark::Stale => Arrival::Foreign,
        }
    }

    /// Takes the last of several packets in a row that do not continue the numbering.
    fn jump(&mut self, now: Instant, packet: &RtpPacket<'_>, clock: Option<u32>, jump: Jump) -> Arrival {
        let Some(stream) = &mut self.stream else { return Arrival::Foreign };
        if now.saturating_duration_since(stream.last_arrival) < TAKEOVER_SILENCE {
            stream.doubt(jump.packets, packet);
            return Arrival::Foreign;
        }
        // The doubted packets before this one are the peer's as well.
        let earlier = u64::from(jump.packets) - 1;
        self.total.foreign = self.total.foreign.saturating_sub(earlier);
        self.total.packets += earlier;
        self.total.bytes += stream.doubted.1;
        let goes_on = |before: &Stream| before.sequence.goes_on(packet.sequence, jump.packets);
        if let Some(before) = stream.before.take_if(|before| goes_on(before)) {
            let mistaken = stream.received - before.received;
            self.total.packets = self.total.packets.saturating_sub(mistaken);
            self.total.foreign += mistaken;
            *stream = *before;
            stream.follow(now, packet, jump.packets);
        } else if jump.missing.is_some_and(|missing| stream.was_silent_for(now, packet, clock, missing)) {
            let before = Stream { before: None, ..stream.clone() };
            stream.before = Some(Box::new(before));
            stream.follow(now, packet, jump.packets);
        } else {
            self.end();
            self.start(now, packet, earlier);
            return Arrival::Accepted { restarted: true };
        }
        Arrival::Accepted { restarted: false }
    }

    fn end(&mut self) {
        if let Some(ended) = self.stream.take() {
            ended.add_to(&mut self.total);
            self.total.restarts += 1;
        }
    }

    /// Starts a stream with a packet and `earlier` ones in a row before it.
    fn start(&mut self, now: Instant, packet: &RtpPacket<'_>, earlier: u64) {
        let sequence = SequenceTracker::new(packet.sequence);
        let base = sequence.highest() - earlier;
        let mut loss = LossTracker::new(base);
        (base..=sequence.highest()).for_each(|number| _ = loss.mark(number));
        self.stream = Some(Stream {
            ssrc: packet.ssrc,
            base,
            sequence,
            loss,
            last_arrival: now,
            transit: None,
            jitter: 0.0,
            clock: 0,
            received: earlier + 1,
            prior: (0, 0),
            timestamp: packet.timestamp,
            doubted: (0, 0),
            before: None,
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
            if deviation > LONGEST_DELAY * f64::from(clock) {
                return;
            }
            stream.jitter += (deviation - stream.jitter) / 16.0;
            self.total.max_jitter_ms = self.total.max_jitter_ms.max(stream.jitter_ms());
        }
    }
}

/// The figures of a report block, except its clock fields.
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
    /// Notes a packet that does not fit, the last of `packets` in a row.
    fn doubt(&mut self, packets: u16, packet: &RtpPacket<'_>) {
        let (known, bytes) = if packets == 1 { (0, 0) } else { self.doubted };
        // A second copy does not count again.
        if packets > known {
            self.doubted = (packets, bytes + packet.payload.len() as u64);
        }
    }

    /// Goes on after a gap, with a packet and those in a row before it.
    fn follow(&mut self, now: Instant, packet: &RtpPacket<'_>, packets: u16) {
        let number = self.sequence.follow(packet.sequence);
        for number in number + 1 - u64::from(packets)..=number {
            self.received += u64::from(self.loss.mark(number) == Mark::Fresh);
        }
        (self.last_arrival, self.timestamp) = (now, packet.timestamp);
    }

    /// Says whether nothing came for about as long as the `missing` packets last, by the timestamp
    /// after them.
    fn was_silent_for(&self, now: Instant, packet: &RtpPacket<'_>, clock: Option<u32>, missing: u16) -> bool {
        let known = if self.clock == 0 { USUAL_CLOCK } else { self.clock };
        let clock = f64::from(clock.unwrap_or(known));
        let ahead = packet.timestamp.wrapping_sub(self.timestamp).cast_signed();
        let silent = now.saturating_duration_since(self.last_arrival).as_secs_f64() * clock;
        ahead > i32::from(missing) && f64::from(ahead) <= 2.0 * silent
    }

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

    /// Receives packets 20 ms apart from `start` on.
    fn run(receiver: &mut Receiver, start: Instant, numbers: impl IntoIterator<Item = u16>) -> Vec<Arrival> {
        let number = |(number, index)| {
            receiver.handle(start + Duration::from_millis(20) * index, &packet(1, number), Some(8000))
        };
        numbers.into_iter().zip(0u32..).map(number).collect()
    }

    #[test]
    fn a_restarted_sender_adds_to_the_figures_of_what_ended() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        let numbers = [10, 11, 13, 60_000, 60_001, 60_002, 60_003, 60_005];
        let arrivals = run(&mut receiver, start, numbers);
        let (began, went_on) =
            (Arrival::Accepted { restarted: true }, Arrival::Accepted { restarted: false });
        let doubted = Arrival::Foreign;
        assert_eq!(arrivals, [began, went_on, went_on, doubted, doubted, doubted, began, went_on]);
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.bytes), (8, 8 * 160), "the doubted ones count in the end");
        assert_eq!((stats.expected, stats.lost), (4 + 6, 2));
        assert_eq!((stats.restarts, stats.foreign), (1, 0));
    }

    #[test]
    fn forged_packets_that_jump_make_no_loss_while_the_stream_goes_on() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        for number in 0..200u16 {
            let now = start + Duration::from_millis(20) * u32::from(number);
            let arrival = receiver.handle(now, &packet(1, number), Some(8000));
            assert_eq!(arrival, Arrival::Accepted { restarted: number == 0 });
            if number == 50 {
                // Two, which appendix A.1 would believe, and a row of them before the next packet
                // can come.
                for forged in (2500..2502).chain(9000..9010) {
                    let arrival = receiver.handle(now, &packet(1, forged), Some(8000));
                    assert_eq!(arrival, Arrival::Foreign);
                }
            }
            if number > 100 {
                assert_eq!(receiver.handle(now, &packet(1, number + 2450), Some(8000)), Arrival::Foreign);
            }
        }
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.expected, stats.lost, stats.restarts), (200, 200, 0, 0));
        assert_eq!(stats.foreign, 12 + 99);
        assert_eq!(receiver.report().unwrap().cumulative_lost, 0);
    }

    #[test]
    fn a_short_forged_jump_is_healed_by_the_packets_that_it_made_missing() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        run(&mut receiver, start, (0..50).chain([99]).chain(50..99).chain(100..200));
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.expected, stats.lost), (200, 200, 0));
    }

    #[test]
    fn an_outage_of_a_minute_is_a_loss_of_its_packets() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        run(&mut receiver, start, 0..100);
        run(&mut receiver, start + Duration::from_secs(62), 3100..3200);
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.expected, stats.lost), (200, 3200, 3000));
        assert_eq!((stats.bursts.over_ten, stats.foreign, stats.restarts), (1, 0, 0));
        assert_eq!(stats.bytes, 200 * 160);
        assert!(stats.max_jitter_ms < 1e-9, "{stats:?}");
    }

    #[test]
    fn numbers_that_jump_without_the_time_for_it_are_a_new_numbering() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        run(&mut receiver, start, 0..100);
        run(&mut receiver, start + Duration::from_secs(2), 2000..2100);
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.expected, stats.lost, stats.restarts), (200, 200, 0, 1));
    }

    #[test]
    fn a_loss_is_taken_back_when_the_old_numbering_goes_on() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        run(&mut receiver, start, 0..100);
        // The peer pauses for a minute, and somebody goes on numbering as if it had not.
        let later = start + Duration::from_secs(62);
        run(&mut receiver, later, 3100..3120);
        assert_eq!(receiver.stats().lost, 3000);
        run(&mut receiver, later + Duration::from_secs(1), 100..200);
        let stats = receiver.stats();
        assert_eq!((stats.packets, stats.expected, stats.lost, stats.restarts), (200, 200, 0, 0));
        assert_eq!(stats.foreign, 20);
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
    fn timestamps_that_jump_are_no_jitter() {
        let (start, mut receiver) = (epoch(), Receiver::default());
        for number in 0..100u16 {
            let jumped = if number < 50 { 4_000_000_000 } else { 0 };
            let packet = RtpPacket { timestamp: jumped + u32::from(number) * 160, ..packet(1, number) };
            let _arrival =
                receiver.handle(start + Duration::from_millis(20) * u32::from(number), &packet, Some(8000));
        }
        assert!(receiver.stats().max_jitter_ms < 1e-9, "{:?}", receiver.stats());
        // Nine seconds late is late.
        let late = start + Duration::from_secs(11);
        let _arrival = receiver.handle(late, &packet(1, 100), Some(8000));
        assert!(receiver.stats().max_jitter_ms > 500.0, "{:?}", receiver.stats());
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
