//! The settings that a session gets once, at its start.

use std::time::Duration;

use crate::audio::SilenceConfig;
use crate::jitter::PlayoutConfig;
use crate::rtcp::NtpTime;

/// Which sounds in the received audio become facts; each costs time in every tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detectors {
    /// Steady tones: ringback, busy, test tones.
    pub tone: bool,
    /// Digits as tone pairs.
    pub inband_dtmf: bool,
    /// Silence and its end.
    pub silence: bool,
}

/// Settings of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionConfig {
    /// Seed of SSRC, first numbers and report timing; two sessions need two seeds.
    pub seed: u64,
    /// Canonical name for RTCP, such as `a@192.0.2.1`.
    pub cname: String,
    /// Wall clock when the session starts, for sender reports; zero is legal and says nothing.
    pub wall_clock: NtpTime,
    /// Playout buffer.
    pub playout: PlayoutConfig,
    /// What to listen for.
    pub detectors: Detectors,
    /// What counts as silence.
    pub silence: SilenceConfig,
    /// Spacing of [`super::Fact::Statistics`]; `None` for none.
    pub statistics_interval: Option<Duration>,
    /// Time without packets after which reception counts as stopped; `None` to never say so.
    pub reception_timeout: Option<Duration>,
}

impl Default for SessionConfig {
    /// Seed zero, no detector, statistics every five seconds, reception stopped after five.
    fn default() -> Self {
        Self {
            seed: 0,
            cname: "offhook".to_owned(),
            wall_clock: NtpTime::default(),
            playout: PlayoutConfig::default(),
            detectors: Detectors::default(),
            silence: SilenceConfig::default(),
            statistics_interval: Some(Duration::from_secs(5)),
            reception_timeout: Some(Duration::from_secs(5)),
        }
    }
}
