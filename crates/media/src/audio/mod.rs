//! Samples: frames, tones, files, levels.
//!
//! Everything inside is 16-bit linear, 8 kHz, one channel.

mod level;
mod silence;
mod tone;

pub use level::{LevelMeter, dbfs};
pub use silence::{SilenceChange, SilenceConfig, SilenceDetector};
pub use tone::{Cadence, Tone, ToneGenerator};

/// Sampling rate of all audio inside, in hertz.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples in a frame of 20 ms.
pub const FRAME_SAMPLES: usize = 160;
/// One frame of audio.
pub type Frame = [i16; FRAME_SAMPLES];
