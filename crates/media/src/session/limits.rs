//! How many facts of a kind a session reports: what others send could cause any number, and each
//! costs a line in a journal.
//!
//! Each kind of thing that can begin has a bound in windows of ten seconds; if a beginning is
//! reported, so is its end. Facts that come from our own commands, from time, or once for each call
//! or description are bounded elsewhere.

use std::time::{Duration, Instant};

use super::output::Fact;

/// After this long there is room again.
const WINDOW: Duration = Duration::from_secs(10);
/// Changes of source, stops of reception and goodbyes in a window.
const RARE: u32 = 10;
/// Sounds in a window: busy tones come twice a second, in some countries four times (ITU-T E.180).
const SOUNDS: u32 = 50;
/// Digits in a window: twice what a sender makes that keeps to 40 ms of tone and 40 ms of pause
/// (ITU-T Q.24).
const DIGITS: u32 = 250;

/// Something that a peer can make happen again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Source,
    Payload,
    Reception,
    Goodbye,
    Silence,
    Tone,
    Digit,
}

/// What a fact means for the bounds.
enum Part {
    /// It begins something, or is the whole of it.
    Begins(Kind),
    /// It ends what has begun.
    Ends(Kind),
    /// It is bounded elsewhere.
    Free,
}

impl Part {
    const fn of(fact: &Fact) -> Self {
        match fact {
            Fact::SourceChanged { .. } => Self::Begins(Kind::Source),
            Fact::PayloadChanged { .. } => Self::Begins(Kind::Payload),
            Fact::ReceptionStopped { .. } => Self::Begins(Kind::Reception),
            Fact::ReceptionResumed => Self::Ends(Kind::Reception),
            Fact::RemoteBye { .. } => Self::Begins(Kind::Goodbye),
            Fact::SilenceStarted => Self::Begins(Kind::Silence),
            Fact::SilenceEnded { .. } => Self::Ends(Kind::Silence),
            Fact::ToneStarted { .. } => Self::Begins(Kind::Tone),
            Fact::ToneEnded { .. } => Self::Ends(Kind::Tone),
            Fact::DigitStarted { .. } => Self::Begins(Kind::Digit),
            Fact::Digit { .. } => Self::Ends(Kind::Digit),
            Fact::FirstPacket { .. }
            | Fact::SourceDiffers { .. }
            | Fact::ForeignPackets { .. }
            | Fact::Withheld { .. }
            | Fact::DigitsSent { .. }
            | Fact::DigitsCut { .. }
            | Fact::PlaybackFinished
            | Fact::Statistics(_) => Self::Free,
        }
    }
}

/// What was reported of each kind.
#[derive(Debug, Default)]
pub(super) struct Limits {
    window_ends: Option<Instant>,
    source: Told,
    payload: Told,
    reception: Told,
    goodbye: Told,
    silence: Told,
    tone: Told,
    digit: Told,
    withheld: u64,
}

/// What was reported of one kind.
#[derive(Debug, Default)]
struct Told {
    /// Beginnings in this window.
    count: u32,
    /// Whether the last beginning was withheld, so that its end is withheld too.
    withheld: bool,
}

impl Limits {
    /// Says whether a fact is to be reported.
    pub(super) const fn admit(&mut self, fact: &Fact) -> bool {
        let told = match Part::of(fact) {
            Part::Free => true,
            Part::Begins(kind) => {
                let (told, most) = self.of(kind);
                told.withheld = told.count >= most;
                told.count += !told.withheld as u32;
                !told.withheld
            }
            Part::Ends(kind) => !self.of(kind).0.withheld,
        };
        self.withheld += !told as u64;
        told
    }

    /// Makes room again when a window is over, and returns how many facts were withheld in it.
    pub(super) fn renew(&mut self, now: Instant) -> Option<Fact> {
        if self.window_ends.is_some_and(|end| now < end) {
            return None;
        }
        self.window_ends = Some(now + WINDOW);
        for kind in [
            Kind::Source,
            Kind::Payload,
            Kind::Reception,
            Kind::Goodbye,
            Kind::Silence,
            Kind::Tone,
            Kind::Digit,
        ] {
            self.of(kind).0.count = 0;
        }
        self.tell()
    }

    /// Returns how many facts were withheld since this was last reported.
    pub(super) fn tell(&mut self) -> Option<Fact> {
        let facts = std::mem::take(&mut self.withheld);
        (facts > 0).then_some(Fact::Withheld { facts })
    }

    const fn of(&mut self, kind: Kind) -> (&mut Told, u32) {
        match kind {
            Kind::Source => (&mut self.source, RARE),
            Kind::Payload => (&mut self.payload, RARE),
            Kind::Reception => (&mut self.reception, RARE),
            Kind::Goodbye => (&mut self.goodbye, RARE),
            Kind::Silence => (&mut self.silence, SOUNDS),
            Kind::Tone => (&mut self.tone, SOUNDS),
            Kind::Digit => (&mut self.digit, DIGITS),
        }
    }
}
