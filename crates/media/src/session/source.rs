//! What a session says: silence, a tone, samples, or what it hears.

use std::sync::Arc;

use crate::audio::{Converter, Frame, Tone, ToneGenerator};

/// What to play.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Source {
    /// Digital silence; packets still flow.
    #[default]
    Silence,
    /// A tone, until something else is played.
    Tone(Tone),
    /// Samples; a session of another rate converts them.
    Wav {
        /// The samples, shared between sessions.
        samples: Arc<[i16]>,
        /// Samples a second.
        rate: u32,
        /// Whether to begin again at the end.
        repeat: bool,
    },
    /// Send back what is heard.
    Echo,
}

/// A source in motion.
#[derive(Debug, Clone)]
pub(super) enum Player {
    Silence,
    Tone { tone: Tone, generator: ToneGenerator },
    Wav { samples: Arc<[i16]>, rate: u32, position: usize, repeat: bool, converter: Box<Converter> },
    Echo,
}

impl Player {
    pub(super) fn new(source: Source, rate: u32) -> Self {
        match source {
            Source::Silence => Self::Silence,
            Source::Tone(tone) => Self::Tone { generator: ToneGenerator::new(&tone, rate), tone },
            Source::Wav { samples, rate, repeat } => {
                Self::Wav { samples, rate, position: 0, repeat, converter: Box::default() }
            }
            Source::Echo => Self::Echo,
        }
    }

    /// Plays at another rate from now on; a tone begins again.
    pub(super) fn set_rate(&mut self, rate: u32) {
        if let Self::Tone { tone, generator } = self {
            *generator = ToneGenerator::new(tone, rate);
        }
    }

    /// Fills `frame`; returns whether the source has come to its end.
    pub(super) fn fill(&mut self, heard: &Frame, frame: &mut Frame) -> bool {
        match self {
            Self::Silence => frame.fill(0),
            Self::Tone { generator, .. } => generator.fill(frame),
            Self::Echo => frame.copy_from(heard),
            Self::Wav { samples, rate, position, repeat, .. } if frame.rate() == *rate => {
                return copy(samples, position, *repeat, frame);
            }
            Self::Wav { samples, rate, position, repeat, converter } => {
                let mut next = Frame::silence(*rate);
                let finished = copy(samples, position, *repeat, &mut next);
                frame.copy_from(&converter.convert(&next, frame.rate()));
                return finished;
            }
        }
        false
    }
}

/// Copies the next samples, then silence; returns whether they have come to their end.
fn copy(samples: &[i16], position: &mut usize, repeat: bool, frame: &mut [i16]) -> bool {
    frame.fill(0);
    let mut rest = frame;
    while !rest.is_empty() {
        let available = samples.get(*position..).unwrap_or_default();
        if available.is_empty() {
            if !repeat || samples.is_empty() {
                return true;
            }
            *position = 0;
            continue;
        }
        let length = available.len().min(rest.len());
        let (head, tail) = rest.split_at_mut(length);
        head.copy_from_slice(available.get(..length).unwrap_or_default());
        *position += length;
        rest = tail;
    }
    false
}
