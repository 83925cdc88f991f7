//! What a run knows of the world before it starts, and what names stand for.

use std::collections::BTreeMap;

use super::super::{dialect::DEFAULT_NUMBERS, vars::Template};
use crate::{
    config::PbxProfile,
    event::Cause,
    id::{CallId, PhoneId, RunId},
};

/// What a run is given.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its identity.
    pub run: RunId,
    /// Why it runs: the request of whoever started it.
    pub cause: Cause,
    /// The phone system that the phones are made for; none leaves phones that exist already.
    pub profile: Option<PbxProfile>,
    /// Phones that exist already.
    pub phones: Vec<ExistingPhone>,
    /// Whether phones that are only listed by name are made as well when they do not exist.
    pub create_listed: bool,
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
    /// Status, reason and lifetime of its registration, when it is registered.
    pub registered: Option<(u16, String, u64)>,
}

/// A phone's address.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) username: String,
    pub(super) domain: String,
}

/// What `${name}` stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) phones: BTreeMap<PhoneId, Address>,
    pub(super) numbers: BTreeMap<String, String>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) calls: BTreeMap<String, CallId>,
}

impl Names {
    pub(super) fn new(setup: &Setup, vars: &BTreeMap<String, String>) -> Self {
        let mut numbers: BTreeMap<String, String> =
            DEFAULT_NUMBERS.iter().map(|(name, number)| ((*name).to_owned(), (*number).to_owned())).collect();
        if let Some(profile) = &setup.profile {
            numbers.extend(profile.numbers.clone());
        }
        let phones = setup.phones.iter().map(|phone| {
            let address = Address { username: phone.username.clone(), domain: phone.domain.clone() };
            (phone.id.clone(), address)
        });
        Self { phones: phones.collect(), numbers, vars: vars.clone(), calls: BTreeMap::new() }
    }

    /// Returns what a name stands for: a variable, a call, a phone's address or a number, in this order.
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
