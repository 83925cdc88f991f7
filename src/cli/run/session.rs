//! The world of one `offhook run`: journal, phones, and the phone system they use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::super::against::Against;
use crate::{
    config::PbxProfile,
    event::{Cause, Surface},
    lab::LabOptions,
    net::Network,
    node::{Data, Node, NodeError, NodeOptions, StopError, fresh_folder},
    scenario::{Host, Terms},
};

/// Everything a session runs on.
pub(super) struct Session {
    node: Node,
}

impl Session {
    /// Starts a node and, if needed, the lab. Without a folder, `keep` creates a new one that is
    /// kept.
    pub(super) async fn start(
        against: &Against,
        profile: Option<PbxProfile>,
        data: Option<PathBuf>,
        keep: bool,
        network: Arc<dyn Network>,
    ) -> Result<Self, NodeError> {
        let folder = data.or_else(|| keep.then(fresh_folder));
        let node = Node::start(NodeOptions {
            network,
            data: folder.map_or(Data::Memory, Data::Folder),
            media_workers: 1,
            lab: (*against == Against::Lab).then(LabOptions::default),
            profile,
            ..NodeOptions::system()
        });
        Ok(Self { node: node.await? })
    }

    /// Returns where journal and recordings are kept, if they are.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.node.folder()
    }

    /// Returns where the phones register, for display.
    pub(super) fn target(&self) -> String {
        let domain = self.node.profile().map_or("nothing", |profile| profile.domain.as_str());
        if self.node.lab().is_some() {
            format!("the embedded lab PBX at {domain}")
        } else {
            domain.to_owned()
        }
    }

    /// Returns where runs live.
    pub(super) fn host(&self) -> Arc<dyn Host> {
        Arc::new(self.node.switchboard().clone())
    }

    /// Returns the terms of runs; a run waits at most `lease_wait` for what others have.
    pub(super) fn terms(&self, lease_wait: Duration) -> Terms {
        Terms { profile: self.node.profile().cloned(), lease_wait, cause: Cause::command(Surface::Cli) }
    }

    /// Once the end is requested, limits how long anything still waits for others.
    pub(super) fn end_when(&self, asked: CancellationToken) {
        let switchboard = self.node.switchboard().clone();
        tokio::spawn(async move {
            asked.cancelled().await;
            switchboard.prepare_to_end();
        });
    }

    /// Ends everything in order: phones, journal, lab.
    pub(super) async fn stop(self) -> Result<(), StopError> {
        self.node.stop().await
    }
}
