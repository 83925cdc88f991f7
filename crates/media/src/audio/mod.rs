//! Sound: frames, tones, files, levels.
//!
//! Everything inside is 16-bit linear with one channel, at a rate that is passed to each part.

mod frame;
mod goertzel;
mod level;
mod mix;
mod resample;
mod silence;
mod spectrum;
mod tone;
mod tone_detector;
mod wav;

pub use frame::{FRAME, Frame};
pub(crate) use goertzel::Goertzels;
pub(crate) use level::{FULL_SCALE, squares};
pub use level::{LevelMeter, dbfs};
pub use mix::{Mixer, mix};
pub use resample::{Converter, resample};
pub use silence::{SilenceChange, SilenceConfig, SilenceDetector};
pub use spectrum::{DominantTone, dominant_tone};
pub use tone::{Cadence, Tone, ToneGenerator};
pub use tone_detector::{ToneChange, ToneDetector};
pub use wav::{RecordingLayout, WavError, WavRecorder, read_wav, write_wav};

/// Sampling rate of telephones, in hertz: of narrow files once read, and of a session before it has a codec.
pub const SAMPLE_RATE: u32 = 8000;
/// Sampling rate of wideband telephones, in hertz, and of all other files once read.
pub const WIDEBAND_RATE: u32 = 16_000;
