//! The PBX that scenarios run against: where it is, which accounts may be used, what its numbers
//! do.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::{meant, read_given_text, yaml};
use crate::{event::Transport, nearest::nearest, secret::Secret};

/// One account on a PBX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User part of the address of record and digest user name.
    pub username: String,
    /// Digest password.
    pub password: Secret<String>,
}

/// A PBX as a scenario needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PbxProfile {
    /// Registrar and address-of-record host, with an optional `:port`.
    pub domain: String,
    /// Transport to it.
    pub transport: Transport,
    /// Realm to answer; `None` answers any.
    pub realm: Option<String>,
    /// Accounts, in the order in which a scenario's phones take them.
    pub accounts: Vec<Account>,
    /// Numbers by what they do (`echo: "600"`).
    pub numbers: BTreeMap<String, String>,
}

/// The profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PbxProfileError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not the expected YAML.
    #[error("{}: {source}{}", path.display(), meant(suggestion.as_deref()))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<serde_yaml::Error>,
        /// The key that was probably meant, if one is unknown.
        suggestion: Option<String>,
    },
    /// It gives no domain.
    #[error("{}: 'domain' is empty", path.display())]
    NoDomain {
        /// The file.
        path: PathBuf,
    },
    /// An account has not exactly one of `password` and `password_file`.
    #[error("{}: accounts[{index}] needs either 'password' or 'password_file'", path.display())]
    NoPassword {
        /// The file.
        path: PathBuf,
        /// The account's index, from 0.
        index: usize,
    },
    /// A password refers to an environment variable that is not set.
    #[error("{}: accounts[{index}].password: environment variable '{name}' is not set", path.display())]
    NoVariable {
        /// The file.
        path: PathBuf,
        /// The account's index, from 0.
        index: usize,
        /// The variable.
        name: String,
    },
    /// A password file cannot be read.
    #[error("{}: accounts[{index}].password_file: {}: {source}", path.display(), file.display())]
    NoPasswordFile {
        /// The profile.
        path: PathBuf,
        /// The account's index, from 0.
        index: usize,
        /// The password file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Keys of a profile, and of an account in it.
const KEYS: &[&str] = &["domain", "transport", "realm", "accounts", "numbers"];
const ACCOUNT_KEYS: &[&str] = &["username", "password", "password_file"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    domain: String,
    #[serde(default)]
    transport: Transport,
    #[serde(default)]
    realm: Option<String>,
    #[serde(default)]
    accounts: Vec<WrittenAccount>,
    #[serde(default)]
    numbers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAccount {
    username: String,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    password_file: Option<PathBuf>,
}

impl PbxProfile {
    /// Reads a profile; `${NAME}` as a password is taken from the process's environment.
    ///
    /// # Errors
    /// [`PbxProfileError`] gives the file, place and cause.
    pub fn load(path: &Path) -> Result<Self, PbxProfileError> {
        let text = read_given_text(path)
            .map_err(|source| PbxProfileError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path, &|name| std::env::var(name).ok())
    }

    /// Parses a profile; `path` names it in errors and is the base of relative `password_file`s.
    ///
    /// # Errors
    /// [`PbxProfileError`] gives the file, place and cause.
    pub fn parse(
        text: &str,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, PbxProfileError> {
        let written: Written = yaml(text).map_err(|source| PbxProfileError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
            suggestion: yaml(text).ok().and_then(|whole: Value| slip(&whole)),
        })?;
        if written.domain.is_empty() {
            return Err(PbxProfileError::NoDomain { path: path.to_owned() });
        }
        let account = |(index, account): (usize, WrittenAccount)| {
            let password = match (account.password, account.password_file) {
                (Some(password), None) => expand(password, index, path, environment)?,
                (None, Some(file)) => from_file(&file, index, path)?,
                (Some(_), Some(_)) | (None, None) => {
                    return Err(PbxProfileError::NoPassword { path: path.to_owned(), index });
                }
            };
            Ok(Account { username: account.username, password })
        };
        Ok(Self {
            domain: written.domain,
            transport: written.transport,
            realm: written.realm.filter(|realm| !realm.is_empty() && realm != "*"),
            accounts: written.accounts.into_iter().enumerate().map(account).collect::<Result<_, _>>()?,
            numbers: written.numbers,
        })
    }

    /// Returns the number with this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<&str> {
        self.numbers.get(name).map(String::as_str)
    }
}

/// Returns the known key that the first unknown key of a profile was probably meant to be.
fn slip(whole: &Value) -> Option<String> {
    let of = |mapping: &Value, keys: &[&str]| {
        let mut unknown = mapping.as_object()?.keys().filter(|key| !keys.contains(&key.as_str()));
        unknown.find_map(|key| nearest(key, keys.iter().copied()))
    };
    let accounts = whole.get("accounts").and_then(Value::as_array);
    of(whole, KEYS).or_else(|| accounts?.iter().find_map(|account| of(account, ACCOUNT_KEYS)))
}

fn expand(
    password: Secret<String>,
    index: usize,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Secret<String>, PbxProfileError> {
    let name = password.reveal().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match name {
        None => Ok(password),
        Some(name) => environment(name).map(Secret::new).ok_or_else(|| PbxProfileError::NoVariable {
            path: path.to_owned(),
            index,
            name: name.to_owned(),
        }),
    }
}

fn from_file(file: &Path, index: usize, path: &Path) -> Result<Secret<String>, PbxProfileError> {
    let file = path.parent().unwrap_or(Path::new("")).join(file);
    match read_given_text(&file) {
        // Editors end files with a line end that is not part of the password.
        Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(source) => Err(PbxProfileError::NoPasswordFile { path: path.to_owned(), index, file, source }),
    }
}
