//! Who may register: users that are generated, given, or read from a file.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    config::{read_given_text, yaml},
    secret::Secret,
};

/// First number of generated users.
const FIRST: usize = 6001;

/// Where the users come from.
#[derive(Clone, Debug)]
pub enum Users {
    /// 6001 and up.
    Generated {
        /// How many.
        count: usize,
        /// Their passwords.
        passwords: Passwords,
    },
    /// Exactly these.
    Listed(Vec<User>),
    /// A YAML file with a list `accounts` of `username`, `password` and, if wanted, `display`.
    File(PathBuf),
}

/// Passwords of generated users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// `secret` followed by the number, as on the lab Asterisk: for machines that nobody else can
    /// reach.
    Lab,
    /// Random, new with every start.
    Random,
}

/// Somebody who may register.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Number, and digest user name.
    pub username: String,
    /// Password.
    pub password: Secret<String>,
    /// Name shown to called phones.
    #[serde(default)]
    pub display: Option<String>,
}

/// Why there are no users.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file does not have the expected form.
    #[error("{path} is no list of accounts: {message}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// Two users have the same name.
    #[error("user {username} is there twice")]
    Twice {
        /// The name.
        username: String,
    },
}

#[derive(Deserialize)]
struct Accounts {
    accounts: Vec<User>,
}

/// The users by name.
#[derive(Clone, Debug, Default)]
pub(super) struct UserTable {
    by_name: BTreeMap<String, User>,
}

impl UserTable {
    pub(super) fn load(users: &Users) -> Result<Self, UsersError> {
        let list = match users {
            Users::Generated { count, passwords } => generated(*count, *passwords),
            Users::Listed(list) => list.clone(),
            Users::File(path) => read(path)?,
        };
        let mut table = Self::default();
        for user in list {
            let username = user.username.clone();
            if table.by_name.insert(username.clone(), user).is_some() {
                return Err(UsersError::Twice { username });
            }
        }
        Ok(table)
    }

    pub(super) fn get(&self, name: &str) -> Option<&User> {
        self.by_name.get(name)
    }

    pub(super) fn list(&self) -> Vec<User> {
        self.by_name.values().cloned().collect()
    }
}

fn generated(count: usize, passwords: Passwords) -> Vec<User> {
    let user = |number: usize| {
        let password = match passwords {
            Passwords::Lab => format!("secret{number}"),
            Passwords::Random => format!("{:016x}", random()),
        };
        User { username: number.to_string(), password: Secret::new(password), display: None }
    };
    (FIRST..FIRST.saturating_add(count)).map(user).collect()
}

fn read(path: &Path) -> Result<Vec<User>, UsersError> {
    let text =
        read_given_text(path).map_err(|source| UsersError::Unreadable { path: path.to_owned(), source })?;
    let accounts: Accounts = yaml(&text)
        .map_err(|error| UsersError::Malformed { path: path.to_owned(), message: error.to_string() })?;
    Ok(accounts.accounts)
}

/// Returns a number that nobody can predict: the keys of a hash map come from the system.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_users_begin_at_6001() {
        let table = UserTable::load(&Users::Generated { count: 3, passwords: Passwords::Lab }).unwrap();
        let names: Vec<_> = table.list().into_iter().map(|user| user.username).collect();
        assert_eq!(names, ["6001", "6002", "6003"]);
        assert_eq!(table.get("6003").unwrap().password.reveal(), "secret6003");
    }

    #[test]
    fn random_passwords_differ() {
        let table = UserTable::load(&Users::Generated { count: 2, passwords: Passwords::Random }).unwrap();
        let list = table.list();
        assert_ne!(list[0].password, list[1].password);
        assert_eq!(list[0].password.reveal().len(), 16);
    }

    #[test]
    fn a_file_of_accounts_is_read_and_faults_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.yaml");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            UserTable::load(&Users::File(path.clone()))
        };
        let table = load("accounts:\n  - {username: 0701, password: x, display: Ann}\n").unwrap();
        assert_eq!(table.get("0701").unwrap().display.as_deref(), Some("Ann"));
        assert!(matches!(load("accounts: 3"), Err(UsersError::Malformed { .. })));
        let twice = "accounts: [{username: a, password: b}, {username: a, password: c}]";
        assert!(matches!(load(twice), Err(UsersError::Twice { .. })));
        let missing = UserTable::load(&Users::File(folder.path().join("none.yaml")));
        assert!(matches!(missing, Err(UsersError::Unreadable { .. })));
    }
}
