//! Offer and answer over the life of one session.
//!
//! RFC 3264 section 8: the version grows by one with every changed description, refused streams keep
//! their place, a payload type keeps its meaning.

use std::net::IpAddr;
use std::sync::Arc;

use super::answer::{accept_answer, answer, is_live_audio};
use super::offer::{describe, offered_audio};
use super::{Capabilities, LocalMedia, MediaPlan, Negotiated, NegotiationError};
use crate::sdp::{Direction, MediaDescription, SessionDescription};

/// Keeps what a session has described so far, so that the next description fits it.
#[derive(Debug, Clone)]
pub struct Negotiator {
    capabilities: Capabilities,
    local: LocalMedia,
    /// The last description we sent, agreed or not.
    last: Option<Arc<SessionDescription>>,
    /// The offer that waits for its answer.
    pending: Option<Arc<SessionDescription>>,
}

impl Negotiator {
    /// Starts a session that receives at `address` and `port`.
    ///
    /// The first description has version `session_id`, as RFC 8866 suggests for both.
    #[must_use]
    pub const fn new(capabilities: Capabilities, session_id: u64, address: IpAddr, port: u16) -> Self {
        let direction = Direction::SendRecv;
        let local = LocalMedia { session_id, version: session_id, address, port, direction };
        Self { capabilities, local, last: None, pending: None }
    }

    /// Returns what this side can do.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Replaces what this side can do; the next description shows it.
    pub fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
    }

    /// Sets the direction that the next description asks for: `SendOnly` holds, `SendRecv` resumes.
    pub const fn set_direction(&mut self, direction: Direction) {
        self.local.direction = direction;
    }

    /// Returns the direction that the next description asks for.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.local.direction
    }

    /// Returns whether an offer of ours waits for its answer.
    #[must_use]
    pub const fn has_pending_offer(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns the version of our last description, as its `o=` line says.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.local.version
    }

    /// Makes the next offer and remembers it until its answer comes.
    pub fn offer(&mut self) -> Arc<SessionDescription> {
        let audio = offered_audio(&self.capabilities, &self.local);
        let media = match &self.last {
            Some(last) => fill_slots(&last.media, audio),
            None => vec![audio],
        };
        let description = self.versioned(|local| describe(local, media));
        self.pending = Some(Arc::clone(&description));
        description
    }

    /// Forgets the outstanding offer, because it was refused.
    pub fn abandon_offer(&mut self) {
        self.pending = None;
    }

    /// Answers the peer's offer.
    ///
    /// # Errors
    ///
    /// As [`answer`]; the session then stays as it was.
    pub fn answer(&mut self, remote: &SessionDescription) -> Result<Negotiated, NegotiationError> {
        let negotiated = answer(&self.capabilities, &self.local, remote)?;
        let media = negotiated.description.media;
        let description = self.versioned(|local| describe(local, media));
        let mut plan = negotiated.plan;
        plan.local_sdp = description.to_string();
        self.keep_numbers(&plan);
        Ok(Negotiated { description: Arc::unwrap_or_clone(description), plan })
    }

    /// Takes the peer's answer to the outstanding offer.
    ///
    /// # Errors
    ///
    /// As [`accept_answer`], or [`NegotiationError::NoOffer`] when nothing is outstanding.
    pub fn accept_answer(&mut self, remote: &SessionDescription) -> Result<MediaPlan, NegotiationError> {
        let offer = self.pending.take().ok_or(NegotiationError::NoOffer)?;
        accept_answer(&self.capabilities, &offer, remote)
    }

    /// Builds a description and raises the version if it differs from the last one.
    fn versioned(
        &mut self,
        build: impl FnOnce(&LocalMedia) -> SessionDescription,
    ) -> Arc<SessionDescription> {
        let mut description = build(&self.local);
        if self.last.as_ref().is_some_and(|last| **last != description) {
            self.local.version += 1;
            description.origin.version = self.local.version.to_string();
        }
        let description = Arc::new(description);
        self.last = Some(Arc::clone(&description));
        description
    }

    /// Keeps the present number of telephone events for later offers.
    fn keep_numbers(&mut self, plan: &MediaPlan) {
        if let (Some(own), Some(agreed)) = (self.capabilities.telephone_event.as_mut(), plan.telephone_event)
        {
            *own = agreed.receive_payload_type;
        }
    }
}

/// Puts `audio` where the live audio stream was and keeps every other slot refused.
fn fill_slots(previous: &[MediaDescription], audio: MediaDescription) -> Vec<MediaDescription> {
    let slot = previous.iter().position(is_live_audio);
    let mut media: Vec<MediaDescription> = previous.to_vec();
    match slot.and_then(|index| media.get_mut(index)) {
        Some(place) => *place = audio,
        None => media.push(audio),
    }
    media
}
