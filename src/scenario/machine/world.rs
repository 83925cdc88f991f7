//! What a run knows of the world before it starts, and what names stand for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::super::{
    dialect::DEFAULT_NUMBERS,
    model::{Provision, Scenario},
    vars::Template,
};
use crate::{
    config::PbxProfile,
    event::Cause,
    id::{CallId, PhoneId, RunId},
};

/// What a run is given.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its id.
    pub run: RunId,
    /// The request that started it.
    pub cause: Cause,
    /// The phone system to create phones on; without one only existing phones can be used.
    pub profile: Option<PbxProfile>,
    /// Phones that exist already.
    pub phones: Vec<ExistingPhone>,
    /// How long to wait for accounts and phones that other runs have.
    pub lease_wait: Duration,
    /// Whether every phone is captured.
    pub captured: bool,
}

/// A phone that exists before the run.
#[derive(Clone, Debug)]
pub struct ExistingPhone {
    /// Its name.
    pub id: PhoneId,
    /// User part of its address.
    pub username: String,
    /// Host of its address.
    pub domain: String,
    /// Status, reason and lifetime of its registration, if it is registered.
    pub registered: Option<(u16, String, u64)>,
}

/// A phone's address.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) username: String,
    pub(super) domain: String,
}

/// What `${name}` stands for.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) phones: BTreeMap<PhoneId, Address>,
    pub(super) numbers: BTreeMap<String, String>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) calls: BTreeMap<String, CallId>,
    run: RunId,
    /// Phones that the run creates: outside it, their names are prefixed with the run.
    made: BTreeSet<PhoneId>,
}

impl Names {
    pub(super) fn new(setup: &Setup, scenario: &Scenario) -> Self {
        let mut numbers: BTreeMap<String, String> =
            DEFAULT_NUMBERS.iter().map(|(name, number)| ((*name).to_owned(), (*number).to_owned())).collect();
        if let Some(profile) = &setup.profile {
            numbers.extend(profile.numbers.clone());
        }
        let phones = setup.phones.iter().map(|phone| {
            let address = Address { username: phone.username.clone(), domain: phone.domain.clone() };
            (phone.id.clone(), address)
        });
        let existing = |id: &PhoneId| setup.phones.iter().any(|phone| phone.id == *id);
        let made = scenario.phones.iter().filter(|phone| match phone.provision {
            Provision::Created(_) => true,
            Provision::Existing => setup.profile.is_some() && !existing(&phone.id),
        });
        Self {
            made: made.map(|phone| phone.id.clone()).collect(),
            run: setup.run,
            phones: phones.collect(),
            numbers,
            vars: scenario.vars.clone(),
            calls: BTreeMap::new(),
        }
    }

    /// Returns the phones that the run creates.
    pub(super) fn made(&self) -> impl Iterator<Item = &PhoneId> {
        self.made.iter()
    }

    /// Returns the name that the phone has outside the run.
    pub(super) fn outside(&self, phone: PhoneId) -> PhoneId {
        if self.made.contains(&phone) { phone.in_run(self.run) } else { phone }
    }

    /// Returns a text from outside with the names that the run's own phones have inside.
    pub(super) fn inside(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.run), "")
    }

    /// Returns what a name stands for: a variable, a call, a phone's address or a number, tried in
    /// this order.
    pub(super) fn value_of(&self, name: &str) -> Option<String> {
        if let Some(value) = self.vars.get(name) {
            return Some(value.clone());
        }
        if let Some(call) = self.calls.get(name) {
            return Some(call.to_string());
        }
        let (base, part) = name.split_once('.').map_or((name, None), |(base, part)| (base, Some(part)));
        if let Some(address) = base.parse::<PhoneId>().ok().and_then(|id| self.phones.get(&id)) {
            return match part {
                None | Some("uri") => Some(format!("sip:{}@{}", address.username, address.domain)),
                Some("username") => Some(address.username.clone()),
                Some("domain") => Some(address.domain.clone()),
                Some(_) => None,
            };
        }
        self.numbers.get(name).cloned()
    }

    pub(super) fn fill(&self, template: &Template) -> Result<String, String> {
        template.fill(|name| self.value_of(name)).map_err(|error| error.to_string())
    }
}
