//! Audio codecs: what they are called, how they count, and what they remember.
//!
//! RFC 3551 static payload types; ITU-T G.711 and G.722. Opus and G.729 are not implemented.

mod g711;
mod g722;
mod identity;

use std::fmt;
use std::time::Duration;

use g711::G711;
pub use g711::{alaw_decode, alaw_encode, ulaw_decode, ulaw_encode};
use g722::{G722Decoder, G722Encoder};

use crate::quality::CodecImpairment;

/// Turns sound into payloads; each session has its own, because a codec may remember.
pub trait Encode: fmt::Debug + Send {
    /// Appends the encoding of one packet's samples to `out`.
    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>);
}

/// Turns payloads into sound; each session has its own, because a codec may remember.
pub trait Decode: fmt::Debug + Send {
    /// Returns how many samples a payload holds, without decoding it.
    fn samples(&self, payload: &[u8]) -> usize;

    /// Appends the samples of a payload to `out`.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>);
}

/// What a codec is called, how it counts, and how its state is made.
#[derive(Debug)]
pub struct Descriptor {
    /// Encoding name in a description.
    pub name: &'static str,
    /// Clock of its RTP timestamps in hertz. Not always the rate: G.722 counts 8000 (RFC 3551 section 4.5.2).
    pub rtp_clock: u32,
    /// Samples a second that it takes and gives.
    pub rate: u32,
    /// Channels that a description names; sound inside has one.
    pub channels: u8,
    /// Payload type of RFC 3551, if it has one.
    pub static_payload_type: Option<u8>,
    /// Parameters that our descriptions name.
    pub fmtp: Option<&'static str>,
    /// How much losses, and the codec itself, impair the sound on the narrowband scale; `None` for a
    /// codec that is not on that scale.
    pub impairment: Option<CodecImpairment>,
    /// Makes the state of the sending side.
    pub encoder: fn() -> Box<dyn Encode>,
    /// Makes the state of the receiving side.
    pub decoder: fn() -> Box<dyn Decode>,
}

impl Descriptor {
    /// Returns a time in units of the RTP clock.
    #[must_use]
    pub const fn units(&self, time: Duration) -> u32 {
        (time.as_micros() * self.rtp_clock as u128 / 1_000_000) as u32
    }

    /// Returns the samples in a time.
    #[must_use]
    pub const fn samples(&self, time: Duration) -> usize {
        (time.as_micros() * self.rate as u128 / 1_000_000) as usize
    }
}

/// A codec: a reference to its descriptor, equal to every other of the same name, clock and channels.
#[derive(Clone, Copy)]
pub struct Codec(&'static Descriptor);

/// What both laws of G.711 share.
const G711_DESCRIPTOR: Descriptor = Descriptor {
    name: "PCMA",
    rtp_clock: 8000,
    rate: 8000,
    channels: 1,
    static_payload_type: Some(8),
    fmtp: None,
    impairment: Some(CodecImpairment::G711_CONCEALED),
    encoder: || Box::new(G711::A),
    decoder: || Box::new(G711::A),
};

impl Codec {
    /// G.711 A-law, 64 kbit/s.
    pub const PCMA: Self = Self(&G711_DESCRIPTOR);
    /// G.711 µ-law, 64 kbit/s.
    pub const PCMU: Self = Self(&Descriptor {
        name: "PCMU",
        static_payload_type: Some(0),
        encoder: || Box::new(G711::Mu),
        decoder: || Box::new(G711::Mu),
        ..G711_DESCRIPTOR
    });
    /// G.722, 64 kbit/s: sound up to 7 kHz.
    pub const G722: Self = Self(&Descriptor {
        name: "G722",
        rtp_clock: 8000,
        rate: 16_000,
        channels: 1,
        static_payload_type: Some(9),
        fmtp: None,
        impairment: None,
        encoder: || Box::<G722Encoder>::default(),
        decoder: || Box::<G722Decoder>::default(),
    });
    /// Every codec that a phone has, in the order that it prefers them by default.
    pub const ALL: [Self; 3] = [Self::PCMA, Self::PCMU, Self::G722];

    /// Makes a codec from its descriptor.
    #[must_use]
    pub const fn new(descriptor: &'static Descriptor) -> Self {
        Self(descriptor)
    }

    /// Finds the codec of a static payload type.
    #[must_use]
    pub fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.static_payload_type == Some(payload_type))
    }

    /// Finds a codec by its encoding name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name.eq_ignore_ascii_case(name))
    }
}
