//! Sounds as commands name them, turned into sources for a media session.

use std::{path::Path, sync::Arc};

use offhook_media::{
    audio::{SAMPLE_RATE, Tone, ToneGenerator, read_wav},
    session::Source,
};

use crate::command::{Code, Rejection, Sound};

/// Reads or makes what is to be played.
///
/// # Errors
/// The file is missing or no WAV that can be read.
pub(super) fn source(sound: &Sound, repeat: bool) -> Result<Source, Rejection> {
    match sound {
        Sound::Echo => Ok(Source::Echo),
        Sound::Tone { hz, level_dbfs, duration: None } => Ok(Source::Tone(Tone::steady(hz, *level_dbfs))),
        Sound::Tone { hz, level_dbfs, duration: Some(duration) } => {
            // An hour of tone is beyond any test and would be memory thrown away.
            let length = duration.as_millis().min(3_600_000) * u128::from(SAMPLE_RATE) / 1000;
            let mut audio = vec![0; usize::try_from(length).unwrap_or_default()];
            ToneGenerator::new(&Tone::steady(hz, *level_dbfs), SAMPLE_RATE).fill(&mut audio);
            Ok(Source::Wav { samples: audio.into(), repeat })
        }
        Sound::File(path) => {
            let samples = read(Path::new(path))?;
            Ok(Source::Wav { samples, repeat })
        }
    }
}

fn read(path: &Path) -> Result<Arc<[i16]>, Rejection> {
    let bytes = std::fs::read(path).map_err(|error| {
        Rejection::new(Code::NotFound, format!("cannot read {}: {error}", path.display()))
    })?;
    read_wav(&bytes).map_err(|error| {
        Rejection::new(Code::InvalidArgument, format!("cannot play {}: {error}", path.display()))
    })
}
