//! What the test numbers play.

use std::{sync::Arc, time::Duration};

use offhook_media::audio::{SAMPLE_RATE, Tone, ToneGenerator};

/// The spoken announcement of 602: 8 kHz, 16 bit, one channel; see `audio/SOURCES.md`.
const ANNOUNCEMENT: &[u8] = include_bytes!("../../../audio/announcement.wav");
/// Header size of the simplest WAV file, which the bundled one is.
const HEADER: usize = 44;

/// Returns the announcement's samples.
pub(in crate::lab) fn announcement() -> Arc<[i16]> {
    let (samples, _) = ANNOUNCEMENT.get(HEADER..).unwrap_or_default().as_chunks::<2>();
    samples.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// Returns the beep that prompts for digits.
pub(in crate::lab) fn beep() -> Arc<[i16]> {
    const LENGTH: Duration = Duration::from_millis(250);
    let count = usize::try_from(LENGTH.as_millis() * u128::from(SAMPLE_RATE) / 1000).unwrap_or_default();
    let mut samples = vec![0; count];
    ToneGenerator::new(&Tone::steady(&[800.0], Tone::dbm0(-15.0)), SAMPLE_RATE).fill(&mut samples);
    samples.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_is_plain_8_khz_audio_of_a_few_seconds() {
        let field = |at: usize| u32::from_le_bytes(ANNOUNCEMENT[at..at + 4].try_into().unwrap());
        assert_eq!((&ANNOUNCEMENT[..4], &ANNOUNCEMENT[36..40]), (&b"RIFF"[..], &b"data"[..]));
        assert_eq!((field(20), field(24), field(32)), (0x0001_0001, 8000, 0x0010_0002), "PCM, mono, 16 bit");
        let samples = announcement();
        assert_eq!(samples.len() * 2, usize::try_from(field(40)).unwrap());
        assert!((16_000..80_000).contains(&samples.len()));
        assert!(samples.iter().any(|sample| sample.unsigned_abs() > 4000), "it is audible");
    }
}
