//! How good the audio sounded, judged by the packets.
//!
//! ITU-T G.107 in its narrowband default form. Unknown stays unknown: a score without its inputs is
//! [`Quality::Unmeasured`] with the reason, never a flattering default. G.107.1 (wideband) is left out,
//! so a wideband codec has no score.

mod emodel;
mod loss;
mod one_way;

use std::time::Duration;

pub use emodel::{CodecImpairment, burst_ratio_of_chain, mos, r_factor};
pub use loss::burst_ratio;
pub use one_way::{Acoustics, Arrivals, Signaling, Verdict, one_way_verdict};

/// Estimated quality of one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quality {
    /// A score on the narrowband scale.
    Measured {
        /// Transmission rating, 0 to 93.2.
        r_factor: f64,
        /// Mean opinion score, 1 to 4.5.
        mos: f64,
        /// Network delay that went into it; `None` when unknown, and then counted as zero.
        network_delay: Option<Duration>,
    },
    /// No score.
    Unmeasured(Unmeasured),
}

/// Why there is no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// No RTP has come.
    NothingReceived,
    /// Too few packets to tell the share of losses.
    TooFewPackets,
    /// Packets came, but none of a codec with known impairments.
    UnknownCodec,
    /// The codec is wideband, whose ratings are on a scale of their own (G.107.1), which is not that of G.711.
    Wideband,
}

impl Unmeasured {
    /// Returns the reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NothingReceived => "no RTP received",
            Self::TooFewPackets => "too few packets to measure loss",
            Self::UnknownCodec => "no packet of a known codec",
            Self::Wideband => "a wideband codec has no score on the narrowband scale",
        }
    }
}

impl Quality {
    /// Returns the mean opinion score, if there is one.
    #[must_use]
    pub const fn mos(&self) -> Option<f64> {
        match self {
            Self::Measured { mos, .. } => Some(*mos),
            Self::Unmeasured(_) => None,
        }
    }

    /// Returns why there is no score.
    #[must_use]
    pub const fn reason(&self) -> Option<Unmeasured> {
        match self {
            Self::Measured { .. } => None,
            Self::Unmeasured(reason) => Some(*reason),
        }
    }
}
