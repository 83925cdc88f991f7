//! Arguments of every verb that has phones.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;

use super::captures::{CaptureArgs, captures, folder_from};
use crate::{
    artifact::{ArtifactFolder, ArtifactKind},
    net::{Network, SystemNetwork, SystemOptions, name_server},
    node::{Data, NodeOptions},
    scenario::{has_no_unit, parse_duration},
    secret::without_password,
};

/// Environment variable for the recordings folder as a container's host sees it; the name is the
/// one that users of per-phone tools already set.
const HOST_RECORDINGS: &str = "PJSUA_MCP_HOST_RECORDINGS_DIR";

/// Environment variable for the recordings folder.
const RECORDINGS: &str = "OFFHOOK_RECORDINGS";

/// Which network the phones of a verb are in.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Name server that is asked instead of those of this machine; may be given several times. /etc/hosts counts all the same.
    #[arg(long = "dns", value_name = "ADDR[:PORT]", value_parser = name_server)]
    name_servers: Vec<SocketAddr>,
}

impl NetworkArgs {
    /// Returns the machine's network, with these name servers.
    pub(super) fn network(&self) -> Arc<dyn Network> {
        let name_servers = self.name_servers.clone();
        Arc::new(SystemNetwork::new(SystemOptions { name_servers, ..SystemOptions::default() }))
    }
}

/// Arguments of a verb whose phones may outlive it.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Folder that keeps journal, passwords, recordings and captures; without it everything is forgotten at the end.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Folder of the recordings [default: OFFHOOK_RECORDINGS, else /recordings if it can be written, else DIR/recordings, else ./recordings]
    #[arg(long, value_name = "DIR")]
    pub(super) recordings: Option<PathBuf>,
    /// Folder of the captures [default: OFFHOOK_CAPTURES, else /captures if it can be written, else DIR/captures, else ./captures]
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    #[command(flatten)]
    capture: CaptureArgs,
    #[command(flatten)]
    network: NetworkArgs,
}

impl StartArgs {
    /// Returns the node options that the arguments give; an existing journal in the data folder is
    /// continued.
    pub(super) fn options(&self) -> NodeOptions {
        let named = folder_from(RECORDINGS);
        let recordings = ArtifactFolder::of_process(
            ArtifactKind::Recordings,
            self.recordings.as_deref().or(named.as_deref()),
            self.data.as_deref(),
        );
        NodeOptions {
            network: self.network.network(),
            data: self.data.clone().map_or(Data::Memory, Data::Folder),
            recordings: Some(recordings.shown_under(folder_from(HOST_RECORDINGS))),
            captures: Some(captures(self.captures.as_deref(), self.data.as_deref())),
            capture_form: self.capture.form(),
            ..NodeOptions::system()
        }
    }
}

/// Parses a duration as scenarios write it: `500ms`, `30s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if parse_duration(text).is_some() && has_no_unit(text) {
        return Err(format!("{text} what? write {text}s or {text}ms"));
    }
    let shown = without_password(text);
    parse_duration(text).ok_or_else(|| format!("'{shown}' is not a time such as 500ms, 30s or 2m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_on_the_command_line_has_a_unit() {
        for (text, milliseconds) in [("500ms", 500), ("30s", 30_000), ("1.5s", 1_500), ("2m", 120_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["5", "0", "1.5"] {
            assert_eq!(duration(text), Err(format!("{text} what? write {text}s or {text}ms")));
        }
        for text in ["", "soon", "-1s", "5x"] {
            assert_eq!(duration(text), Err(format!("'{text}' is not a time such as 500ms, 30s or 2m")));
        }
    }
}
