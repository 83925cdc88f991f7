//! Arguments of every verb that has phones.

use std::{env, path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    artifact::Recordings,
    node::{Data, NodeOptions},
    scenario::parse_duration,
};

/// Environment variable that names the folder of the recordings as a container's host sees it; the name is the one that
/// users of per-phone tools set.
const HOST_RECORDINGS: &str = "PJSUA_MCP_HOST_RECORDINGS_DIR";

/// Arguments of every verb that has phones.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Folder that keeps journal, passwords and recordings; without it everything is forgotten at the end.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Folder of the recordings [default: /recordings if it can be written, else DIR/recordings, else ./recordings]
    #[arg(long, value_name = "DIR")]
    pub(super) recordings: Option<PathBuf>,
}

impl StartArgs {
    /// Returns what the arguments say of a node; the journal of a data folder is taken up.
    pub(super) fn options(&self) -> NodeOptions {
        let recordings = Recordings::of_process(self.recordings.as_deref(), self.data.as_deref());
        NodeOptions {
            data: self.data.clone().map_or(Data::Memory, Data::Folder),
            recordings: Some(recordings.shown_under(host_recordings())),
            ..NodeOptions::system()
        }
    }
}

/// Returns the folder that a container's host sees where recordings go, if it is said.
fn host_recordings() -> Option<PathBuf> {
    env::var_os(HOST_RECORDINGS).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Reads a duration as scenarios write it: `500ms`, `30s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("'{text}' is not a time such as 500ms, 30s or 2m"))
}
