//! A call's media as signaling sees it: what was offered, what was agreed, and the leg that carries
//! it.

use std::{collections::BTreeMap, io, net::IpAddr, time::Duration};

use offhook_media::{
    codec::Codec,
    negotiate::{Capabilities, CodecSpec, MediaPlan, NegotiationError, Negotiator},
    sdp::{Direction, HostName, SdpError, SessionDescription, may_name_hosts},
    session::{Detectors, MediaSession, SessionConfig},
};

use crate::{
    event::{Agreement, Cause, MediaDirection, MediaEvent, Party},
    id::{PhoneId, Seq},
    media::{LegHandle, MediaHub},
    net::{Names, Network},
};

/// How often a call's statistics become an event. Reads fold the journal, so counters are at most
/// this old.
const STATISTICS: Duration = Duration::from_secs(1);

/// Why a session description of the other side cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediaError {
    /// It is not a session description.
    #[error(transparent)]
    Description(#[from] SdpError),
    /// We cannot agree to it.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
}

/// Negotiation state and media leg of one call.
#[derive(Debug)]
pub(crate) struct CallMedia {
    pub(crate) leg: LegHandle,
    negotiator: Negotiator,
    /// The negotiator as it was before an early answer, in case the final answer differs.
    before_early: Option<(Negotiator, Vec<u8>)>,
    /// Our capabilities before the codecs being offered, in case those are refused.
    before_codecs: Option<Capabilities>,
    /// Codecs we offered that the other side refused: the call keeps the codecs in use, but all our
    /// later answers are limited to these.
    wanted_codecs: Option<Capabilities>,
    pub(crate) plan: Option<MediaPlan>,
    /// How many offer/answer exchanges have completed; `agreement` is the last of them.
    epoch: u32,
    agreement: Option<Agreement>,
    /// The message that carried the offer we have not answered yet.
    offered_in: Option<Seq>,
    names: Names,
    /// Host names in the description to be used next, with the addresses of those that have one.
    addresses: BTreeMap<HostName, Option<IpAddr>>,
}

/// What a new description changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Media begins with this description.
    pub(crate) first: bool,
    /// The remote address, codec or direction changed.
    pub(crate) moved: bool,
    /// Our direction before.
    pub(crate) before: MediaDirection,
    /// Our direction now.
    pub(crate) now: MediaDirection,
}

impl CallMedia {
    /// Opens the leg's ports at `ip`.
    ///
    /// # Errors
    /// No port pair is free.
    pub(crate) fn open(
        hub: &MediaHub,
        network: &dyn Network,
        ip: IpAddr,
        phone: PhoneId,
        seed: u64,
        codecs: Option<&[String]>,
    ) -> io::Result<Self> {
        let config = SessionConfig {
            seed,
            statistics_interval: Some(STATISTICS),
            detectors: Detectors { tone: true, inband_dtmf: false, silence: true },
            ..SessionConfig::default()
        };
        let leg = hub.open(network, ip, Some(phone))?;
        leg.speak(|now| MediaSession::new(config, now));
        let local = leg.local();
        let negotiator = Negotiator::new(capabilities(codecs), seed >> 32, local.ip(), local.port());
        Ok(Self {
            leg,
            negotiator,
            before_early: None,
            before_codecs: None,
            wanted_codecs: None,
            plan: None,
            epoch: 0,
            agreement: None,
            offered_in: None,
            names: network.names().clone(),
            addresses: BTreeMap::new(),
        })
    }

    /// Returns our RTP port; RTCP has the next.
    pub(crate) fn rtp_port(&self) -> u16 {
        self.leg.local().port()
    }

    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    /// Returns the names in a description that have not been looked up for it.
    pub(super) fn unknown_names(&self, description: &[u8]) -> Vec<HostName> {
        if !may_name_hosts(description) {
            return Vec::new();
        }
        let Ok(description) = SessionDescription::parse(description) else { return Vec::new() };
        let mut names = description.host_names();
        names.retain(|name| !self.addresses.contains_key(name));
        names
    }

    /// Adds addresses for names in the description to be used next.
    pub(super) fn know(&mut self, found: impl IntoIterator<Item = (HostName, Option<IpAddr>)>) {
        self.addresses = found.into_iter().collect();
    }

    /// Parses a description and replaces names with addresses.
    fn read(&self, description: &[u8]) -> Result<SessionDescription, SdpError> {
        let mut description = SessionDescription::parse(description)?;
        description.resolve(|name| self.addresses.get(name).copied().flatten());
        Ok(description)
    }

    /// Makes the next offer.
    pub(crate) fn offer(&mut self) -> Vec<u8> {
        self.negotiator.offer().to_string().into_bytes()
    }

    /// Makes the next offer with another direction: `Sendonly` holds the other side.
    pub(crate) fn offer_direction(&mut self, direction: MediaDirection) -> Vec<u8> {
        self.negotiator.set_direction(to_sdp(direction));
        self.offer()
    }

    /// Makes the next offer with other codecs.
    pub(crate) fn offer_codecs(&mut self, codecs: &[String]) -> Vec<u8> {
        self.wanted_codecs = None;
        let before = self.negotiator.capabilities().clone();
        let telephone_event = before.telephone_event;
        self.before_codecs = Some(before);
        self.negotiator.set_capabilities(Capabilities { telephone_event, ..capabilities(Some(codecs)) });
        self.offer()
    }

    /// Handles the refusal of our offer: the call goes on with what is in use, and the codecs we
    /// wanted limit our next answers.
    pub(crate) fn offer_refused(&mut self, held: bool) {
        if self.before_codecs.is_some() {
            self.wanted_codecs = Some(self.negotiator.capabilities().clone());
        }
        self.offer_withdrawn(held);
    }

    /// Drops our offer, which may be made again: direction and codecs go back to what is in use.
    pub(crate) fn offer_withdrawn(&mut self, held: bool) {
        self.negotiator.abandon_offer();
        if let Some(before) = self.before_codecs.take() {
            self.negotiator.set_capabilities(before);
        }
        self.negotiator.set_direction(if held { Direction::SendOnly } else { Direction::SendRecv });
    }

    /// Checks whether an offer could be answered, without answering it.
    ///
    /// # Errors
    /// Why not; the fitting response is 488.
    pub(crate) fn examine(&self, offer: &[u8]) -> Result<(), MediaError> {
        self.negotiator.clone().answer(&self.read(offer)?)?;
        Ok(())
    }

    /// Answers the other side's offer; [`Self::follow`] applies the plan once its fact has been
    /// appended.
    ///
    /// # Errors
    /// Why it cannot be answered; nothing has changed.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Agreed), MediaError> {
        let offer = self.read(offer);
        self.addresses.clear();
        let mut negotiator = self.negotiator.clone();
        if let Some(wanted) = &self.wanted_codecs {
            negotiator.set_capabilities(wanted.clone());
        }
        let negotiated = negotiator.answer(&offer?)?;
        self.negotiator = negotiator;
        self.wanted_codecs = None;
        let answer = negotiated.description.to_string().into_bytes();
        let remote_in = self.offered_in.take();
        Ok((answer, self.agree(negotiated.plan, Party::Remote, remote_in, false)))
    }

    /// Takes the other side's answer to our offer.
    ///
    /// `early` allows for a different final answer: RFC 3261 §13.2.1 wants the same one in all
    /// responses of a dialog, but each fork has its own. Returns `None` if nothing changed.
    ///
    /// # Errors
    /// Why it cannot be used; nothing has changed.
    pub(crate) fn take_answer(
        &mut self,
        answer: &[u8],
        early: bool,
        cause: &Cause,
    ) -> Result<Option<Agreed>, MediaError> {
        let description = self.read(answer);
        // A name in the next description is looked up again.
        self.addresses.clear();
        let before = match &self.before_early {
            Some((_, seen)) if seen == answer => {
                if !early {
                    self.settle();
                }
                return Ok(None);
            }
            Some((before, _)) => before.clone(),
            None => self.negotiator.clone(),
        };
        let mut next = before.clone();
        let plan = next.accept_answer(&description?)?;
        self.negotiator = next;
        let again = self.before_early.is_some();
        let agreed = self.agree(plan, Party::Local, message(cause), again);
        self.before_early = early.then(|| (before, answer.to_vec()));
        self.before_codecs = None;
        Ok(Some(agreed))
    }

    /// Makes an early answer final: whatever comes later belongs to another offer.
    pub(crate) fn settle(&mut self) {
        self.before_early = None;
    }

    /// Remembers which message carried the offer to be answered next.
    pub(crate) fn offered(&mut self, cause: &Cause) {
        self.offered_in = message(cause);
    }

    /// Records a plan as agreed. `again` means it comes from another answer to the same offer,
    /// which begins an epoch only if it moves media.
    fn agree(&mut self, plan: MediaPlan, offered_by: Party, remote_in: Option<Seq>, again: bool) -> Agreed {
        let way = |plan: &MediaPlan| (plan.remote, plan.codec, plan.direction);
        let agreed = Agreed {
            first: self.plan.is_none(),
            moved: self.plan.as_ref().is_some_and(|before| way(before) != way(&plan)),
            before: self.plan.as_ref().map_or(MediaDirection::Sendrecv, |plan| from_sdp(plan.direction)),
            now: from_sdp(plan.direction),
        };
        if !again || agreed.moved {
            self.epoch += 1;
            let local_version = self.negotiator.version();
            self.agreement = Some(Agreement { offered_by, local_version, remote_in });
        }
        self.plan = Some(plan);
        agreed
    }

    /// Makes media follow what was agreed last.
    pub(crate) fn follow(&self) {
        if let Some(plan) = self.plan.clone() {
            self.leg.follow(plan, self.epoch);
            self.leg.start();
        }
    }

    /// Returns the current epoch and its agreement.
    pub(crate) fn agreement(&self) -> (u32, Option<Agreement>) {
        (self.epoch, self.agreement.clone())
    }

    /// Returns the name of the codec in use.
    pub(crate) fn codec(&self) -> Option<String> {
        self.plan.as_ref().map(|plan| plan.codec.name.to_owned())
    }

    /// Returns the fact that media begins, once there is a plan.
    pub(crate) fn started(&self) -> Option<MediaEvent> {
        self.plan.as_ref().map(|plan| MediaEvent::Started {
            local: self.leg.local().to_string(),
            remote: plan.remote.map(|remote| remote.to_string()),
            codec: plan.codec.name.to_owned(),
            direction: from_sdp(plan.direction),
            epoch: self.epoch,
            agreement: self.agreement.clone(),
        })
    }

    /// Returns the fact that media has moved since it began.
    pub(crate) fn moved(&self) -> Option<MediaEvent> {
        self.plan.as_ref().map(|plan| MediaEvent::Changed {
            remote: plan.remote.map(|remote| remote.to_string()),
            codec: plan.codec.name.to_owned(),
            direction: from_sdp(plan.direction),
            epoch: self.epoch,
            agreement: self.agreement.clone(),
        })
    }
}

/// Returns the capabilities of a phone with this codec list: all without a list, otherwise what we
/// have of it, in its order.
fn capabilities(codecs: Option<&[String]>) -> Capabilities {
    let Some(names) = codecs.filter(|names| !names.is_empty()) else { return Capabilities::default() };
    let codecs = CodecSpec::number(names.iter().filter_map(|name| Codec::from_name(name)));
    match codecs.as_slice() {
        // Only a phone from an old journal can have such a list; an offer without codecs would not
        // be one.
        [] => Capabilities::default(),
        _ => Capabilities { codecs, ..Capabilities::default() },
    }
}

/// Returns the message that is the cause, if one is.
const fn message(cause: &Cause) -> Option<Seq> {
    if let Cause::Sip { seq } = cause { Some(*seq) } else { None }
}

const fn from_sdp(direction: Direction) -> MediaDirection {
    match direction {
        Direction::SendRecv => MediaDirection::Sendrecv,
        Direction::SendOnly => MediaDirection::Sendonly,
        Direction::RecvOnly => MediaDirection::Recvonly,
        Direction::Inactive => MediaDirection::Inactive,
    }
}

const fn to_sdp(direction: MediaDirection) -> Direction {
    match direction {
        MediaDirection::Sendrecv => Direction::SendRecv,
        MediaDirection::Sendonly => Direction::SendOnly,
        MediaDirection::Recvonly => Direction::RecvOnly,
        MediaDirection::Inactive => Direction::Inactive,
    }
}
