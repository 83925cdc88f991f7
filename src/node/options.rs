//! What a node is made of.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    artifact::Recordings,
    config::{Limits, PbxProfile},
    lab::LabOptions,
    net::{Network, SystemNetwork},
    wall::Wall,
};

/// What a node is made of.
pub struct NodeOptions {
    /// The network that phones and the lab use.
    pub network: Arc<dyn Network>,
    /// The clock that dates events.
    pub wall: Wall,
    /// Seed of every identifier; fixed in simulations.
    pub seed: u64,
    /// Where the node keeps what it must not forget.
    pub data: Data,
    /// Age up to which calls and runs that are over stay in the journal of a folder; without it they all do.
    pub keep: Option<Duration>,
    /// Where recordings go; without it, into the folder of the data.
    pub recordings: Option<Recordings>,
    /// Bounds.
    pub limits: Limits,
    /// How many media workers share the legs.
    pub media_workers: usize,
    /// How long adding a phone waits for the registrar's answer.
    pub registration_wait: Duration,
    /// The embedded lab PBX, where one is wanted.
    pub lab: Option<LabOptions>,
    /// The phone system that scenarios make phones for; where a lab is started, it is the lab.
    pub profile: Option<PbxProfile>,
}

/// Where a node keeps what it must not forget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// In memory. Recordings lie in a folder that goes with the node, unless they have a place of their own.
    #[default]
    Memory,
    /// In this folder: journal, passwords and recordings.
    Folder(PathBuf),
}

impl NodeOptions {
    /// A node of this process on the machine's network.
    #[must_use]
    pub fn system() -> Self {
        Self {
            network: Arc::new(SystemNetwork::default()),
            wall: Wall::system(),
            seed: super::seed(),
            data: Data::Memory,
            keep: None,
            recordings: None,
            limits: Limits::default(),
            media_workers: 2,
            registration_wait: Duration::from_secs(1),
            lab: None,
            profile: None,
        }
    }
}
