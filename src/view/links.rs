//! This process's links to phone systems, and their state.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    event::{Envelope, Event, SystemEvent},
    id::Seq,
    journal::Fold,
};

/// The state of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It is up.
    Up,
    /// It is down, for this reason.
    Down(String),
}

/// A link to a phone system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// Its name.
    pub name: String,
    /// What kind of phone system it is.
    pub system: String,
    /// The address of the phone system; `None` until the link has been up once.
    pub address: Option<String>,
    /// Its state.
    pub state: LinkState,
    /// The fact behind its state.
    pub since: Seq,
    /// How often it was lost.
    pub losses: u64,
}

/// The links that were established and not closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    links: BTreeMap<String, Arc<LinkView>>,
}

impl Links {
    /// Returns the links in order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<LinkView>> {
        self.links.values().cloned().collect()
    }

    fn change(&mut self, name: &str, system: Option<&str>, change: impl FnOnce(&mut LinkView)) {
        let link = self.links.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(LinkView {
                name: name.to_owned(),
                system: system.unwrap_or_default().to_owned(),
                address: None,
                state: LinkState::Down(String::new()),
                since: Seq(0),
                losses: 0,
            })
        });
        change(Arc::make_mut(link));
    }
}

impl Fold for Links {
    fn apply(&mut self, envelope: &Envelope) {
        let Event::System(event) = &envelope.event else { return };
        match event {
            // Links end with their process.
            SystemEvent::Started { .. } | SystemEvent::Stopped {} => self.links.clear(),
            SystemEvent::PbxLinked { name, system, address } => self.change(name, Some(system), |link| {
                (link.address, link.state) = (Some(address.clone()), LinkState::Up);
                link.since = envelope.seq;
            }),
            SystemEvent::PbxUnreachable { name, system, reason } => self.change(name, Some(system), |link| {
                link.state = LinkState::Down(reason.clone());
                link.since = envelope.seq;
            }),
            SystemEvent::PbxLost { name, reason } => self.change(name, None, |link| {
                link.state = LinkState::Down(reason.clone());
                link.since = envelope.seq;
                link.losses = link.losses.saturating_add(1);
            }),
            SystemEvent::PbxUnlinked { name } => {
                self.links.remove(name);
            }
            SystemEvent::Pruned { .. } | SystemEvent::Missing { .. } => {}
        }
    }
}
