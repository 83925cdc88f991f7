//! Audio codecs and their names in SDP.
//!
//! RFC 3551 static payload types; ITU-T G.711. G.722, Opus and G.729 are not implemented.

mod g711;

pub use g711::{alaw_decode, alaw_encode, ulaw_decode, ulaw_encode};

/// Voice codec this crate can encode and decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s.
    Pcma,
    /// G.711 µ-law, 64 kbit/s.
    Pcmu,
}

impl Codec {
    /// Every codec, in the order that a phone prefers them by default.
    pub const ALL: [Self; 2] = [Self::Pcma, Self::Pcmu];

    /// Returns the encoding name of RFC 3551.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// Returns the RTP clock rate in hertz, which is also the sampling rate.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu => 8000,
        }
    }

    /// Returns the payload type that RFC 3551 assigns.
    #[must_use]
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// Finds the codec of a static payload type.
    #[must_use]
    pub fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.static_payload_type() == payload_type)
    }

    /// Finds a codec by its encoding name (any case) and clock rate.
    #[must_use]
    pub fn from_encoding(name: &str, clock_rate: u32) -> Option<Self> {
        Self::from_name(name).filter(|codec| codec.clock_rate() == clock_rate)
    }

    /// Finds a codec by its encoding name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Returns the byte that encodes digital silence.
    #[must_use]
    pub const fn silence_byte(self) -> u8 {
        match self {
            Self::Pcma => 0xD5,
            Self::Pcmu => 0xFF,
        }
    }

    /// Appends the encoding of `samples` to `out`.
    pub fn encode(self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::Pcma => out.extend(samples.iter().map(|sample| alaw_encode(*sample))),
            Self::Pcmu => out.extend(samples.iter().map(|sample| ulaw_encode(*sample))),
        }
    }

    /// Appends the samples of `payload` to `out`.
    pub fn decode(self, payload: &[u8], out: &mut Vec<i16>) {
        match self {
            Self::Pcma => out.extend(payload.iter().map(|byte| alaw_decode(*byte))),
            Self::Pcmu => out.extend(payload.iter().map(|byte| ulaw_decode(*byte))),
        }
    }
}
