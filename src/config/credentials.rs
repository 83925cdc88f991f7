//! Passwords of phones, kept next to the journal so that phones come back after a restart.
//!
//! Only the owner can read the file, and it is replaced as a whole, so it is never half written.
//! Encryption at rest is left out: anyone who can read the folder as its owner could read the key
//! as well.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::read_given_text;
use crate::{id::PhoneId, secret::Secret};

const FILE: &str = "credentials.json";
const OWNER_ONLY: u32 = 0o600;

/// The passwords of a data folder's phones.
#[derive(Debug)]
pub struct Credentials {
    path: PathBuf,
    passwords: BTreeMap<PhoneId, Secret<String>>,
    /// A write failed halfway: the file may hold something else, so the next change is written in
    /// any case.
    unsure: bool,
}

/// The passwords cannot be read or saved.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what this program wrote.
    #[error("{}: not a credentials file (line {line}, column {column})", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1; 0 if the document as a whole has the wrong shape.
        line: usize,
        /// Column, from 1; 0 if the document as a whole has the wrong shape.
        column: usize,
    },
}

impl Credentials {
    /// Reads the passwords of a data folder, which may have none yet.
    ///
    /// # Errors
    /// [`CredentialsError`] if there is a file that cannot be used.
    pub fn open(folder: &Path) -> Result<Self, CredentialsError> {
        let path = folder.join(FILE);
        let failed = |source| CredentialsError::Io { path: path.clone(), source };
        let text = match read_given_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, passwords: BTreeMap::new(), unsure: false });
            }
            Err(error) => return Err(failed(error)),
        };
        if fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "credentials were readable by others; closed now");
            fs::set_permissions(&path, Permissions::from_mode(OWNER_ONLY)).map_err(failed)?;
        }
        let passwords = parse(&text).map_err(|at| {
            let (line, column) = at.map_or((0, 0), |error| (error.line(), error.column()));
            CredentialsError::Malformed { path: path.clone(), line, column }
        })?;
        Ok(Self { path, passwords, unsure: false })
    }

    /// Returns a phone's password.
    #[must_use]
    pub fn get(&self, phone: &PhoneId) -> Option<&Secret<String>> {
        self.passwords.get(phone)
    }

    /// Saves a phone's password; it is on disk when this returns.
    ///
    /// # Errors
    /// [`CredentialsError`] if it cannot be written; what was saved before is still there.
    pub fn set(&mut self, phone: PhoneId, password: Secret<String>) -> Result<(), CredentialsError> {
        if !self.unsure && self.passwords.get(&phone) == Some(&password) {
            return Ok(());
        }
        let mut passwords = self.passwords.clone();
        passwords.insert(phone, password);
        self.write(passwords)
    }

    /// Removes a phone's password; it is gone from the disk when this returns.
    ///
    /// # Errors
    /// [`CredentialsError`] if the file cannot be written; the password is still there.
    pub fn remove(&mut self, phone: &PhoneId) -> Result<(), CredentialsError> {
        if !self.unsure && !self.passwords.contains_key(phone) {
            return Ok(());
        }
        let mut passwords = self.passwords.clone();
        passwords.remove(phone);
        self.write(passwords)
    }

    /// Writes the file unchanged, to see whether it can be written.
    ///
    /// # Errors
    /// [`CredentialsError`] if it cannot.
    pub fn rewrite(&mut self) -> Result<(), CredentialsError> {
        self.write(self.passwords.clone())
    }

    /// Replaces the saved passwords: on the disk first, then here.
    fn write(&mut self, passwords: BTreeMap<PhoneId, Secret<String>>) -> Result<(), CredentialsError> {
        let text = |(phone, password): (&PhoneId, &Secret<String>)| {
            (phone.as_str().to_owned(), Value::String(password.reveal().clone()))
        };
        let list: Map<_, _> = passwords.iter().map(text).collect();
        let whole = format!("{:#}\n", json!({ "passwords": list }));
        let written = replace(&self.path, whole.as_bytes());
        self.unsure = written.is_err();
        written.map_err(|source| CredentialsError::Io { path: self.path.clone(), source })?;
        self.passwords = passwords;
        Ok(())
    }
}

fn parse(text: &str) -> Result<BTreeMap<PhoneId, Secret<String>>, Option<serde_json::Error>> {
    let mut whole: BTreeMap<String, BTreeMap<PhoneId, Secret<String>>> =
        serde_json::from_str(text).map_err(Some)?;
    whole.remove("passwords").ok_or(None)
}

/// Replaces a file completely or not at all; others cannot read it even for a moment.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.tmp");
    // Left over from a process that died here; its mode may be anything.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The rename itself is durable once the folder is on disk.
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
