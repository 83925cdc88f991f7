//! Playout buffer: packets in at any moment, one frame out every tick.
//!
//! Decoded samples lie in a ring addressed by RTP timestamp, so packets of any duration, copies and
//! disorder need no special care. The read position runs `delay` behind the newest audio. Late packets
//! are counted as discarded and make the buffer deeper; a buffer that stays too deep loses one frame.
//! What is missing is concealed: the last frame again, fading to silence within 60 ms.

use crate::audio::{FRAME_SAMPLES, Frame};

/// Samples in the ring: 512 ms at 8 kHz.
const RING: usize = 4096;
/// Late packets in a row after which the timeline is taken anew.
const RESYNC_AFTER: u32 = 10;
/// Frames without any packet after which the next one starts a new talk-spurt.
const IDLE_FRAMES: u32 = 25;
/// Frames that the buffer must be too deep before it is cut.
const DEEP_FRAMES: u32 = 100;

/// How deep the buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutConfig {
    /// Depth at the start of a talk-spurt, in samples.
    pub delay: u32,
    /// Depth up to which late packets may drive it; equal to `delay` for a fixed buffer.
    pub max_delay: u32,
}

impl Default for PlayoutConfig {
    /// 40 ms, growing to 120 ms when packets are late.
    fn default() -> Self {
        Self { delay: 320, max_delay: 960 }
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
#[derive(Debug, Clone)]
pub struct Playout {
    config: PlayoutConfig,
    samples: Box<[i16; RING]>,
    filled: Box<[bool; RING]>,
    /// Timestamp of the next sample to play; `None` until a packet came.
    position: Option<u32>,
    /// Timestamp behind the newest sample.
    end: u32,
    delay: u32,
    last_frame: Frame,
    missing: u32,
    late_in_a_row: u32,
    deep: u32,
    /// Frames to repeat because the buffer shall become deeper.
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
            samples: Box::new([0; RING]),
            filled: Box::new([false; RING]),
            position: None,
            end: 0,
            delay: config.delay,
            last_frame: [0; FRAME_SAMPLES],
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

    /// Returns the present depth in samples.
    #[must_use]
    pub const fn delay(&self) -> u32 {
        self.delay
    }

    /// Forgets the timeline, because another source or a new numbering begins.
    pub fn reset(&mut self) {
        self.position = None;
        self.filled.fill(false);
        self.hold = 0;
        self.late_in_a_row = 0;
        self.deep = 0;
    }

    /// Puts decoded audio in its place.
    pub fn insert(&mut self, timestamp: u32, audio: &[i16]) {
        if audio.is_empty() || audio.len() > RING / 2 {
            return;
        }
        let length = audio.len() as i64;
        let Some(position) = self.position else {
            self.begin(timestamp);
            self.store(timestamp, audio);
            return;
        };
        let ahead = i64::from(timestamp.wrapping_sub(position).cast_signed());
        if ahead + length <= 0 {
            self.late();
            if self.late_in_a_row >= RESYNC_AFTER {
                self.reset();
                self.insert(timestamp, audio);
            }
            return;
        }
        if ahead > (RING / 2) as i64 {
            // A jump: the timeline has moved, for example after a hold.
            self.reset();
            self.begin(timestamp);
        }
        self.late_in_a_row = 0;
        self.store(timestamp, audio);
    }

    /// Takes the next frame.
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
        let mut found = 0;
        for (offset, sample) in frame.iter_mut().enumerate() {
            let index = slot(position.wrapping_add(offset as u32));
            let filled = self.filled.get_mut(index).is_some_and(std::mem::take);
            found += usize::from(filled);
            *sample = if filled { self.samples.get(index).copied().unwrap_or(0) } else { 0 };
        }
        self.position = Some(position.wrapping_add(FRAME_SAMPLES as u32));
        if found == 0 {
            return self.miss(frame);
        }
        self.missing = 0;
        self.last_frame = *frame;
        self.shrink();
        FrameKind::Received
    }

    fn begin(&mut self, timestamp: u32) {
        self.position = Some(timestamp.wrapping_sub(self.delay));
        self.end = timestamp;
        // The lead is silence, not loss.
        self.last_frame.fill(0);
        self.missing = 0;
    }

    fn store(&mut self, timestamp: u32, audio: &[i16]) {
        let position = self.position.unwrap_or(timestamp);
        for (offset, value) in audio.iter().enumerate() {
            let at = timestamp.wrapping_add(offset as u32);
            if at.wrapping_sub(position).cast_signed() < 0 {
                continue;
            }
            let index = slot(at);
            if let (Some(sample), Some(filled)) = (self.samples.get_mut(index), self.filled.get_mut(index)) {
                *sample = *value;
                *filled = true;
            }
        }
        let end = timestamp.wrapping_add(audio.len() as u32);
        if end.wrapping_sub(self.end).cast_signed() > 0 {
            self.end = end;
        }
    }

    fn late(&mut self) {
        self.discarded += 1;
        self.late_in_a_row += 1;
        let frame = FRAME_SAMPLES as u32;
        if self.delay + frame <= self.config.max_delay && self.hold == 0 {
            self.delay += frame;
            self.hold = 1;
        }
    }

    /// Nothing came for a whole frame.
    fn miss(&mut self, frame: &mut Frame) -> FrameKind {
        self.missing += 1;
        if self.missing > IDLE_FRAMES {
            self.reset();
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

    /// Repeats the last frame at half its level; three times and it is silent.
    fn conceal(&mut self, frame: &mut Frame) {
        let fade = self.missing.max(1);
        for (sample, last) in frame.iter_mut().zip(&self.last_frame) {
            *sample = if fade > 3 { 0 } else { last >> fade };
        }
    }

    /// Drops a frame when the buffer has been deeper than wanted for two seconds.
    fn shrink(&mut self) {
        let frame = FRAME_SAMPLES as u32;
        let Some(position) = self.position else { return };
        let depth = self.end.wrapping_sub(position).cast_signed();
        if depth <= (self.config.delay + frame).cast_signed() {
            self.deep = 0;
            return;
        }
        self.deep += 1;
        if self.deep >= DEEP_FRAMES {
            self.deep = 0;
            self.delay = self.delay.saturating_sub(frame).max(self.config.delay);
            for offset in 0..frame {
                if let Some(filled) = self.filled.get_mut(slot(position.wrapping_add(offset))) {
                    *filled = false;
                }
            }
            self.position = Some(position.wrapping_add(frame));
        }
    }
}

/// Returns the place of a timestamp in the ring.
const fn slot(timestamp: u32) -> usize {
    timestamp as usize % RING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(value: i16) -> Frame {
        [value; FRAME_SAMPLES]
    }

    fn taken(playout: &mut Playout) -> (FrameKind, i16) {
        let mut frame = [0; FRAME_SAMPLES];
        let kind = playout.take(&mut frame);
        (kind, frame[0])
    }

    #[test]
    fn the_first_packet_is_heard_after_the_delay() {
        let mut playout = Playout::new(PlayoutConfig::default());
        assert_eq!(taken(&mut playout), (FrameKind::Silent, 0));
        playout.insert(1000, &audio(7));
        assert_eq!(taken(&mut playout), (FrameKind::Silent, 0));
        playout.insert(1160, &audio(8));
        assert_eq!(taken(&mut playout), (FrameKind::Silent, 0));
        assert_eq!(taken(&mut playout), (FrameKind::Received, 7));
        assert_eq!(taken(&mut playout), (FrameKind::Received, 8));
        assert_eq!(playout.discarded(), 0);
    }

    #[test]
    fn disorder_within_the_delay_is_not_heard() {
        let mut playout = Playout::new(PlayoutConfig::default());
        let start = u32::MAX - 100;
        playout.insert(start, &audio(1));
        playout.insert(start.wrapping_add(320), &audio(3));
        playout.insert(start.wrapping_add(160), &audio(2));
        let heard: Vec<_> = (0..5).map(|_| taken(&mut playout).1).collect();
        assert_eq!(heard, [0, 0, 1, 2, 3]);
    }

    #[test]
    fn a_gap_is_concealed_by_a_fading_copy() {
        let mut playout = Playout::new(PlayoutConfig::default());
        playout.insert(0, &audio(800));
        playout.insert(800, &audio(900));
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
        let mut playout = Playout::new(PlayoutConfig { delay: 320, max_delay: 480 });
        let mut stamp = 0;
        playout.insert(stamp, &audio(1));
        for _ in 0..4 {
            let _frame = taken(&mut playout);
        }
        for _ in 0..3 {
            playout.insert(stamp, &audio(1));
        }
        assert_eq!(playout.discarded(), 3);
        assert_eq!(playout.delay(), 480);
        stamp += 640;
        playout.insert(stamp, &audio(5));
        assert_eq!(playout.discarded(), 3);
    }

    #[test]
    fn a_sender_that_stays_late_is_heard_again() {
        let mut playout = Playout::new(PlayoutConfig { delay: 320, max_delay: 320 });
        playout.insert(0, &audio(1));
        for _ in 0..10 {
            let _frame = taken(&mut playout);
        }
        let mut heard = false;
        for packet in 0..20u32 {
            playout.insert(160 + packet * 160, &audio(9));
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
                    playout.insert(stamp, &samples);
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
            playout.insert(packet * 160, &audio(1));
        }
        let _lead = (taken(&mut playout), taken(&mut playout));
        for packet in 5..300u32 {
            playout.insert(packet * 160, &audio(1));
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
        playout.insert(0, &audio(1));
        playout.insert(4_000_000, &audio(2));
        let heard: Vec<_> = (0..3).map(|_| taken(&mut playout).1).collect();
        assert_eq!(heard, [0, 0, 2]);
    }
}
