//! WAV files as bytes: reading what may be played, writing what was heard.
//!
//! Reads 8, 16, 24 and 32-bit integers, 32-bit floats, and G.711 (format tags 6 and 7); any rate and
//! number of channels become mono, at 8 kHz or, from files of a higher rate, at 16 kHz. Writes 16-bit PCM, mono or stereo.

use std::io::{self, Cursor, Seek, Write};
use std::sync::Arc;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use thiserror::Error;

use super::mix::mix;
use super::resample::resample;
use super::{Converter, Frame, SAMPLE_RATE, WIDEBAND_RATE};
use crate::codec::Codec;

/// Rates that a file may have.
const RATES: std::ops::RangeInclusive<u32> = 1000..=384_000;
/// Frames between two updates of the header: an interrupted recording loses at most a second.
const FLUSH_FRAMES: u32 = 50;

/// Why a WAV file cannot be read or written.
#[derive(Debug, Error)]
pub enum WavError {
    /// Not a RIFF file, or its chunks do not fit into it.
    #[error("no usable wave file")]
    Malformed(#[source] hound::Error),
    /// A G.711 file without its audio.
    #[error("wave file without a data chunk")]
    MissingData,
    /// A sampling rate no audio has.
    #[error("sampling rate of {rate} Hz is out of range")]
    Rate {
        /// The rate in the header.
        rate: u32,
    },
    /// The recording cannot be written.
    #[error("recording cannot be written")]
    Write(#[source] hound::Error),
}

/// Reads a whole file into samples that a session can play, and their rate.
///
/// # Errors
///
/// Fails when the bytes are not a WAV file, or are of an unknown format or an impossible rate.
pub fn read_wav(bytes: &[u8]) -> Result<(Arc<[i16]>, u32), WavError> {
    let (samples, rate) = match companded(bytes) {
        Some((codec, channels, rate)) => {
            let data = chunk(bytes, *b"data").ok_or(WavError::MissingData)?;
            let mut samples = Vec::with_capacity(data.len());
            (codec.decoder)().decode(data, &mut samples);
            (mono(&samples, channels), rate)
        }
        None => linear(bytes)?,
    };
    if !RATES.contains(&rate) {
        return Err(WavError::Rate { rate });
    }
    let kept = if rate > SAMPLE_RATE { WIDEBAND_RATE } else { SAMPLE_RATE };
    Ok((resample(&samples, rate, kept).into(), kept))
}

/// Reads a file that hound understands.
fn linear(bytes: &[u8]) -> Result<(Vec<i16>, u32), WavError> {
    let reader = WavReader::new(Cursor::new(bytes)).map_err(WavError::Malformed)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    let samples: Result<Vec<i16>, hound::Error> = match sample_format {
        SampleFormat::Float => {
            let scaled = |value: f32| (value * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
            reader.into_samples::<f32>().map(|sample| sample.map(scaled)).collect()
        }
        SampleFormat::Int => {
            let shift = i32::from(bits_per_sample) - 16;
            let scaled = |value: i32| (if shift >= 0 { value >> shift } else { value << -shift }) as i16;
            reader.into_samples::<i32>().map(|sample| sample.map(scaled)).collect()
        }
    };
    Ok((mono(&samples.map_err(WavError::Malformed)?, channels), sample_rate))
}

/// Averages the channels.
fn mono(samples: &[i16], channels: u16) -> Vec<i16> {
    let channels = usize::from(channels.max(1));
    let average = |group: &[i16]| {
        let sum: i64 = group.iter().map(|sample| i64::from(*sample)).sum();
        (sum / group.len().max(1) as i64) as i16
    };
    samples.chunks_exact(channels).map(average).collect()
}

/// Returns codec, channels and rate of a G.711 file.
fn companded(bytes: &[u8]) -> Option<(Codec, u16, u32)> {
    let [tag_low, tag_high, channels_low, channels_high, r0, r1, r2, r3, ..] = *chunk(bytes, *b"fmt ")?
    else {
        return None;
    };
    let codec = match u16::from_le_bytes([tag_low, tag_high]) {
        6 => Codec::PCMA,
        7 => Codec::PCMU,
        _ => return None,
    };
    let channels = u16::from_le_bytes([channels_low, channels_high]);
    Some((codec, channels, u32::from_le_bytes([r0, r1, r2, r3])))
}

/// Finds a chunk of a RIFF file; one that runs over the end is cut there.
fn chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
    loop {
        let (found, after) = rest.split_first_chunk::<4>()?;
        let (length, body) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if *found == name {
            return Some(body.get(..length.min(body.len())).unwrap_or_default());
        }
        // Chunks are padded to an even length.
        rest = body.get(length.checked_add(length % 2)?..)?;
    }
}

/// How the two directions are laid out in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingLayout {
    /// Both directions added.
    Mono,
    /// What was heard on the left, what was said on the right.
    Stereo,
}

/// Writes a recording.
///
/// The header is brought up to date every second, so that an interrupted recording can be read.
pub struct WavRecorder<W: Write + Seek> {
    writer: WavWriter<W>,
    layout: RecordingLayout,
    rate: u32,
    received: Converter,
    sent: Converter,
    unflushed: u32,
    frames: u64,
}

impl<W: Write + Seek> WavRecorder<W> {
    /// Starts a recording of `rate` samples a second.
    ///
    /// # Errors
    ///
    /// Fails when the header cannot be written.
    pub fn new(writer: W, layout: RecordingLayout, rate: u32) -> Result<Self, WavError> {
        let channels = match layout {
            RecordingLayout::Mono => 1,
            RecordingLayout::Stereo => 2,
        };
        let spec =
            WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut writer = WavWriter::new(writer, spec).map_err(WavError::Write)?;
        writer.flush().map_err(WavError::Write)?;
        let (received, sent) = <(Converter, Converter)>::default();
        Ok(Self { writer, layout, rate, received, sent, unflushed: 0, frames: 0 })
    }

    /// Appends a frame of each direction; one of another rate is converted.
    ///
    /// # Errors
    ///
    /// Fails when the medium does.
    pub fn write(&mut self, received: &Frame, sent: &Frame) -> Result<(), WavError> {
        let received = self.received.convert(received, self.rate);
        let sent = self.sent.convert(sent, self.rate);
        self.append(&received, &sent).map_err(WavError::Write)?;
        self.frames += 1;
        self.unflushed += 1;
        if self.unflushed >= FLUSH_FRAMES {
            self.unflushed = 0;
            self.writer.flush().map_err(WavError::Write)?;
        }
        Ok(())
    }

    /// Returns the samples a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Returns the frames written.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Completes the recording.
    ///
    /// # Errors
    ///
    /// Fails when the header cannot be completed.
    pub fn finish(self) -> Result<(), WavError> {
        self.writer.finalize().map_err(WavError::Write)
    }

    fn append(&mut self, received: &Frame, sent: &Frame) -> Result<(), hound::Error> {
        match self.layout {
            RecordingLayout::Mono => {
                let mut both = received.clone();
                mix(&mut both, sent);
                let mut samples = self.writer.get_i16_writer(both.len() as u32);
                both.iter().for_each(|sample| samples.write_sample(*sample));
                samples.flush()
            }
            RecordingLayout::Stereo => {
                let mut samples = self.writer.get_i16_writer(2 * received.len() as u32);
                for (heard, said) in received.iter().zip(&**sent) {
                    samples.write_sample(*heard);
                    samples.write_sample(*said);
                }
                samples.flush()
            }
        }
    }
}

/// Writes samples at 8 kHz as a mono file.
///
/// # Errors
///
/// Fails when the medium does.
pub fn write_wav(writer: impl Write + Seek, samples: &[i16]) -> Result<(), WavError> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut out = WavWriter::new(writer, spec).map_err(WavError::Write)?;
    samples.iter().try_for_each(|sample| out.write_sample(*sample)).map_err(WavError::Write)?;
    out.finalize().map_err(WavError::Write)
}

impl WavError {
    /// Returns the system's reason, when there is one.
    #[must_use]
    pub const fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Malformed(hound::Error::IoError(error)) | Self::Write(hound::Error::IoError(error)) => {
                Some(error)
            }
            Self::Malformed(_) | Self::Write(_) | Self::MissingData | Self::Rate { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Tone, ToneGenerator, dominant_tone};
    use crate::codec::{alaw_encode, ulaw_encode};

    fn tone(rate: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * 700.0 / f64::from(rate);
        (0..rate).map(|index| ((step * f64::from(index)).sin() * 10_000.0) as i16).collect()
    }

    fn written(spec: WavSpec, put: impl Fn(&mut WavWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        put(&mut writer);
        writer.finalize().unwrap();
        file.into_inner()
    }

    /// Checks a file of a second.
    fn check(bytes: &[u8], kept: u32, level: f64) {
        let (samples, rate) = read_wav(bytes).unwrap();
        assert_eq!(rate, kept);
        assert!(samples.len().abs_diff(rate as usize) <= 1, "{}", samples.len());
        let found = dominant_tone(&samples[400..7600], rate).unwrap();
        assert!((found.hz - 700.0).abs() < 0.5, "{found:?}");
        assert!((found.level_dbfs - level).abs() < 0.2, "{found:?}");
    }

    const LEVEL: f64 = -10.31;

    #[test]
    fn integers_of_every_width_and_floats_are_read() {
        for bits in [8u16, 16, 24, 32] {
            let spec = WavSpec {
                channels: 1,
                sample_rate: 16_000,
                bits_per_sample: bits,
                sample_format: SampleFormat::Int,
            };
            let bytes = written(spec, |writer| {
                for sample in tone(16_000) {
                    let wide = i64::from(sample) << 16 >> (32 - bits);
                    writer.write_sample(wide as i32).unwrap();
                }
            });
            check(&bytes, 16_000, LEVEL);
        }
        let spec = WavSpec {
            channels: 1,
            sample_rate: 44_100,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let bytes = written(spec, |writer| {
            tone(44_100)
                .iter()
                .for_each(|sample| writer.write_sample(f32::from(*sample) / 32_768.0).unwrap());
        });
        check(&bytes, 16_000, LEVEL);
    }

    #[test]
    fn stereo_is_averaged() {
        let spec = WavSpec {
            channels: 2,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let bytes = written(spec, |writer| {
            for sample in tone(48_000) {
                writer.write_sample(sample).unwrap();
                writer.write_sample(0).unwrap();
            }
        });
        check(&bytes, 16_000, LEVEL - 6.02);
    }

    /// A G.711 file with an extra chunk of odd length before its data.
    fn companded_file(tag: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0".to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(8000u32.to_le_bytes());
        bytes.extend(8000u32.to_le_bytes());
        bytes.extend([1, 0, 8, 0, 0, 0]);
        bytes.extend(b"note\x03\0\0\0abc\0data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn g711_files_are_read() {
        let alaw: Vec<u8> = tone(8000).into_iter().map(alaw_encode).collect();
        check(&companded_file(6, &alaw), 8000, LEVEL);
        let ulaw: Vec<u8> = tone(8000).into_iter().map(ulaw_encode).collect();
        check(&companded_file(7, &ulaw), 8000, LEVEL);
    }

    #[test]
    fn what_is_no_wave_file_is_refused() {
        assert!(matches!(read_wav(b""), Err(WavError::Malformed(_))));
        assert!(matches!(read_wav(b"RIFF\0\0\0\0WAVE"), Err(WavError::Malformed(_))));
        let mut cut = companded_file(6, &[0; 16]);
        cut.truncate(cut.len() - 24);
        assert!(matches!(read_wav(&cut), Err(WavError::MissingData)));
        let mut wrong = companded_file(6, &[0; 16]);
        wrong[24..28].copy_from_slice(&[0; 4]);
        assert!(matches!(read_wav(&wrong), Err(WavError::Rate { rate: 0 })));
    }

    #[test]
    fn a_recording_keeps_both_directions_and_can_be_read_before_its_end() {
        let (mut received, mut sent) = (Frame::silence(8000), Frame::silence(8000));
        let mut file = Cursor::new(Vec::new());
        let mut recorder = WavRecorder::new(&mut file, RecordingLayout::Stereo, 8000).unwrap();
        let mut left = ToneGenerator::new(&Tone::steady(&[400.0], -10.0), 8000);
        let mut right = ToneGenerator::new(&Tone::steady(&[900.0], -10.0), 8000);
        for _ in 0..120 {
            left.fill(&mut received);
            right.fill(&mut sent);
            recorder.write(&received, &sent).unwrap();
        }
        // The process dies here: no end is written.
        std::mem::forget(recorder);
        let mut reader = WavReader::new(Cursor::new(file.into_inner())).unwrap();
        let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 100 * 2 * 160);
        for (channel, hz) in [(0, 400.0), (1, 900.0)] {
            let one: Vec<i16> = samples.iter().skip(channel).step_by(2).copied().collect();
            assert!((dominant_tone(&one, 8000).unwrap().hz - hz).abs() < 0.5);
        }
    }

    #[test]
    fn a_finished_mono_recording_reads_back_as_the_sum() {
        let mut file = Cursor::new(Vec::new());
        let mut recorder = WavRecorder::new(&mut file, RecordingLayout::Mono, 8000).unwrap();
        let voice = |rate, sample| {
            let mut frame = Frame::silence(rate);
            frame.fill(sample);
            frame
        };
        recorder.write(&voice(8000, 100), &voice(8000, 23)).unwrap();
        // A call that goes on in wideband goes on in its file.
        recorder.write(&voice(16_000, 7), &voice(16_000, 3)).unwrap();
        assert_eq!(recorder.frames(), 2);
        recorder.finish().unwrap();
        let (samples, _) = read_wav(&file.into_inner()).unwrap();
        // The converter needs a kernel's length of the new sound.
        assert_eq!((&samples[..160], samples.len(), &samples[240..]), (&[123; 160][..], 320, &[10; 80][..]));
        let mut file = Cursor::new(Vec::new());
        write_wav(&mut file, &[1, -2, 3]).unwrap();
        let (samples, rate) = read_wav(&file.into_inner()).unwrap();
        assert_eq!((&*samples, rate), (&[1, -2, 3][..], 8000));
    }
}
