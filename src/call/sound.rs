//! Turns the sounds that commands name into sources for a media session.

use std::{io::ErrorKind, path::Path, sync::Arc};

use offhook_media::{
    audio::{SAMPLE_RATE, Tone, ToneGenerator, WIDEBAND_RATE, read_wav},
    session::Source,
};

use crate::{
    command::{Refused, Rejection, Sound},
    config::read_given,
};

/// Largest file in bytes: more than an hour of 16-bit audio at 8 kHz, or five minutes in CD
/// quality.
const LARGEST: u64 = 64 << 20;

/// Returns whether preparing a sound needs the disk or much work.
pub(super) const fn takes_time(sound: &Sound) -> bool {
    match sound {
        Sound::File(_) | Sound::Tone { duration: Some(_), .. } => true,
        Sound::Echo | Sound::Tone { duration: None, .. } => false,
    }
}

/// Reads or generates a sound; blocks where [`takes_time`] says so.
///
/// # Errors
/// The file is missing, too large, or not a readable WAV file.
pub(super) fn source(sound: &Sound, repeat: bool) -> Result<Source, Rejection> {
    match sound {
        Sound::Echo => Ok(Source::Echo),
        Sound::Tone { hz, level_dbfs, duration: None } => Ok(Source::Tone(Tone::steady(hz, *level_dbfs))),
        Sound::Tone { hz, level_dbfs, duration: Some(duration) } => {
            // The narrow rate carries no more than half of itself.
            let wide = hz.iter().any(|hz| *hz * 2.0 >= f64::from(SAMPLE_RATE));
            let rate = if wide { WIDEBAND_RATE } else { SAMPLE_RATE };
            // An hour of tone is more than any test needs; anything longer would waste memory.
            let length = duration.as_millis().min(3_600_000) * u128::from(rate) / 1000;
            let mut audio = vec![0; usize::try_from(length).unwrap_or_default()];
            ToneGenerator::new(&Tone::steady(hz, *level_dbfs), rate).fill(&mut audio);
            Ok(Source::Wav { samples: audio.into(), rate, repeat })
        }
        Sound::File(path) => {
            let (samples, rate) = read(Path::new(path))?;
            Ok(Source::Wav { samples, rate, repeat })
        }
    }
}

fn read(path: &Path) -> Result<(Arc<[i16]>, u32), Rejection> {
    let shown = || path.display().to_string();
    let unreadable = |error: std::io::Error| {
        Rejection::from(Refused::FileNotRead { path: shown(), why: error.to_string() })
    };
    let unplayable = |why: &dyn std::fmt::Display| {
        Rejection::from(Refused::FileNotPlayed { path: shown(), why: why.to_string() })
    };
    let bytes = read_given(path, LARGEST).map_err(|error| {
        let unfit = matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::FileTooLarge);
        if unfit { unplayable(&error) } else { unreadable(error) }
    })?;
    read_wav(&bytes).map_err(|error| unplayable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Code;

    fn refused(path: &Path) -> Rejection {
        source(&Sound::File(path.display().to_string()), false).unwrap_err()
    }

    #[test]
    fn a_file_that_is_too_large_or_no_file_is_refused_and_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let huge = folder.path().join("huge.wav");
        // A sparse file, which takes no space on disk.
        std::fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
        for path in [&huge, folder.path(), Path::new("/dev/zero")] {
            let rejection = refused(path);
            assert_eq!(rejection.code, Code::InvalidArgument, "{}", path.display());
        }
        assert_eq!(refused(&folder.path().join("absent.wav")).code, Code::NotFound);
    }
}
