//! Samples: frames, tones, files, levels.
//!
//! Everything inside is 16-bit linear, 8 kHz, one channel.

mod goertzel;
mod level;
mod mix;
mod resample;
mod silence;
mod spectrum;
mod tone;
mod tone_detector;
mod wav;

pub(crate) use goertzel::{Goertzel, mean_square};
pub use level::{LevelMeter, dbfs};
pub use mix::{Mixer, mix};
pub use resample::resample;
pub use silence::{SilenceChange, SilenceConfig, SilenceDetector};
pub use spectrum::{DominantTone, dominant_tone};
pub use tone::{Cadence, Tone, ToneGenerator};
pub use tone_detector::{ToneChange, ToneDetector};
pub use wav::{RecordingLayout, WavError, WavRecorder, read_wav, write_wav};

/// Sampling rate of all audio inside, in hertz.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples in a frame of 20 ms.
pub const FRAME_SAMPLES: usize = 160;
/// One frame of audio.
pub type Frame = [i16; FRAME_SAMPLES];
