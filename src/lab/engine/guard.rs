//! Digest challenges and their verification, RFC 7616 and RFC 8760: any offered algorithm is
//! accepted.

use std::time::Instant;

use offhook_sip::{
    auth::{Challenger, Secret, Verdict, digest::Algorithm},
    message::{HeaderName, Message},
    user_agent::NamedHeaders,
};

use crate::lab::{DigestChoice, users::UserTable};

/// The result of checking a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// It comes from this user.
    Passed(String),
    /// It must be repeated with credentials; these headers go into the 401.
    Challenge(NamedHeaders),
    /// The password is wrong, or the credentials were made for something else.
    Refused,
    /// There is no user of that name.
    Unknown,
}

/// Issues challenges and checks the answers.
#[derive(Debug)]
pub(super) struct Guard {
    challengers: Vec<Challenger>,
}

impl Guard {
    pub(super) fn new(realm: &str, choice: DigestChoice, seed: u64) -> Self {
        let algorithms: &[Algorithm] = match choice {
            // A client that knows several picks the strongest wherever it is; one that knows only
            // MD5 often looks only at the first.
            DigestChoice::Both => &[Algorithm::MD5, Algorithm::SHA_256],
            DigestChoice::Md5 => &[Algorithm::MD5],
            DigestChoice::Sha256 => &[Algorithm::SHA_256],
        };
        let challengers = algorithms.iter().zip(seed..).map(|(algorithm, seed)| {
            let mut challenger = Challenger::new(realm, seed);
            challenger.algorithm = *algorithm;
            challenger
        });
        Self { challengers: challengers.collect() }
    }

    /// Verifies who sent `request`.
    pub(super) fn check(&mut self, now: Instant, request: &Message, users: &UserTable) -> Check {
        let answers = request.authorization().unwrap_or_default();
        let lookup =
            |name: &str| users.get(name).map(|user| Secret::Password(user.password.reveal().clone()));
        for challenger in &mut self.challengers {
            let named = |text: Option<&str>| text.map_or(Some(Algorithm::MD5), Algorithm::parse);
            let ours = |answer: &&_| -> bool {
                let answer: &offhook_sip::message::AuthParams = answer;
                named(answer.get("algorithm")) == Some(challenger.algorithm)
            };
            let Some(answer) = answers.iter().find(ours) else { continue };
            let method = request.method();
            return match challenger.verify(now, Some(answer), method.as_str(), request.body(), lookup) {
                Verdict::Ok(user) => Check::Passed(user),
                Verdict::Stale => Check::Challenge(self.challenge(now, true)),
                Verdict::Missing => continue,
                Verdict::Wrong => Check::Refused,
                Verdict::UnknownUser(_) => Check::Unknown,
            };
        }
        if answers.iter().any(offhook_sip::message::AuthParams::is_digest) {
            // An algorithm that was never offered.
            return Check::Refused;
        }
        Check::Challenge(self.challenge(now, false))
    }

    fn challenge(&mut self, now: Instant, stale: bool) -> NamedHeaders {
        let issue = |challenger: &mut Challenger| (HeaderName::WwwAuthenticate, challenger.issue(now, stale));
        self.challengers.iter_mut().map(issue).collect()
    }
}
