//! The state of a session, and what can be read from it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use super::config::SessionConfig;
use super::control::DigitBatches;
use super::limits::Limits;
use super::listen::Listener;
use super::output::{Fact, Output};
use super::packetizer::Packetizer;
use super::peer::Peer;
use super::report::Reporting;
use super::source::{Player, Source};
use super::statistics::{QualityInputs, StreamStats};
use crate::audio::{Converter, FRAME, Frame};
use crate::codec::{Codec, Encode};
use crate::dtmf::{EventReceiver, EventSender, InbandSender};
use crate::jitter::Playout;
use crate::negotiate::MediaPlan;
use crate::rtp::{Receiver, Sender};
use offhook_seed::Seed;

/// Packet buffers kept for reuse.
const SPARE_BUFFERS: usize = 8;

/// The media of one call.
///
/// ```
/// use std::net::SocketAddr;
/// use std::time::{Duration, Instant};
///
/// use offhook_media::audio::Tone;
/// use offhook_media::codec::Codec;
/// use offhook_media::negotiate::MediaPlan;
/// use offhook_media::session::{Fact, MediaSession, Output, SessionConfig, Source};
///
/// let start = Instant::now();
/// let (alice_at, bob_at): (SocketAddr, SocketAddr) =
///     ("192.0.2.1:4000".parse()?, "192.0.2.2:4000".parse()?);
/// let mut alice = MediaSession::new(SessionConfig { seed: 1, ..Default::default() }, start);
/// let mut bob = MediaSession::new(SessionConfig { seed: 2, ..Default::default() }, start);
/// alice.set_plan(start, MediaPlan::direct(Codec::PCMA, bob_at));
/// bob.set_plan(start, MediaPlan::direct(Codec::PCMA, alice_at));
/// alice.play(Source::Tone(Tone::steady(&[440.0], -10.0)));
///
/// // One virtual second: 51 ticks, 20 ms apart.
/// for tick in 0..=50 {
///     let now = start + Duration::from_millis(20 * tick);
///     alice.handle_tick(now);
///     while let Some(output) = alice.poll_output() {
///         if let Output::Packet { bytes, .. } = output {
///             bob.handle_packet(now, alice_at, &bytes);
///             alice.recycle(bytes);
///         }
///     }
///     bob.handle_tick(now);
/// }
///
/// let heard = std::iter::from_fn(|| bob.poll_output())
///     .any(|output| matches!(output, Output::Fact(Fact::FirstPacket { codec, .. }) if codec == Some(Codec::PCMA)));
/// assert!(heard);
/// let stats = bob.stats();
/// assert_eq!((stats.packets_received, stats.lost), (51, 0));
/// assert!((stats.received_dbfs.unwrap() + 10.0).abs() < 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MediaSession {
    pub(super) config: SessionConfig,
    pub(super) seed: Seed,
    pub(super) plan: Option<MediaPlan>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) limits: Limits,
    spare: Vec<Vec<u8>>,
    pub(super) next_tick: Option<Instant>,
    /// The tick whose frame was heard and not yet answered.
    pub(super) turn: Option<Instant>,
    /// Frames heard in this tick; more than one makes up for lateness.
    pub(super) caught_up: u32,
    pub(super) statistics_due: Option<Instant>,
    pub(super) closed: bool,

    pub(super) sender: Sender,
    pub(super) player: Player,
    pub(super) events_out: EventSender,
    pub(super) tones_out: InbandSender,
    pub(super) batches: DigitBatches,
    /// The codec that we send, which gives the session its clock and its rate; A-law before the plan.
    pub(super) codec: Codec,
    pub(super) encoder: Box<dyn Encode>,
    pub(super) packetizer: Packetizer,
    pub(super) payload: Vec<u8>,
    pub(super) said: Frame,
    /// Brings what others say to the rate of what is said.
    pub(super) others: Converter,

    pub(super) peer: Peer,
    pub(super) receiver: Receiver,
    pub(super) playout: Playout,
    pub(super) events_in: EventReceiver,
    pub(super) listener: Listener,
    pub(super) heard: Frame,
    pub(super) source: Option<(SocketAddr, u32)>,
    /// Payload type of the audio that came last.
    pub(super) payload_type: Option<u8>,
    pub(super) reception_stopped: bool,

    pub(super) reporting: Reporting,
    pub(super) recording: bool,
    pub(super) digits_sent: u64,
    pub(super) comfort_noise: u64,
    pub(super) unknown_payload: u64,
    pub(super) malformed: u64,
    pub(super) source_changes: u64,
}

impl MediaSession {
    /// Starts a session that has no plan yet: it receives, but sends nothing.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut seed = Seed::new(config.seed);
        let sender = Sender::new(&mut seed);
        let codec = Codec::PCMA;
        Self {
            plan: None,
            outputs: VecDeque::new(),
            limits: Limits::default(),
            spare: Vec::new(),
            next_tick: Some(now),
            turn: None,
            caught_up: 0,
            statistics_due: config.statistics_interval.map(|interval| now + interval),
            closed: false,
            sender,
            player: Player::new(Source::Silence, codec.rate),
            events_out: EventSender::new(codec.rtp_clock),
            tones_out: InbandSender::new(codec.rate),
            batches: DigitBatches::default(),
            codec,
            encoder: (codec.encoder)(),
            packetizer: Packetizer::default(),
            payload: Vec::new(),
            said: Frame::silence(codec.rate),
            others: Converter::default(),
            peer: Peer::default(),
            receiver: Receiver::default(),
            playout: Playout::new(config.playout),
            events_in: EventReceiver::new(codec.rtp_clock),
            listener: Listener::new(&config),
            heard: Frame::silence(codec.rate),
            source: None,
            payload_type: None,
            reception_stopped: false,
            reporting: Reporting::new(config.wall_clock, now),
            recording: false,
            digits_sent: 0,
            comfort_noise: 0,
            unknown_payload: 0,
            malformed: 0,
            source_changes: 0,
            config,
            seed,
        }
    }

    /// Takes the next thing to do or to know; call it after every input until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Gives back the buffer of a sent packet, so that the next one needs no allocation.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS {
            self.spare.push(bytes);
        }
    }

    /// Returns when [`Self::handle_tick`] wants to be called next; `None` after [`Self::close`].
    ///
    /// Ticks are 20 ms apart; packets of 10 or 30 ms leave between them too.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let tick = self.next_tick?;
        Some(self.packet_due().map_or(tick, |packet| packet.min(tick)))
    }

    /// Returns the samples a second of what is heard and said.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.codec.rate
    }

    /// Returns the present plan.
    #[must_use]
    pub const fn plan(&self) -> Option<&MediaPlan> {
        self.plan.as_ref()
    }

    /// Returns our synchronization source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.sender.ssrc()
    }

    /// Returns where packets come from, and their synchronization source.
    #[must_use]
    pub const fn remote_source(&self) -> Option<(SocketAddr, u32)> {
        self.source
    }

    /// Returns all figures so far.
    #[must_use]
    pub fn stats(&self) -> StreamStats {
        let received = self.receiver.stats();
        let heard = self.listener.figures();
        let codec = self.listener.codec();
        let round_trip = self.reporting.round_trip();
        let quality = QualityInputs {
            codec,
            received: received.packets,
            expected: received.expected,
            lost: received.lost,
            discarded: self.playout.discarded(),
            bursts: received.bursts,
            round_trip,
            playout: self.playout.delay(),
            packet_time: self.plan.as_ref().map_or(FRAME, |plan| plan.packet_time),
        }
        .estimate();
        StreamStats {
            codec: self.plan.as_ref().map(|plan| plan.codec).or(codec),
            packets_sent: self.sender.packets(),
            bytes_sent: self.sender.bytes(),
            packets_received: received.packets,
            bytes_received: received.bytes,
            expected: received.expected,
            lost: received.lost,
            duplicates: received.duplicates,
            reordered: received.reordered,
            discarded: self.playout.discarded(),
            concealed_frames: self.playout.concealed(),
            foreign: received.foreign + self.peer.strangers(),
            comfort_noise: self.comfort_noise,
            unknown_payload: self.unknown_payload,
            malformed: self.malformed,
            source_changes: self.source_changes,
            bursts: received.bursts,
            jitter_ms: received.jitter_ms,
            max_jitter_ms: received.max_jitter_ms,
            round_trip_ms: round_trip.map(|trip| trip.as_secs_f64() * 1000.0),
            received_dbfs: heard.level,
            audio_received: heard.played,
            sound_received: heard.sounding,
            digits_received: heard.digits,
            digits_sent: self.digits_sent,
            remote: self.reporting.remote(),
            quality,
        }
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.facts([fact]);
    }

    pub(super) fn facts(&mut self, facts: impl IntoIterator<Item = Fact>) {
        let facts = facts.into_iter().filter(|fact| self.limits.admit(fact));
        self.outputs.extend(facts.map(Output::Fact));
    }

    /// Takes an empty packet buffer, used before if possible.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Returns the codec that the peer's payload type stands for.
    ///
    /// Before the plan, static numbers are believed: early media must be heard.
    pub(super) fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        let planned = self.plan.as_ref().and_then(|plan| {
            plan.receive.iter().find(|spec| spec.payload_type == payload_type).map(|spec| spec.codec)
        });
        planned.or_else(|| Codec::from_static_payload_type(payload_type))
    }
}
