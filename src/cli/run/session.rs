//! The world of one `offhook run`: journal, phones, and the phone system they use.

use std::{path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::super::against::Against;
use crate::{
    event::{Cause, Surface},
    lab::LabOptions,
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
        options: NodeOptions,
        keep: bool,
    ) -> Result<Self, NodeError> {
        let data = match options.data {
            Data::Memory if keep => Data::Folder(fresh_folder()),
            data @ (Data::Memory | Data::Folder(_)) => data,
        };
        let lab = (*against == Against::Lab).then(LabOptions::default);
        let node = Node::start(NodeOptions { data, lab, ..options });
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

    /// Returns the terms of runs: how long they wait for what others have, and whether their phones
    /// are captured.
    pub(super) fn terms(&self, lease_wait: Duration, captured: bool) -> Terms {
        let (profile, cause) = (self.node.profile().cloned(), Cause::command(Surface::Cli));
        Terms { profile, lease_wait, captured, cause }
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
