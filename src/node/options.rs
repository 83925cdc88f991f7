//! Options of a node.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    artifact::ArtifactFolder,
    capture::CaptureForm,
    config::{Limits, PbxProfile},
    lab::LabOptions,
    net::{Network, SystemNetwork},
    wall::Wall,
};

/// Options of a node.
pub struct NodeOptions {
    /// The network that phones and the lab use.
    pub network: Arc<dyn Network>,
    /// The clock that dates events.
    pub wall: Wall,
    /// Seed of every identifier; fixed in simulations.
    pub seed: u64,
    /// Where the node keeps its data.
    pub data: Data,
    /// How old calls and runs that are over may get in a folder's journal; without it they are all
    /// kept.
    pub keep: Option<Duration>,
    /// Where recordings go; by default into the data folder.
    pub recordings: Option<ArtifactFolder>,
    /// Where captures go; by default into the data folder.
    pub captures: Option<ArtifactFolder>,
    /// Format and size of captures.
    pub capture_form: CaptureForm,
    /// The limits.
    pub limits: Limits,
    /// How many media workers share the legs.
    pub media_workers: usize,
    /// How long adding a phone waits for the registrar's answer.
    pub registration_wait: Duration,
    /// The embedded lab PBX, if one is wanted.
    pub lab: Option<LabOptions>,
    /// The phone system that scenarios create phones on; if a lab is started, it is the lab.
    pub profile: Option<PbxProfile>,
}

/// Where a node keeps its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// In memory. Recordings are in a temporary folder that is removed with the node, unless they
    /// have a place of their own.
    #[default]
    Memory,
    /// In this folder: journal, passwords and recordings.
    Folder(PathBuf),
}

impl NodeOptions {
    /// Options for a node of this process on the machine's network.
    #[must_use]
    pub fn system() -> Self {
        Self {
            network: Arc::new(SystemNetwork::default()),
            wall: Wall::system(),
            seed: super::seed(),
            data: Data::Memory,
            keep: None,
            recordings: None,
            captures: None,
            capture_form: CaptureForm::default(),
            limits: Limits::default(),
            media_workers: 2,
            registration_wait: Duration::from_secs(1),
            lab: None,
            profile: None,
        }
    }
}
