//! Making the phones that a scenario declares, and waiting until they are registered.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::model::{PhoneDeclaration, PhoneSettings, Provision, RegistrationMode},
    engine::{Machine, Phase, Purpose},
    world::Address,
};
use crate::{
    command::{AddPhone, Command, NodeCommand, Outcome, Rejection},
    event::{Ending, Envelope, Event, PhoneEvent, PhoneSpec},
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
    pub(super) deadline: Instant,
}

impl Machine {
    /// Asks for every phone that is to be made.
    pub(super) fn provision(&mut self, now: Instant) {
        let scenario = Arc::clone(&self.scenario);
        let mut wanted = Vec::new();
        for phone in &scenario.phones {
            let exists = self.setup.phones.iter().any(|existing| existing.id == phone.id);
            let settings = match (&phone.provision, exists) {
                (Provision::Created(_), true) => {
                    let reason = format!("phone '{}' exists already; the run must make its own", phone.id);
                    return self.finish(now, Ending::NotReady, reason);
                }
                (Provision::Created(settings), false) => (**settings).clone(),
                (Provision::Existing, false) if self.setup.create_listed => PhoneSettings::default(),
                (Provision::Existing, false) if !scenario.lenient => {
                    let reason = format!("phone '{}' does not exist", phone.id);
                    return self.finish(now, Ending::NotReady, reason);
                }
                (Provision::Existing, _) => continue,
            };
            wanted.push((phone, settings));
        }
        let mut taken = BTreeSet::new();
        for (_, settings) in &wanted {
            taken.extend(settings.username.iter().chain(&settings.account).cloned());
        }
        let mut provisioning =
            Provisioning { adding: BTreeSet::new(), registering: BTreeSet::new(), deadline: now + PATIENCE };
        if let Some(end) = self.run_deadline() {
            provisioning.deadline = provisioning.deadline.min(end);
        }
        let mut commands = Vec::new();
        for (phone, settings) in wanted {
            match self.assign(phone, &settings, &mut taken) {
                Ok(command) => {
                    provisioning.adding.insert(phone.id.clone());
                    if settings.registration == RegistrationMode::Wait {
                        provisioning.registering.insert(phone.id.clone());
                    }
                    commands.push(command);
                }
                Err(reason) => return self.finish(now, Ending::NotReady, reason),
            }
        }
        self.phase = Phase::Provisioning(provisioning);
        for command in commands {
            let purpose = Purpose::Provision { phone: command.phone.clone() };
            self.execute(Command::Node(NodeCommand::AddPhone(command)), "setup", purpose);
        }
        self.provisioning_done(now);
    }

    /// Chooses account and address of one phone.
    fn assign(
        &mut self,
        phone: &PhoneDeclaration,
        settings: &PhoneSettings,
        taken: &mut BTreeSet<String>,
    ) -> Result<AddPhone, String> {
        let profile = self.setup.profile.clone().unwrap_or_default();
        let named = settings.username.as_ref().or(settings.account.as_ref());
        let account = match named {
            Some(name) => profile.accounts.iter().find(|account| account.username == *name),
            None => profile.accounts.iter().find(|account| !taken.contains(&account.username)),
        };
        if settings.username.is_none() && account.is_none() {
            let count = profile.accounts.len();
            return Err(match &settings.account {
                Some(name) => format!("the PBX profile has no account '{name}' for phone '{}'", phone.id),
                None => {
                    format!("phone '{}' needs an account, and the PBX profile has only {count}", phone.id)
                }
            });
        }
        let username = match (&settings.username, account) {
            (Some(username), _) => username.clone(),
            (None, Some(account)) => account.username.clone(),
            (None, None) => String::new(),
        };
        taken.insert(username.clone());
        let password = match (&settings.password, account) {
            (Some(password), _) => password.clone(),
            (None, Some(account)) => account.password.clone(),
            (None, None) => Secret::new(String::new()),
        };
        let domain = settings.domain.clone().unwrap_or_else(|| profile.domain.clone());
        if domain.is_empty() {
            return Err(format!("phone '{}' has no domain, and there is no PBX profile", phone.id));
        }
        let address = Address { username: username.clone(), domain: domain.clone() };
        self.names.phones.insert(phone.id.clone(), address);
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
            capture_enabled: false,
        };
        Ok(AddPhone { phone: phone.id.clone(), spec, password })
    }

    /// Takes the outcome of adding a phone.
    pub(super) fn provisioned(&mut self, now: Instant, phone: &PhoneId, outcome: Result<Outcome, Rejection>) {
        let Phase::Provisioning(provisioning) = &mut self.phase else { return };
        provisioning.adding.remove(phone);
        match outcome {
            Ok(_) => self.provisioning_done(now),
            Err(rejection) => {
                let reason = format!("phone '{phone}' could not be made: {rejection}");
                self.finish(now, Ending::NotReady, reason);
            }
        }
    }

    /// Looks at an event while phones are being made.
    pub(super) fn provisioning_saw(&mut self, now: Instant, envelope: &Envelope) {
        let (Phase::Provisioning(provisioning), Event::Phone(event), Some(phone)) =
            (&mut self.phase, &envelope.event, &envelope.subject.phone)
        else {
            return;
        };
        if !provisioning.registering.contains(phone) {
            return;
        }
        if matches!(event, PhoneEvent::Registered { .. }) {
            provisioning.registering.remove(phone);
            self.provisioning_done(now);
        } else if let PhoneEvent::RegistrationFailed { status, reason, retry_in_ms } = event {
            // RFC 3261 §10.2.7: only server failures and silence are worth another try.
            let hopeless = retry_in_ms.is_none() || status.is_some_and(|status| status < 500);
            if hopeless {
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                let reason = format!("phone '{phone}' could not register: {status}{reason}");
                self.finish(now, Ending::NotReady, reason);
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
        let reason = format!("not ready in time: phone {}", names.join(", "));
        self.finish(now, Ending::NotReady, reason);
    }

    fn provisioning_done(&mut self, now: Instant) {
        let Phase::Provisioning(provisioning) = &self.phase else { return };
        if provisioning.adding.is_empty() && provisioning.registering.is_empty() {
            self.run(now);
        }
    }
}
