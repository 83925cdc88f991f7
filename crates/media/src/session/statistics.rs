//! The figures of a session.

use std::time::Duration;

use crate::codec::Codec;
use crate::quality::{Quality, Unmeasured, burst_ratio, mos, r_factor};
use crate::rtp::BurstHistogram;

/// Fewer packets say nothing about the share of losses.
const ENOUGH_PACKETS: u64 = 50;

/// What the peer reported about what it heard from us.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RemoteReport {
    /// Share of our packets lost in its last interval, 0 to 1.
    pub fraction_lost: f64,
    /// Our packets lost since the start.
    pub lost: i32,
    /// Jitter it measured, in milliseconds.
    pub jitter_ms: f64,
}

/// Figures of both directions since the start.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamStats {
    /// Codec of the plan.
    pub codec: Option<Codec>,
    /// Packets sent.
    pub packets_sent: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Packets received and accepted.
    pub packets_received: u64,
    /// Payload bytes received and accepted.
    pub bytes_received: u64,
    /// Packets that should have come, by their numbers.
    pub expected: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Packets that came after a newer one.
    pub reordered: u64,
    /// Packets too late or too early for playout.
    pub discarded: u64,
    /// Frames made up to conceal gaps.
    pub concealed_frames: u64,
    /// RTP and RTCP packets that were not the peer's, or were of a second stream or with an
    /// implausible number.
    pub foreign: u64,
    /// Packets of comfort noise (RFC 3389), which are not played.
    pub comfort_noise: u64,
    /// Packets of a payload type nobody agreed on.
    pub unknown_payload: u64,
    /// Datagrams that were neither RTP nor RTCP.
    pub malformed: u64,
    /// Changes of the remote source after the first.
    pub source_changes: u64,
    /// Loss bursts by length.
    pub bursts: BurstHistogram,
    /// Interarrival jitter now.
    pub jitter_ms: f64,
    /// Largest jitter so far.
    pub max_jitter_ms: f64,
    /// Round trip from the last report, `None` without one.
    pub round_trip_ms: Option<f64>,
    /// Level of what was heard, `None` for nothing or digital silence.
    pub received_dbfs: Option<f64>,
    /// Audio received and played.
    pub audio_received: Duration,
    /// The part of it above the silence threshold.
    pub sound_received: Duration,
    /// Digits received, in order, by any method.
    pub digits_received: String,
    /// Digits sent.
    pub digits_sent: u64,
    /// What the peer reported.
    pub remote: Option<RemoteReport>,
    /// Estimated quality of what was heard.
    pub quality: Quality,
}

/// What a quality estimate needs.
pub(super) struct QualityInputs {
    pub(super) codec: Option<Codec>,
    pub(super) received: u64,
    pub(super) expected: u64,
    pub(super) lost: u64,
    pub(super) discarded: u64,
    pub(super) bursts: BurstHistogram,
    pub(super) round_trip: Option<Duration>,
    pub(super) playout: Duration,
    pub(super) packet_time: Duration,
}

impl QualityInputs {
    pub(super) fn estimate(&self) -> Quality {
        if self.received == 0 {
            return Quality::Unmeasured(Unmeasured::NothingReceived);
        }
        let Some(codec) = self.codec else {
            return Quality::Unmeasured(Unmeasured::UnknownCodec);
        };
        let Some(impairment) = codec.impairment else {
            return Quality::Unmeasured(Unmeasured::Wideband);
        };
        if self.expected < ENOUGH_PACKETS {
            return Quality::Unmeasured(Unmeasured::TooFewPackets);
        }
        let missing = self.lost + self.discarded;
        let loss_percent = missing as f64 * 100.0 / self.expected as f64;
        let network_delay = self.round_trip.map(|trip| trip / 2);
        let delay = network_delay.unwrap_or_default() + self.playout + self.packet_time;
        let burst = burst_ratio(self.expected, self.lost, &self.bursts);
        let rating = r_factor(impairment, loss_percent, burst, delay.as_secs_f64() * 1000.0);
        let r_factor = rating.max(0.0);
        Quality::Measured { r_factor, mos: mos(r_factor), network_delay }
    }
}
