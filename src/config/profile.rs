//! The phones file: `defaults` and `phones`, as users of pjsua_mcp know it.
//!
//! The file is read twice: once for its shape, which gives the messages that clients look for, and
//! once into types, which keeps an unquoted `0042` as it is written. One invalid phone does not
//! affect the others.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_yaml::Spanned;

use super::{LARGEST_TEXT, read_given_text, yaml};
use crate::{
    command::AddPhone,
    event::{PhoneSpec, Transport},
    id::PhoneId,
    nearest::nearest,
    secret::Secret,
};

/// Keys that a phone may have.
const ALLOWED: &[&str] = &[
    "phone_id",
    "domain",
    "username",
    "password",
    "realm",
    "srtp",
    "auto_answer",
    "transport",
    "local_port",
    "codecs",
    "register",
    "recording_enabled",
    "capture_enabled",
];

/// Keys that each phone must have.
const REQUIRED: &[&str] = &["phone_id", "domain", "username", "password"];
/// Accepted and ignored, because older files have it.
const DEPRECATED: &str = "recordings_dir";

/// The content of a phones file.
#[derive(Debug, PartialEq)]
pub struct PhonesProfile {
    /// The phones to add, in the file's order.
    pub phones: Vec<AddPhone>,
    /// Entries that are not valid phones.
    pub errors: Vec<EntryError>,
}

/// An entry in an otherwise valid file that is not a valid phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryError {
    /// The name as written.
    pub phone_id: String,
    /// Why.
    pub error: String,
}

/// The file as a whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no such file.
    #[error("Profile not found: {}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is far larger than any list of phones somebody would write.
    #[error("{}: more than {} MiB", path.display(), LARGEST_TEXT >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not YAML, or a value has the wrong type.
    #[error("{}: {source}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<serde_yaml::Error>,
    },
    /// It is YAML of the wrong shape.
    #[error("{}: {fault}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a phones file that is YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The document is a list or a scalar.
    #[error("top level must be a mapping")]
    TopLevel,
    /// `defaults` is a list or a scalar.
    #[error("'defaults' must be a mapping")]
    Defaults,
    /// `phones` is missing or not a list.
    #[error("'phones' must be a list")]
    Phones,
    /// `phones` has no entry.
    #[error("'phones' is empty")]
    Empty,
    /// An entry is a list or a scalar.
    #[error("phones[{index}] must be a mapping (line {line})")]
    Entry {
        /// The entry's index, from 0.
        index: usize,
        /// Its line, from 1.
        line: u64,
    },
    /// A key is not known.
    #[error("phones[{index}] has unknown key '{key}' (line {line}); allowed: {}{}", ALLOWED.join(", "), super::meant(nearest(key, ALLOWED.iter().copied()).as_deref()))]
    UnknownKey {
        /// The entry's index, from 0.
        index: usize,
        /// Its line, from 1.
        line: u64,
        /// The key.
        key: String,
    },
    /// A required key is missing or empty, here and in `defaults`.
    #[error("phones[{index}] lacks required '{key}' (line {line})")]
    Missing {
        /// The entry's index, from 0.
        index: usize,
        /// Its line, from 1.
        line: u64,
        /// The key.
        key: &'static str,
    },
    /// Two entries have the same name.
    #[error("phones[{index}] has duplicate phone_id '{phone_id}' (line {line})")]
    Duplicate {
        /// The index of the second, from 0.
        index: usize,
        /// Its line, from 1.
        line: u64,
        /// The name.
        phone_id: String,
    },
}

/// The text names no transport that this program has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unsupported transport: '{given}' (use {})", Transport::BUILT.map(Transport::name).join("/"))]
pub struct UnsupportedTransport {
    /// What was given.
    pub given: String,
}

/// Parses a transport's name, ignoring case.
///
/// # Errors
/// [`UnsupportedTransport`] quotes what was given.
pub fn transport(text: &str) -> Result<Transport, UnsupportedTransport> {
    let named = Transport::BUILT.into_iter().find(|transport| transport.name().eq_ignore_ascii_case(text));
    named.ok_or_else(|| UnsupportedTransport { given: text.to_owned() })
}

#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    defaults: Option<Value>,
    #[serde(default)]
    phones: Option<Vec<Spanned<Value>>>,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    defaults: Option<Entry>,
    phones: Vec<Entry>,
}

#[derive(Default, Deserialize)]
struct Entry {
    phone_id: Option<String>,
    domain: Option<String>,
    username: Option<String>,
    password: Option<Secret<String>>,
    realm: Option<String>,
    srtp: Option<bool>,
    auto_answer: Option<bool>,
    transport: Option<String>,
    local_port: Option<u16>,
    codecs: Option<Vec<String>>,
    register: Option<bool>,
    recording_enabled: Option<bool>,
    capture_enabled: Option<bool>,
}

impl PhonesProfile {
    /// Reads a phones file; blocks while it does.
    ///
    /// # Errors
    /// [`ProfileError`] if nothing in the file can be used.
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        match read_given_text(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(ProfileError::TooLarge { path: path.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ProfileError::NotFound { path: path.to_owned() })
            }
            Err(source) => Err(ProfileError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Parses a phones file; `path` names it in errors.
    ///
    /// # Errors
    /// [`ProfileError`] if nothing in the text can be used.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let malformed = |source| ProfileError::Yaml { path: path.to_owned(), source: Box::new(source) };
        let whole: Value = yaml(text).map_err(malformed)?;
        let fault = |fault| ProfileError::Fault { path: path.to_owned(), fault };
        top_level(&whole).map_err(fault)?;
        let shape: Shape = yaml(text).map_err(malformed)?;
        let defaults = shape.defaults.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        let entries = shape.phones.unwrap_or_default();
        let present = examine(&entries, &defaults).map_err(fault)?;
        if defaults.contains_key(DEPRECATED) || present.iter().any(|entry| entry.contains_key(DEPRECATED)) {
            tracing::warn!(path = %path.display(), "recordings_dir is deprecated and ignored");
        }
        let typed: Typed = yaml(text).map_err(malformed)?;
        let defaults = typed.defaults.unwrap_or_default();
        let mut profile = Self { phones: Vec::new(), errors: Vec::new() };
        let mut names = HashSet::new();
        for (index, (entry, keys)) in typed.phones.into_iter().zip(present).enumerate() {
            let entry = entry.over(&defaults, &keys);
            let phone_id = entry.phone_id.clone().unwrap_or_default();
            if !names.insert(phone_id.clone()) {
                let line = entries.get(index).map_or(0, |entry| entry.referenced.line());
                return Err(fault(Fault::Duplicate { index, line, phone_id }));
            }
            match entry.phone() {
                Ok(phone) => profile.phones.push(phone),
                Err(error) => profile.errors.push(EntryError { phone_id, error }),
            }
        }
        Ok(profile)
    }
}

fn top_level(whole: &Value) -> Result<(), Fault> {
    let top = whole.as_object().ok_or(Fault::TopLevel)?;
    match top.get("defaults") {
        None | Some(Value::Null | Value::Object(_)) => {}
        Some(_) => return Err(Fault::Defaults),
    }
    match top.get("phones") {
        Some(Value::Array(phones)) if phones.is_empty() => Err(Fault::Empty),
        Some(Value::Array(_)) => Ok(()),
        Some(_) | None => Err(Fault::Phones),
    }
}

/// Checks keys and required values; returns each entry's own mapping.
fn examine(
    entries: &[Spanned<Value>],
    defaults: &Map<String, Value>,
) -> Result<Vec<Map<String, Value>>, Fault> {
    let mut present = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let line = entry.referenced.line();
        let own = entry.value.as_object().ok_or(Fault::Entry { index, line })?;
        let known = |key: &String| ALLOWED.contains(&key.as_str()) || key == DEPRECATED;
        if let Some(key) = own.keys().chain(defaults.keys()).find(|key| !known(key)) {
            return Err(Fault::UnknownKey { index, line, key: key.clone() });
        }
        let empty = |key: &&&str| match own.get(**key).or_else(|| defaults.get(**key)) {
            None | Some(Value::Null | Value::Bool(false)) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => false,
        };
        if let Some(key) = REQUIRED.iter().find(empty) {
            return Err(Fault::Missing { index, line, key });
        }
        present.push(own.clone());
    }
    Ok(present)
}

impl Entry {
    /// Fills in `defaults`: a key written in the entry wins, even if it is null.
    fn over(self, defaults: &Self, written: &Map<String, Value>) -> Self {
        macro_rules! lay {
            ($($key:ident),*) => {
                Self { $($key: if written.contains_key(stringify!($key)) { self.$key } else { defaults.$key.clone() }),* }
            };
        }
        lay!(
            phone_id,
            domain,
            username,
            password,
            realm,
            srtp,
            auto_answer,
            transport,
            local_port,
            codecs,
            register,
            recording_enabled,
            capture_enabled
        )
    }

    fn phone(self) -> Result<AddPhone, String> {
        let named = PhoneId::plain(&self.phone_id.unwrap_or_default());
        let phone = named.map_err(|error| {
            // Under the key in the file; its users know these words.
            format!("phone_id '{}' invalid — must match ^[a-z0-9_]{{1,32}}$", error.given)
        })?;
        let transport_text = self.transport.unwrap_or_else(|| "udp".to_owned());
        let spec = PhoneSpec {
            domain: self.domain.unwrap_or_default(),
            username: self.username.unwrap_or_default(),
            realm: self.realm.filter(|realm| !realm.is_empty() && realm != "*"),
            transport: transport(&transport_text).map_err(|error| error.to_string())?,
            transport_text: Some(transport_text),
            local_port: self.local_port.unwrap_or_default(),
            codecs: self.codecs.filter(|codecs| !codecs.is_empty()),
            auto_answer: self.auto_answer.unwrap_or_default(),
            srtp: self.srtp.unwrap_or_default(),
            register: self.register.unwrap_or(true),
            recording_enabled: self.recording_enabled.unwrap_or_default(),
            capture_enabled: self.capture_enabled.unwrap_or_default(),
        };
        Ok(AddPhone { phone, spec, password: self.password.unwrap_or_default() })
    }
}
