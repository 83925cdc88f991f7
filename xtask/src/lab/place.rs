//! Where a lab lives: ports, folders, the lock, and the fingerprint of its configuration.

use crate::shell;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Shifts every port of the lab, so that several may run side by side.
pub(crate) const SLOT: &str = "OFFHOOK_LAB_SLOT";

/// The loopback ports of one lab; the defaults are those of CONTRIBUTING.md.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) sip: u16,
    pub(crate) ami: u16,
    pub(crate) ari: u16,
    pub(crate) rtp_start: u16,
    pub(crate) rtp_end: u16,
}

impl Ports {
    fn from_environment() -> Result<Self> {
        let slot = match std::env::var(SLOT) {
            Ok(text) => text.parse::<u16>().ok().filter(|slot| *slot < 10),
            Err(_) => Some(0),
        };
        let Some(slot) = slot else { bail!("{SLOT} must be a number from 0 to 9") };
        Ok(Self {
            sip: port("OFFHOOK_LAB_SIP_PORT", 5070 + slot)?,
            ami: port("OFFHOOK_LAB_AMI_PORT", 5138 + slot)?,
            ari: port("OFFHOOK_LAB_ARI_PORT", 8188 + slot)?,
            rtp_start: port("OFFHOOK_LAB_RTP_START", 20_000 + 1000 * slot)?,
            rtp_end: port("OFFHOOK_LAB_RTP_END", 20_999 + 1000 * slot)?,
        })
    }

    /// Returns the ports as the variables that `docker/asterisk/start` and the interop tests read.
    pub(crate) fn variables(self) -> [(&'static str, String); 5] {
        [
            ("OFFHOOK_LAB_SIP_PORT", self.sip.to_string()),
            ("OFFHOOK_LAB_AMI_PORT", self.ami.to_string()),
            ("OFFHOOK_LAB_ARI_PORT", self.ari.to_string()),
            ("OFFHOOK_LAB_RTP_START", self.rtp_start.to_string()),
            ("OFFHOOK_LAB_RTP_END", self.rtp_end.to_string()),
        ]
    }
}

fn port(variable: &str, default: u16) -> Result<u16> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable} is `{text}`, not a port")),
        Err(_) => Ok(default),
    }
}

/// One lab on this machine: its ports and its folders.
pub(crate) struct Place {
    pub(crate) ports: Ports,
    /// `docker/asterisk/` of this checkout.
    pub(crate) configuration: PathBuf,
    /// Outside the checkout, because one unpacked Asterisk serves all checkouts of a machine.
    cache: PathBuf,
}

impl Place {
    /// Reads ports and folders from the environment.
    ///
    /// # Errors
    /// When a variable is malformed or no folder for the cache is known.
    pub(crate) fn from_environment() -> Result<Self> {
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set")?
            .join("offhook/lab");
        Ok(Self {
            ports: Ports::from_environment()?,
            configuration: shell::repository()?.join("docker/asterisk"),
            cache,
        })
    }

    /// Returns the folder that holds the unpacked Debian packages.
    pub(crate) fn root(&self) -> PathBuf {
        self.cache.join("root")
    }

    /// Returns the folder for downloads, emptied after use.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.cache.join("downloads")
    }

    /// Returns a file of this lab; labs on other ports have their own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.cache.join(format!("{}.{name}", self.ports.sip))
    }

    /// Waits for other runs of this task on the machine, until the guard is dropped.
    ///
    /// # Errors
    /// When the cache folder cannot be written.
    pub(crate) fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.cache)
            .with_context(|| format!("could not create {}", self.cache.display()))?;
        let file = File::create(self.cache.join("lock")).context("could not open the lock file")?;
        file.lock().context("could not lock the lab")?;
        Ok(file)
    }

    /// Tells whether the running lab was started with the configuration of this checkout.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub(crate) fn configuration_is_current(&self) -> Result<bool> {
        let known = fs::read_to_string(self.file("configuration")).unwrap_or_default();
        Ok(known == self.fingerprint()?)
    }

    /// Records the configuration that the lab is started with.
    ///
    /// # Errors
    /// When it cannot be read or the cache cannot be written.
    pub(crate) fn remember_configuration(&self) -> Result<()> {
        fs::write(self.file("configuration"), self.fingerprint()?)
            .context("could not record the configuration")
    }

    fn fingerprint(&self) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        for file in files_below(&self.configuration)? {
            file.file_name().map(OsStr::as_encoded_bytes).hash(&mut hasher);
            fs::read(&file).with_context(|| format!("could not read {}", file.display()))?.hash(&mut hasher);
        }
        self.ports.variables().hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }
}

/// Returns every file below a folder, in a stable order.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("could not read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
