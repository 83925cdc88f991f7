//! Creating the phones that a scenario declares, and waiting until they are registered.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::model::{PhoneSettings, Provision, RegistrationMode},
    engine::{Machine, Phase, Purpose},
    world::Address,
};
use crate::{
    command::{AddPhone, Command, NodeCommand, Outcome, Rejection},
    config::{Holding, Wish},
    event::{Ending, Envelope, Event, PhoneEvent, PhoneSpec, SipEvent},
    id::PhoneId,
    secret::Secret,
};

/// How long registrations may take before the environment counts as not ready.
const PATIENCE: Duration = Duration::from_secs(15);

/// Phones that are not ready yet.
#[derive(Debug)]
pub(super) struct Provisioning {
    adding: BTreeSet<PhoneId>,
    registering: BTreeSet<PhoneId>,
    /// The last registration failure of phones that are retrying.
    refused: BTreeMap<PhoneId, String>,
    /// The last problem on the way to the registrar.
    trouble: BTreeMap<PhoneId, (Option<SocketAddr>, String)>,
    pub(super) deadline: Instant,
}

/// Phones to create, with the settings from the document.
pub(super) type Wanted = Vec<(PhoneId, PhoneSettings)>;

impl PhoneSettings {
    /// Returns the user name that the document gives the phone.
    fn named(&self) -> Option<&String> {
        self.username.as_ref().or(self.account.as_ref())
    }
}

impl Machine {
    /// Returns which phones to create.
    pub(super) fn wanted(&self) -> Result<Wanted, String> {
        let scenario = Arc::clone(&self.scenario);
        let mut wanted = Vec::new();
        for phone in &scenario.phones {
            let exists = self.setup.phones.iter().any(|existing| existing.id == phone.id);
            let settings = match (&phone.provision, exists) {
                (Provision::Created(settings), _) => (**settings).clone(),
                (Provision::Existing, false) if self.setup.profile.is_some() => PhoneSettings::default(),
                (Provision::Existing, false) if !scenario.lenient => {
                    return Err(format!("phone '{}' does not exist", phone.id));
                }
                (Provision::Existing, _) => continue,
            };
            wanted.push((phone.id.clone(), settings));
        }
        Ok(wanted)
    }

    /// Returns what to lease for these phones, and for the phones of the scenario that exist
    /// already.
    pub(super) fn wish(&self, wanted: &Wanted) -> Result<Wish, String> {
        let profile = self.setup.profile.clone().unwrap_or_default();
        let account = |user: &str, domain: &str| Holding::Account(user.to_owned(), domain.to_owned());
        let mut wish = Wish::default();
        for (_, settings) in wanted {
            if let Some(user) = settings.named() {
                wish.all.insert(account(user, settings.domain.as_ref().unwrap_or(&profile.domain)));
            }
        }
        wish.from = profile.accounts.iter().map(|known| account(&known.username, &profile.domain)).collect();
        let free = wish.from.iter().filter(|holding| !wish.all.contains(holding)).count();
        for (phone, settings) in wanted {
            let known = |name: &String| profile.accounts.iter().any(|account| account.username == *name);
            match (&settings.username, &settings.account) {
                (Some(_), _) => {}
                (None, Some(name)) if known(name) => {}
                (None, Some(name)) => {
                    return Err(format!("the PBX profile has no account '{name}' for phone '{phone}'"));
                }
                (None, None) => wish.any += 1,
            }
            if wish.any > free {
                let count = profile.accounts.len();
                return Err(format!(
                    "phone '{phone}' needs an account, and the PBX profile has only {count}"
                ));
            }
        }
        let existing = self.setup.phones.iter().filter(|phone| {
            self.scenario.has_phone(&phone.id) && !wanted.iter().any(|(made, _)| *made == phone.id)
        });
        wish.all.extend(existing.map(|phone| Holding::Phone(phone.id.clone())));
        Ok(wish)
    }

    /// Adds every phone to be created; `chosen` are the accounts for those that name none.
    pub(super) fn provision(&mut self, now: Instant, wanted: Wanted, chosen: Vec<Holding>) {
        let mut provisioning = Provisioning {
            adding: BTreeSet::new(),
            registering: BTreeSet::new(),
            refused: BTreeMap::new(),
            trouble: BTreeMap::new(),
            deadline: now + PATIENCE,
        };
        if let Some(end) = self.run_deadline() {
            provisioning.deadline = provisioning.deadline.min(end);
        }
        let mut chosen = chosen.into_iter();
        let mut commands = Vec::new();
        for (phone, settings) in wanted {
            match self.assign(&phone, &settings, &mut chosen) {
                Ok(command) => {
                    if settings.registration == RegistrationMode::Wait {
                        provisioning.registering.insert(phone.clone());
                    }
                    commands.push((phone.clone(), command));
                    provisioning.adding.insert(phone);
                }
                Err(reason) => return self.finish(now, Ending::NotReady, reason),
            }
        }
        self.phase = Phase::Provisioning(provisioning);
        for (phone, command) in commands {
            let command = Command::Node(NodeCommand::AddPhone(command));
            self.execute(command, "setup", Purpose::Provision { phone });
        }
        self.provisioning_done(now);
    }

    /// Builds the command that adds one phone.
    fn assign(
        &mut self,
        phone: &PhoneId,
        settings: &PhoneSettings,
        chosen: &mut impl Iterator<Item = Holding>,
    ) -> Result<AddPhone, String> {
        let profile = self.setup.profile.clone().unwrap_or_default();
        let username = match (settings.named(), chosen) {
            (Some(name), _) => name.clone(),
            (None, chosen) => chosen
                .find_map(|holding| match holding {
                    Holding::Account(user, _) => Some(user),
                    Holding::Phone(_) => None,
                })
                .ok_or_else(|| format!("phone '{phone}' got no account"))?,
        };
        let account = profile.accounts.iter().find(|account| account.username == username);
        let password = settings.password.clone().or_else(|| account.map(|account| account.password.clone()));
        let domain = settings.domain.clone().unwrap_or_else(|| profile.domain.clone());
        if domain.is_empty() {
            return Err(format!("phone '{phone}' has no domain, and there is no PBX profile"));
        }
        let address = Address { username: username.clone(), domain: domain.clone() };
        self.names.phones.insert(phone.clone(), address);
        let spec = PhoneSpec {
            domain,
            username,
            realm: profile.realm,
            transport: settings.transport.unwrap_or(profile.transport),
            transport_text: None,
            local_port: 0,
            codecs: settings.codecs.clone(),
            auto_answer: settings.auto_answer,
            srtp: false,
            register: settings.registration != RegistrationMode::None,
            recording_enabled: settings.recording,
            capture_enabled: settings.capture || self.setup.captured,
        };
        let password = password.unwrap_or_else(|| Secret::new(String::new()));
        Ok(AddPhone { phone: self.names.outside(phone.clone()), spec, password })
    }

    /// Handles the outcome of adding a phone.
    pub(super) fn provisioned(&mut self, now: Instant, phone: &PhoneId, outcome: Result<Outcome, Rejection>) {
        let Phase::Provisioning(provisioning) = &mut self.phase else { return };
        provisioning.adding.remove(phone);
        match outcome {
            Ok(_) => self.provisioning_done(now),
            Err(rejection) => {
                let reason = self.names.inside(&rejection.to_string());
                let reason = format!("phone '{phone}' could not be made: {reason}");
                self.finish(now, Ending::NotReady, reason);
            }
        }
    }

    /// Notes problems on the way to the registrar while phones are being created.
    pub(super) fn provisioning_troubled(&mut self, envelope: &Envelope) {
        let ours = envelope.subject.phone.as_ref().is_some_and(|phone| phone.run() == Some(self.setup.run));
        let phone = self.phone_of(envelope);
        if let (
            Phase::Provisioning(provisioning),
            Event::Sip(SipEvent::Anomaly { what, remote, .. }),
            Some(phone),
            true,
        ) = (&mut self.phase, &envelope.event, phone, ours)
        {
            provisioning.trouble.insert(phone, (*remote, what.clone()));
        }
    }

    /// Explains why a phone is not registered: what the registrar said, or what was wrong on the
    /// way to it.
    fn why_not_registered(&self, phone: &PhoneId, status: Option<u16>, reason: &str) -> String {
        let status_text = status.map(|status| format!("{status} ")).unwrap_or_default();
        let domain = self.names.phones.get(phone).map(|address| address.domain.as_str());
        let at = domain.filter(|domain| !reason.contains(domain));
        let at = at.map(|domain| format!(" at {domain}")).unwrap_or_default();
        let trouble = if let (Phase::Provisioning(provisioning), None) = (&self.phase, status) {
            provisioning.trouble.get(phone)
        } else {
            None
        };
        // The reason may already name the place.
        let named =
            |place: &Option<SocketAddr>| place.is_some_and(|place| reason.contains(&place.to_string()));
        let trouble = trouble.filter(|(place, _)| !named(place));
        let trouble = trouble.map(|(_, what)| format!(" ({what})")).unwrap_or_default();
        format!("phone '{phone}' could not register{at}: {status_text}{reason}{trouble}")
    }

    /// Handles an event while phones are being created.
    pub(super) fn provisioning_saw(&mut self, now: Instant, envelope: &Envelope) {
        let (Event::Phone(event), Some(phone)) = (&envelope.event, self.phone_of(envelope)) else { return };
        let failed = if let PhoneEvent::RegistrationFailed { status, reason, .. } = event {
            self.why_not_registered(&phone, *status, reason)
        } else {
            String::new()
        };
        let Phase::Provisioning(provisioning) = &mut self.phase else { return };
        if !provisioning.registering.contains(&phone) {
            return;
        }
        if matches!(event, PhoneEvent::Registered { .. }) {
            provisioning.registering.remove(&phone);
            provisioning.refused.remove(&phone);
            self.provisioning_done(now);
        } else if let PhoneEvent::RegistrationFailed { status, retry_in_ms, .. } = event {
            let reason = failed;
            let retried = retry_in_ms.map(|wait| now + Duration::from_millis(wait));
            // RFC 3261 §10.2.7: only server failures and timeouts are worth another try, and only
            // one that comes in time.
            let hopeless = retried.is_none_or(|at| at >= provisioning.deadline)
                || status.is_some_and(|status| status < 500);
            if hopeless {
                self.finish(now, Ending::NotReady, reason);
            } else {
                provisioning.refused.insert(phone, reason);
            }
        }
    }

    /// Gives up on phones that take too long.
    pub(super) fn provisioning_time(&mut self, now: Instant) {
        let Phase::Provisioning(provisioning) = &self.phase else { return };
        if provisioning.deadline > now {
            return;
        }
        let late = provisioning.adding.union(&provisioning.registering);
        let names: Vec<_> = late.map(ToString::to_string).collect();
        let refused = provisioning.refused.values().map(|why| format!("; {why}"));
        let silent = provisioning.registering.difference(&provisioning.adding);
        let silent = silent.filter(|phone| !provisioning.refused.contains_key(*phone));
        let domains: BTreeSet<&str> =
            silent.filter_map(|phone| Some(self.names.phones.get(phone)?.domain.as_str())).collect();
        let silence = domains.iter().map(|domain| format!("; no answer from {domain} until then"));
        let why: String = refused.chain(silence).collect();
        let reason = format!("not ready in time: phone {}{why}", names.join(", "));
        self.finish(now, Ending::NotReady, reason);
    }

    fn provisioning_done(&mut self, now: Instant) {
        let Phase::Provisioning(provisioning) = &self.phase else { return };
        if provisioning.adding.is_empty() && provisioning.registering.is_empty() {
            self.run(now);
        }
    }
}
