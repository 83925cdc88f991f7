//! The metadata of a recording, in a file next to it.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::event::Direction;

/// The content of a `.meta.json`; names and types are those that existing readers expect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// The phone.
    pub phone_id: String,
    /// The number of the call.
    pub call_id: Option<u64>,
    /// Who placed the call.
    pub direction: Direction,
    /// When the segment began, RFC 3339 in UTC.
    pub started_at: String,
    /// When it ended, RFC 3339 in UTC.
    pub ended_at: String,
    /// Length of the segment in whole seconds.
    pub duration: u64,
    /// Codec in use.
    pub codec: String,
    /// The other side's address.
    pub remote_uri: String,
    /// Last SIP status of the call; 0 before the first.
    pub last_status: u16,
    /// Its reason phrase.
    pub last_status_text: String,
    /// The recording, as the writing process sees it.
    pub recording: String,
    /// The capture that ran at the same time.
    pub pcap: Option<String>,
    /// Our RTP port.
    pub local_rtp_port: Option<u16>,
    /// Port the other side's RTP came from.
    pub remote_rtp_port: Option<u16>,
}

/// Returns where the sidecar of a recording is: the same stem with `.meta.json`.
#[must_use]
pub fn sidecar_of(recording: &Path) -> PathBuf {
    recording.with_extension("meta.json")
}

impl Sidecar {
    /// Writes the sidecar next to its recording, completely or not at all; blocks while it writes.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn write(&self) -> io::Result<()> {
        let path = sidecar_of(Path::new(&self.recording));
        let beside = path.with_extension("json.tmp");
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = crate::private::create_file(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    }

    /// Reads the sidecar of a recording.
    ///
    /// # Errors
    /// There is none, or it is not a sidecar.
    pub fn read(recording: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&crate::private::read(&sidecar_of(recording))?)?)
    }
}
