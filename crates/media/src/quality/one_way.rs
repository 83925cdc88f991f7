//! One-way audio: three planes of evidence, one verdict for a direction.
//!
//! Packets alone never prove that a voice is heard.

/// What the descriptions allow in this direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signaling {
    /// Media should flow.
    Flowing,
    /// Hold or inactive: nothing should flow.
    Held,
}

/// What arrives at the hearing side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// RTP of an agreed payload type.
    Packets,
    /// No RTP, or comfort noise only.
    Nothing,
    /// Not observed.
    Unknown,
}

/// What is heard there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acoustics {
    /// The known sound of the other side.
    Heard,
    /// Silence, or something else.
    NotHeard,
    /// Not observed.
    Unknown,
}

/// What is wrong in this direction, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The voice arrives.
    Working,
    /// Packets arrive without the voice: wrong codec, mute, comfort noise, transcoder.
    SilentStream,
    /// No packets: address translation, firewall, wrong address.
    MissingRtp,
    /// Nothing is heard and nothing should be.
    ExpectedSilence,
    /// Sound on a stream that should be silent.
    UnexpectedAudio,
    /// Not enough was observed.
    Unknown,
}

/// Judges one direction.
#[must_use]
pub const fn one_way_verdict(signaling: Signaling, arrivals: Arrivals, acoustics: Acoustics) -> Verdict {
    match (signaling, arrivals, acoustics) {
        (Signaling::Flowing, Arrivals::Packets, Acoustics::Heard) => Verdict::Working,
        (Signaling::Flowing, Arrivals::Packets, Acoustics::NotHeard) => Verdict::SilentStream,
        (Signaling::Flowing, Arrivals::Nothing, _) => Verdict::MissingRtp,
        (Signaling::Held, _, Acoustics::NotHeard) | (Signaling::Held, Arrivals::Nothing, _) => {
            Verdict::ExpectedSilence
        }
        (Signaling::Held, _, Acoustics::Heard) => Verdict::UnexpectedAudio,
        (_, Arrivals::Unknown, _) | (_, _, Acoustics::Unknown) => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_has_its_verdict() {
        let cases = [
            (Signaling::Flowing, Arrivals::Packets, Acoustics::Heard, Verdict::Working),
            (Signaling::Flowing, Arrivals::Packets, Acoustics::NotHeard, Verdict::SilentStream),
            (Signaling::Flowing, Arrivals::Packets, Acoustics::Unknown, Verdict::Unknown),
            (Signaling::Flowing, Arrivals::Nothing, Acoustics::Unknown, Verdict::MissingRtp),
            (Signaling::Flowing, Arrivals::Unknown, Acoustics::Unknown, Verdict::Unknown),
            (Signaling::Held, Arrivals::Unknown, Acoustics::NotHeard, Verdict::ExpectedSilence),
            (Signaling::Held, Arrivals::Packets, Acoustics::Heard, Verdict::UnexpectedAudio),
            (Signaling::Held, Arrivals::Unknown, Acoustics::Unknown, Verdict::Unknown),
        ];
        for (signaling, arrivals, acoustics, verdict) in cases {
            assert_eq!(one_way_verdict(signaling, arrivals, acoustics), verdict);
        }
    }
}
