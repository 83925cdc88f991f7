//! Decides which part of the waiting packets is played when.

use std::time::Duration;

use super::queue::Queue;
use super::voice::Voice;
use crate::audio::{FRAME, Frame, SAMPLE_RATE};
use crate::codec::Codec;

/// Packets further ahead of the read position than this are on another timeline; a packet longer
/// than this is not voice.
const REACH: Duration = Duration::from_millis(256);
/// Late packets in a row after which a new timeline begins.
const RESYNC_AFTER: u32 = 10;
/// Frames without any packet after which the next one starts a new talk-spurt.
const IDLE_FRAMES: u32 = 25;
/// For how many frames the buffer must be too deep before it is cut.
const DEEP_FRAMES: u32 = 100;

/// How deep the buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutConfig {
    /// Depth at the start of a talk-spurt.
    pub delay: Duration,
    /// Depth to which late packets may drive it; equal to `delay` for a fixed buffer.
    pub max_delay: Duration,
}

impl Default for PlayoutConfig {
    /// 40 ms, growing to 120 ms when packets are late.
    fn default() -> Self {
        Self { delay: Duration::from_millis(40), max_delay: Duration::from_millis(120) }
    }
}

/// Where a frame came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// From packets, at least in part.
    Received,
    /// Made up for a gap.
    Concealed,
    /// Nothing is playing.
    Silent,
}

/// The buffer.
#[derive(Debug)]
pub struct Playout {
    config: PlayoutConfig,
    queue: Queue,
    voice: Voice,
    /// RTP clock of the packets, in hertz; zero until one came.
    clock: u32,
    /// Timestamp of the next sample to play; `None` until a packet came.
    position: Option<u32>,
    /// Timestamp behind the newest sample.
    end: u32,
    delay: Duration,
    last_frame: Frame,
    missing: u32,
    late_in_a_row: u32,
    deep: u32,
    /// Frames to repeat so that the buffer becomes deeper.
    hold: u32,
    discarded: u64,
    concealed: u64,
}

impl Playout {
    /// Makes an empty buffer.
    #[must_use]
    pub fn new(config: PlayoutConfig) -> Self {
        Self {
            config,
            queue: Queue::default(),
            voice: Voice::default(),
            clock: 0,
            position: None,
            end: 0,
            delay: config.delay,
            last_frame: Frame::silence(SAMPLE_RATE),
            missing: 0,
            late_in_a_row: 0,
            deep: 0,
            hold: 0,
            discarded: 0,
            concealed: 0,
        }
    }

    /// Returns the packets that came too late or too early to be played.
    #[must_use]
    pub const fn discarded(&self) -> u64 {
        self.discarded
    }

    /// Returns the frames that had to be made up.
    #[must_use]
    pub const fn concealed(&self) -> u64 {
        self.concealed
    }

    /// Returns the present depth.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// Forgets the timeline and what decoders remember, because another source or a new numbering begins.
    pub fn reset(&mut self) {
        self.rewind();
        self.voice.forget();
    }

    /// Takes a packet as it came.
    pub fn insert(&mut self, timestamp: u32, codec: Codec, payload: &[u8]) {
        let samples = self.voice.samples(codec, payload) as u64;
        let units = samples * u64::from(codec.rtp_clock) / u64::from(codec.rate.max(1));
        let reach = codec.units(REACH);
        let Some(units) = u32::try_from(units).ok().filter(|units| (1..=reach).contains(units)) else {
            return;
        };
        if self.clock != codec.rtp_clock {
            // Timestamps of two clocks have nothing to do with each other.
            self.rewind();
            self.clock = codec.rtp_clock;
        }
        let Some(position) = self.position else {
            self.begin(timestamp);
            self.store(timestamp, units, codec, payload);
            return;
        };
        let ahead = i64::from(timestamp.wrapping_sub(position).cast_signed());
        if ahead + i64::from(units) <= 0 {
            self.late();
            if self.late_in_a_row >= RESYNC_AFTER {
                self.rewind();
                self.insert(timestamp, codec, payload);
            }
            return;
        }
        if ahead > i64::from(reach) {
            // A jump: the timeline has moved, for example after a hold.
            self.rewind();
            self.begin(timestamp);
        }
        self.late_in_a_row = 0;
        self.store(timestamp, units, codec, payload);
    }

    /// Takes the next frame, at the rate that `frame` has.
    pub fn take(&mut self, frame: &mut Frame) -> FrameKind {
        let Some(position) = self.position else {
            frame.fill(0);
            return FrameKind::Silent;
        };
        if self.hold > 0 {
            self.hold -= 1;
            self.concealed += 1;
            self.conceal(frame);
            return FrameKind::Concealed;
        }
        let found = self.play(position, frame);
        self.position = Some(position.wrapping_add(self.units(FRAME)));
        if !found {
            return self.miss(frame);
        }
        self.missing = 0;
        self.last_frame.copy_from(frame);
        self.shrink();
        FrameKind::Received
    }

    /// Fills `frame` from `position` on, with silence where nothing is known; returns whether anything was.
    fn play(&mut self, position: u32, frame: &mut Frame) -> bool {
        let (clock, rate) = (u64::from(self.clock.max(1)), frame.rate());
        let (mut rest, mut done, mut found) = (&mut frame[..], 0, false);
        while !rest.is_empty() {
            let now = position.wrapping_add((done * clock / u64::from(rate.max(1))) as u32);
            let voice = self.voice.rest(now, self.clock, rate);
            let mut length = voice.len().min(rest.len());
            if length > 0 {
                found = true;
                let (here, _) = rest.split_at_mut(length);
                here.copy_from_slice(voice.get(..length).unwrap_or_default());
            } else {
                let gap = self.queue.front().map(|packet| packet.timestamp.wrapping_sub(now).cast_signed());
                if gap.is_some_and(|gap| gap <= 0) {
                    self.decode_next(now, rate);
                    continue;
                }
                let gap = gap.map_or(u64::MAX, |gap| u64::from(gap.unsigned_abs()) * u64::from(rate) / clock);
                length = rest.len().min(usize::try_from(gap).unwrap_or(usize::MAX).max(1));
                rest.iter_mut().take(length).for_each(|sample| *sample = 0);
            }
            done += length as u64;
            rest = rest.get_mut(length..).unwrap_or_default();
        }
        found
    }

    /// Decodes the first packet, unless it ended before `now`.
    fn decode_next(&mut self, now: u32, rate: u32) {
        let Some(packet) = self.queue.pop() else { return };
        if packet.timestamp.wrapping_add(packet.units).wrapping_sub(now).cast_signed() > 0 {
            self.voice.decode(&packet, rate);
        }
        self.queue.recycle(packet);
    }

    /// Forgets the timeline.
    fn rewind(&mut self) {
        self.position = None;
        self.queue.clear();
        self.voice.silence();
        self.hold = 0;
        self.late_in_a_row = 0;
        self.deep = 0;
    }

    fn begin(&mut self, timestamp: u32) {
        self.position = Some(timestamp.wrapping_sub(self.units(self.delay)));
        self.end = timestamp;
        // The lead is silence, not loss.
        self.last_frame.fill(0);
        self.missing = 0;
    }

    fn store(&mut self, timestamp: u32, units: u32, codec: Codec, payload: &[u8]) {
        if !self.queue.insert(timestamp, units, codec, payload) {
            self.discarded += 1;
            return;
        }
        let end = timestamp.wrapping_add(units);
        if end.wrapping_sub(self.end).cast_signed() > 0 {
            self.end = end;
        }
    }

    fn late(&mut self) {
        self.discarded += 1;
        self.late_in_a_row += 1;
        if self.delay + FRAME <= self.config.max_delay && self.hold == 0 {
            self.delay += FRAME;
            self.hold = 1;
        }
    }

    /// Handles a whole frame for which nothing came.
    fn miss(&mut self, frame: &mut Frame) -> FrameKind {
        self.missing += 1;
        if self.missing > IDLE_FRAMES {
            self.rewind();
            self.delay = self.config.delay;
            frame.fill(0);
            return FrameKind::Silent;
        }
        let lead = self.last_frame.iter().all(|sample| *sample == 0);
        self.conceal(frame);
        if lead {
            return FrameKind::Silent;
        }
        self.concealed += 1;
        FrameKind::Concealed
    }

    /// Repeats the last frame, quieter by half each time; after three it is silent.
    fn conceal(&mut self, frame: &mut Frame) {
        let fade = self.missing.max(1);
        if self.last_frame.rate() != frame.rate() {
            // The rate has just changed, and there is nothing to repeat.
            self.last_frame = Frame::silence(frame.rate());
        }
        for (sample, last) in frame.iter_mut().zip(&*self.last_frame) {
            *sample = if fade > 3 { 0 } else { last >> fade };
        }
    }

    /// Drops a frame when the buffer has been deeper than wanted for two seconds.
    fn shrink(&mut self) {
        let Some(position) = self.position else { return };
        let depth = self.end.wrapping_sub(position).cast_signed();
        if depth <= self.units(self.config.delay + FRAME).cast_signed() {
            self.deep = 0;
            return;
        }
        self.deep += 1;
        if self.deep >= DEEP_FRAMES {
            self.deep = 0;
            self.delay = self.delay.saturating_sub(FRAME).max(self.config.delay);
            self.position = Some(position.wrapping_add(self.units(FRAME)));
        }
    }

    /// Returns a time in timestamp units.
    const fn units(&self, time: Duration) -> u32 {
        (time.as_micros() * self.clock as u128 / 1_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::codec::{Decode, Descriptor, Encode};
    use crate::quality::CodecImpairment;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Sound as it is: two bytes for every sample, so that values survive.
    #[derive(Debug)]
    struct Plain;

    impl Encode for Plain {
        fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
            out.extend(samples.iter().flat_map(|sample| sample.to_be_bytes()));
        }
    }

    impl Decode for Plain {
        fn samples(&self, payload: &[u8]) -> usize {
            payload.len() / 2
        }

        fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
            out.extend(payload.as_chunks::<2>().0.iter().map(|pair| i16::from_be_bytes(*pair)));
        }
    }

    const PLAIN: Codec = Codec::new(&Descriptor {
        name: "PLAIN",
        rtp_clock: 8000,
        rate: 8000,
        channels: 1,
        static_payload_type: None,
        fmtp: None,
        impairment: Some(CodecImpairment::G711),
        encoder: || Box::new(Plain),
        decoder: || Box::new(Plain),
    });

    fn audio(value: i16) -> Vec<i16> {
        vec![value; 160]
    }

    trait Put {
        fn put(&mut self, timestamp: u32, samples: &[i16]);
    }

    impl Put for Playout {
        fn put(&mut self, timestamp: u32, samples: &[i16]) {
            let mut payload = Vec::new();
            Plain.encode(samples, &mut payload);
            self.insert(timestamp, PLAIN, &payload);
        }
    }

    fn taken(playout: &mut Playout) -> (FrameKind, i16) {
        let mut frame = Frame::silence(8000);
        let kind = playout.take(&mut frame);
        (kind, frame[0])
    }

    #[test]
    fn the_first_packet_is_heard_after_the_delay() {
        let mut playout = Playout::new(PlayoutConfig::default());
        assert_eq!(taken(&mut playout), (FrameKind::Silent, 0));
        playout.put(1000, &audio(7));
        assert_eq!(taken(&mut playout), (FrameKind::Silent, 0));
        playout.put(1160, &audio(8));
        assert_eq!(taken(&mut playout), (FrameKind::Silent, 0));
        assert_eq!(taken(&mut playout), (FrameKind::Received, 7));
        assert_eq!(taken(&mut playout), (FrameKind::Received, 8));
        assert_eq!(playout.discarded(), 0);
    }

    #[test]
    fn disorder_within_the_delay_is_not_heard() {
        let mut playout = Playout::new(PlayoutConfig::default());
        let start = u32::MAX - 100;
        playout.put(start, &audio(1));
        playout.put(start.wrapping_add(320), &audio(3));
        playout.put(start.wrapping_add(160), &audio(2));
        let heard: Vec<_> = (0..5).map(|_| taken(&mut playout).1).collect();
        assert_eq!(heard, [0, 0, 1, 2, 3]);
    }

    #[test]
    fn a_gap_is_concealed_by_a_fading_copy() {
        let mut playout = Playout::new(PlayoutConfig::default());
        playout.put(0, &audio(800));
        playout.put(800, &audio(900));
        let heard: Vec<_> = (0..8).map(|_| taken(&mut playout)).collect();
        assert_eq!(heard[2], (FrameKind::Received, 800));
        assert_eq!(heard[3], (FrameKind::Concealed, 400));
        assert_eq!(heard[4], (FrameKind::Concealed, 200));
        assert_eq!(heard[5], (FrameKind::Concealed, 100));
        assert_eq!(heard[6], (FrameKind::Concealed, 0));
        assert_eq!(heard[7], (FrameKind::Received, 900));
        assert_eq!(playout.concealed(), 4);
    }

    #[test]
    fn a_late_packet_is_discarded_and_deepens_the_buffer_up_to_its_limit() {
        let mut playout = Playout::new(PlayoutConfig { delay: MS(40), max_delay: MS(60) });
        let mut stamp = 0;
        playout.put(stamp, &audio(1));
        for _ in 0..4 {
            let _frame = taken(&mut playout);
        }
        for _ in 0..3 {
            playout.put(stamp, &audio(1));
        }
        assert_eq!(playout.discarded(), 3);
        assert_eq!(playout.delay(), MS(60));
        stamp += 640;
        playout.put(stamp, &audio(5));
        assert_eq!(playout.discarded(), 3);
    }

    #[test]
    fn a_sender_that_stays_late_is_heard_again() {
        let mut playout = Playout::new(PlayoutConfig { delay: MS(40), max_delay: MS(40) });
        playout.put(0, &audio(1));
        for _ in 0..10 {
            let _frame = taken(&mut playout);
        }
        let mut heard = false;
        for packet in 0..20u32 {
            playout.put(160 + packet * 160, &audio(9));
            heard |= taken(&mut playout) == (FrameKind::Received, 9);
        }
        assert!(heard);
        assert_eq!(playout.discarded(), 10);
    }

    #[test]
    fn packets_of_other_durations_fill_the_same_frames() {
        for duration in [80usize, 240, 320] {
            let mut playout = Playout::new(PlayoutConfig::default());
            let mut stamp = 500u32;
            let samples = vec![3i16; duration];
            for frame in 0..20 {
                while stamp.wrapping_sub(500) < frame * 160 + 480 {
                    playout.put(stamp, &samples);
                    stamp += duration as u32;
                }
                let _frame = taken(&mut playout);
            }
            assert_eq!((playout.discarded(), playout.concealed()), (0, 0), "{duration} samples");
        }
    }

    #[test]
    fn a_buffer_that_stays_too_deep_is_cut() {
        let mut playout = Playout::new(PlayoutConfig::default());
        for packet in 0..5u32 {
            playout.put(packet * 160, &audio(1));
        }
        let _lead = (taken(&mut playout), taken(&mut playout));
        for packet in 5..300u32 {
            playout.put(packet * 160, &audio(1));
            let _frame = taken(&mut playout);
        }
        let mut left = 0;
        while taken(&mut playout).0 == FrameKind::Received {
            left += 1;
        }
        assert_eq!(left, 3);
    }

    #[test]
    fn a_jump_of_the_timestamp_starts_over() {
        let mut playout = Playout::new(PlayoutConfig::default());
        playout.put(0, &audio(1));
        playout.put(4_000_000, &audio(2));
        let heard: Vec<_> = (0..3).map(|_| taken(&mut playout).1).collect();
        assert_eq!(heard, [0, 0, 2]);
    }

    #[test]
    fn a_codec_that_remembers_gets_its_packets_in_order_and_once() {
        /// Each byte is the step from the sample before.
        #[derive(Debug, Default)]
        struct Steps(i16);

        impl Decode for Steps {
            fn samples(&self, payload: &[u8]) -> usize {
                payload.len()
            }

            fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
                for byte in payload {
                    self.0 += i16::from(*byte);
                    out.push(self.0);
                }
            }
        }

        const STEPS: Codec = Codec::new(&Descriptor {
            name: "STEPS",
            rtp_clock: 8000,
            rate: 8000,
            channels: 1,
            static_payload_type: None,
            fmtp: None,
            impairment: Some(CodecImpairment::G711),
            encoder: || Box::new(Plain),
            decoder: || Box::<Steps>::default(),
        });
        let mut playout = Playout::new(PlayoutConfig::default());
        for number in [0u32, 2, 1, 3, 1] {
            playout.insert(number * 160, STEPS, &[1; 160]);
        }
        let mut frame = Frame::silence(8000);
        let mut heard: Vec<i16> = Vec::new();
        for _ in 0..6 {
            let _kind = playout.take(&mut frame);
            heard.extend_from_slice(&frame);
        }
        assert_eq!(heard[320..], (1..=640).collect::<Vec<i16>>());
    }

    #[test]
    fn a_crowd_of_packets_is_bounded() {
        let mut playout = Playout::new(PlayoutConfig::default());
        for timestamp in 0..1000u32 {
            playout.put(timestamp, &[5; 8]);
        }
        assert_eq!(playout.discarded(), 1000 - 64);
        let heard: Vec<_> = (0..3).map(|_| taken(&mut playout)).collect();
        assert_eq!(heard[2], (FrameKind::Received, 5));
    }
}
