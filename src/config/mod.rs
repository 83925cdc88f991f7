//! What is read from files before anything runs: phones, accounts of a PBX, passwords, limits.
//!
//! Every loader names the file, the place in it and the cause of what it refuses, and never quotes
//! a password.

mod account;
mod credentials;
mod given;
mod limits;
mod pool;
mod profile;

pub use account::{Account, PbxProfile, PbxProfileError};
pub use credentials::{Credentials, CredentialsError};
pub(crate) use given::{LARGEST_TEXT, read_given, read_given_text};
pub use limits::Limits;
pub use pool::{Holding, Lease, Occupant, Pool, Ticket, Wish};
pub use profile::{EntryError, PhonesProfile, ProfileError, UnsupportedTransport, transport};

/// Returns the addition to a sentence about an unknown name.
fn meant(name: Option<&str>) -> String {
    name.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default()
}

/// Parses YAML without ever putting lines of the file into an error: the next line may hold a
/// password.
pub(crate) fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_yaml::Error> {
    serde_yaml::from_str_with_options(text, serde_yaml::options! { with_snippet: false })
}

#[cfg(test)]
mod tests;
