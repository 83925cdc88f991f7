//! A media leg of the lab: it has a number, sends its facts to the engine, and is the voice of a
//! test number.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use offhook_media::{
    dtmf::DigitMethod,
    negotiate::MediaPlan,
    session::{Fact, MediaSession, SendDigitsError, SessionConfig, Source},
};
use tokio::sync::mpsc;

use crate::{
    media::{BridgeHandle, LegHandle, MediaHub, Notice, Noticed, Target},
    net::Network,
};

/// Length of a digit and of the pause after it.
const DIGIT: Duration = Duration::from_millis(150);

/// A fact from a voice, with the number of its leg.
pub(in crate::lab) type MediaFact = (u64, Fact);

/// Opens legs.
pub(in crate::lab) struct Media {
    network: Arc<dyn Network>,
    hub: MediaHub,
    /// Where the callers of the conference number hear each other.
    conference: BridgeHandle,
    facts: mpsc::Sender<MediaFact>,
    seed: AtomicU64,
}

impl Media {
    pub(in crate::lab) fn new(network: Arc<dyn Network>, seed: u64, facts: mpsc::Sender<MediaFact>) -> Self {
        let hub = MediaHub::start(1);
        let conference = hub.bridge();
        Self { network, hub, conference, facts, seed: AtomicU64::new(seed) }
    }

    /// Opens two ports at `ip`.
    pub(in crate::lab) fn open(&self, ip: IpAddr) -> io::Result<MediaLeg> {
        let leg = self.hub.open(&*self.network, ip, None)?;
        let id = self.seed.fetch_add(1, Ordering::Relaxed);
        let facts = self.facts.clone();
        leg.listen(move |Notice { noticed, .. }| {
            // The lab records nothing, and the hub counts and logs failures.
            if let Noticed::Voice(fact) = noticed
                && facts.try_send((id, fact)).is_err()
            {
                tracing::warn!("a fact of the lab's media was lost");
            }
        });
        leg.start();
        Ok(MediaLeg { id, leg, conference: self.conference.clone() })
    }

    /// Returns how many legs are open.
    pub(in crate::lab) fn alive(&self) -> usize {
        self.hub.open_legs()
    }
}

/// A leg; its ports are closed when the last clone is dropped.
#[derive(Clone)]
pub(in crate::lab) struct MediaLeg {
    id: u64,
    leg: LegHandle,
    conference: BridgeHandle,
}

impl MediaLeg {
    pub(in crate::lab) const fn id(&self) -> u64 {
        self.id
    }

    /// Returns the RTP address; RTCP is on the next port.
    pub(in crate::lab) fn address(&self) -> SocketAddr {
        self.leg.local()
    }

    /// Sets where packets for this leg's peer go, unless it turns out to send from elsewhere.
    pub(in crate::lab) fn aim(&self, target: Target) {
        self.leg.aim(target);
    }

    /// Passes what arrives here to the peer of `other`, and the other way round.
    pub(in crate::lab) fn relay(&self, other: &Self) {
        self.leg.relay(&other.leg);
    }

    /// Sends with a voice of our own: follows `plan`, and plays `source`.
    pub(in crate::lab) fn speak(&self, now: Instant, plan: MediaPlan, source: Source) {
        let config = SessionConfig {
            seed: self.id,
            cname: "lab".to_owned(),
            statistics_interval: None,
            reception_timeout: None,
            ..SessionConfig::default()
        };
        self.leg.speak(|_| MediaSession::new(config, now));
        self.leg.session(|voice, _| {
            voice.set_plan(now, plan);
            voice.play(source);
        });
    }

    /// Lets the voice and those of the others in the conference hear each other.
    pub(in crate::lab) fn confer(&self) {
        self.conference.join(&self.leg);
    }

    /// Follows a changed plan and goes on playing; does nothing without a voice.
    pub(in crate::lab) fn replan(&self, now: Instant, plan: MediaPlan) {
        self.leg.session(|voice, _| voice.set_plan(now, plan));
    }

    /// Plays something else; does nothing without a voice.
    pub(in crate::lab) fn play(&self, source: Source) {
        self.leg.session(|voice, _| voice.play(source));
    }

    /// Sends digits as telephone events, or as tones if the peer does not support events.
    pub(in crate::lab) fn send_digits(&self, digits: &str) -> Result<(), SendDigitsError> {
        let sent = self.leg.session(|voice, _| {
            match voice.send_digits(DigitMethod::Rfc4733, digits, DIGIT, DIGIT) {
                Err(SendDigitsError::NotNegotiated) => {
                    voice.send_digits(DigitMethod::InBand, digits, DIGIT, DIGIT)
                }
                done => done,
            }
        });
        sent.unwrap_or(Err(SendDigitsError::NotSending))
    }
}
