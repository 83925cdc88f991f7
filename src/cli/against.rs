//! The phone system that scenarios run against: the embedded lab, an address, or a profile file.

use std::{path::PathBuf, str::FromStr};

use crate::{
    config::{Account, PbxProfile, PbxProfileError},
    secret::{Secret, without_password},
};

/// What `--against` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// The embedded lab PBX, started for this session.
    Lab,
    /// A PBX at this address, with the lab's accounts or one given account.
    Address { domain: String, account: Option<(String, Secret<String>)> },
    /// A profile file.
    Profile(PathBuf),
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "lab" {
            return Ok(Self::Lab);
        }
        let scheme = |name: &str| {
            let (head, rest) = text.split_at_checked(name.len())?;
            head.eq_ignore_ascii_case(name).then_some(rest)
        };
        let shown = without_password(text);
        if scheme("sips:").is_some() {
            return Err(format!("{shown}: sips: is not built, it would go in clear; write sip:HOST:PORT"));
        }
        let Some(rest) = scheme("sip:") else {
            let path = PathBuf::from(text);
            let named_as_file = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
            // The error for a missing file names it.
            let harmless = shown == text;
            if path.is_file() || harmless && (named_as_file || text.contains('/')) {
                return Ok(Self::Profile(path));
            }
            let like_a_host = text.contains('.') || text.contains(':') || text == "localhost";
            let meant = if like_a_host { format!(" (did you mean 'sip:{shown}'?)") } else { String::new() };
            return Err(format!(
                "there is no file '{shown}'; write lab, sip:HOST:PORT or a profile file{meant}"
            ));
        };
        if rest.is_empty() {
            return Err("no host follows 'sip:'; write sip:HOST:PORT".to_owned());
        }
        Ok(match rest.rsplit_once('@') {
            None => Self::Address { domain: rest.to_owned(), account: None },
            Some((user, domain)) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                let account = Some((name.to_owned(), Secret::new(password.to_owned())));
                Self::Address { domain: domain.to_owned(), account }
            }
        })
    }
}

impl Against {
    /// Returns the profile if it is known before anything starts; the lab's only comes with the
    /// lab.
    pub(super) fn profile(&self) -> Result<Option<PbxProfile>, PbxProfileError> {
        match self {
            Self::Lab => Ok(None),
            Self::Profile(path) => PbxProfile::load(path).map(Some),
            Self::Address { domain, account } => {
                let accounts = match account {
                    Some((username, password)) => {
                        vec![Account { username: username.clone(), password: password.clone() }]
                    }
                    None => lab_accounts(),
                };
                Ok(Some(PbxProfile { domain: domain.clone(), accounts, ..PbxProfile::default() }))
            }
        }
    }
}

/// Returns the accounts that every lab has, embedded or not: 6001 to 6010.
fn lab_accounts() -> Vec<Account> {
    let account = |number: u32| Account {
        username: number.to_string(),
        password: Secret::new(format!("secret{number}")),
    };
    (6001..=6010).map(account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_lab_an_address_and_a_file_are_told_apart() {
        assert_eq!("lab".parse(), Ok(Against::Lab));
        assert_eq!("pbx.yaml".parse(), Ok(Against::Profile("pbx.yaml".into())));
        let bare: Against = "sip:127.0.0.1:5070".parse().unwrap();
        let profile = bare.profile().unwrap().unwrap();
        assert_eq!((profile.domain.as_str(), profile.accounts.len()), ("127.0.0.1:5070", 10));
        let one: Against = "sip:bob:pw@pbx".parse().unwrap();
        let profile = one.profile().unwrap().unwrap();
        assert_eq!((profile.domain.as_str(), profile.accounts[0].username.as_str()), ("pbx", "bob"));
    }
    #[test]
    fn what_is_none_of_them_is_told_what_is_wanted() {
        for (text, told) in [
            ("127.0.0.1:5070", "did you mean 'sip:127.0.0.1:5070'?"),
            ("foo", "there is no file 'foo'; write lab, sip:HOST:PORT or a profile file"),
            ("sips:127.0.0.1", "sips: is not built"),
            ("SIPS:bob@pbx", "sips: is not built"),
            ("sip:", "no host"),
        ] {
            let error = text.parse::<Against>().unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert!(!"foo".parse::<Against>().unwrap_err().contains("did you mean"));
    }
}
