//! The digest computation and the client's answer to one challenge: RFC 7616 §3.4, RFC 8760, RFC 3261 §22.4.
//!
//! Leaves out `userhash`, which no SIP specification defines a use for.

use super::Credentials;
use crate::message::AuthParams;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use std::fmt::Write;

/// Hash function of a digest, without the `-sess` variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// MD5 (RFC 2617).
    Md5,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-512/256 (RFC 8760).
    Sha512Part256,
}

/// Value of the `algorithm` parameter; ordered by strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Algorithm {
    /// Hash function.
    pub hash: Hash,
    /// The `-sess` variant: the key covers the first nonce and cnonce.
    pub session: bool,
}

impl Algorithm {
    /// MD5, what a challenge without `algorithm` means.
    pub const MD5: Self = Self { hash: Hash::Md5, session: false };
    /// SHA-256.
    pub const SHA_256: Self = Self { hash: Hash::Sha256, session: false };
    /// SHA-512/256.
    pub const SHA_512_256: Self = Self { hash: Hash::Sha512Part256, session: false };

    /// Reads an `algorithm` parameter; `None` when it is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let (name, session) =
            lower.strip_suffix("-sess").map_or((lower.as_str(), false), |name| (name, true));
        let hash = match name {
            "md5" => Hash::Md5,
            "sha-256" => Hash::Sha256,
            "sha-512-256" => Hash::Sha512Part256,
            _ => return None,
        };
        Some(Self { hash, session })
    }

    /// Returns the spelling of the registry.
    pub const fn as_str(self) -> &'static str {
        match (self.hash, self.session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
            (Hash::Sha512Part256, false) => "SHA-512-256",
            (Hash::Sha512Part256, true) => "SHA-512-256-sess",
        }
    }

    /// Returns the lower-case hexadecimal hash of the parts, as if they were one string.
    pub fn hex(self, parts: &[&[u8]]) -> String {
        match self.hash {
            Hash::Md5 => hex_of::<Md5>(parts),
            Hash::Sha256 => hex_of::<Sha256>(parts),
            Hash::Sha512Part256 => hex_of::<Sha512_256>(parts),
        }
    }
}

fn hex_of<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut text = String::with_capacity(64);
    for byte in digest.iter() {
        // Writing into a String cannot fail.
        let _ok = write!(text, "{byte:02x}");
    }
    text
}

/// Quality of protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qop {
    /// The request line is protected.
    Auth,
    /// Request line and body are protected.
    AuthInt,
}

impl Qop {
    /// Returns the value of the `qop` parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// Chooses from a `qop` list: `auth` where offered, because a body may change on its way; `None` when
    /// nothing known is offered.
    pub fn choose(list: &str) -> Option<Self> {
        let offers = |wanted: &str| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(wanted));
        if offers("auth") {
            Some(Self::Auth)
        } else if offers("auth-int") {
            Some(Self::AuthInt)
        } else {
            None
        }
    }
}

/// Everything that goes into one digest response.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Algorithm.
    pub algorithm: Algorithm,
    /// `H(user:realm:password)` in hexadecimal; see [`ha1`].
    pub ha1: &'a str,
    /// Server nonce.
    pub nonce: &'a str,
    /// Quality of protection with its nonce count and client nonce; `None` for RFC 2069 servers.
    pub qop: Option<(Qop, u32)>,
    /// Client nonce; used with qop and with `-sess`.
    pub cnonce: &'a str,
    /// Method.
    pub method: &'a str,
    /// Digest URI, exactly as the header carries it.
    pub uri: &'a str,
    /// Body, for `auth-int`.
    pub body: &'a [u8],
}

/// Returns `H(user:realm:password)` in hexadecimal, without the `-sess` step.
pub fn ha1(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hex(&[username.as_bytes(), b":", realm.as_bytes(), b":", password.as_bytes()])
}

/// Returns the value of the `response` parameter (RFC 7616 §3.4.1).
pub fn response(inputs: &Inputs<'_>) -> String {
    let hash = inputs.algorithm;
    let key = if hash.session {
        hash.hex(&[inputs.ha1.as_bytes(), b":", inputs.nonce.as_bytes(), b":", inputs.cnonce.as_bytes()])
    } else {
        inputs.ha1.to_owned()
    };
    let ha2 = match inputs.qop {
        Some((Qop::AuthInt, _)) => {
            let body = hash.hex(&[inputs.body]);
            hash.hex(&[inputs.method.as_bytes(), b":", inputs.uri.as_bytes(), b":", body.as_bytes()])
        }
        Some((Qop::Auth, _)) | None => hash.hex(&[inputs.method.as_bytes(), b":", inputs.uri.as_bytes()]),
    };
    let middle = match inputs.qop {
        Some((qop, count)) => {
            format!("{}:{count:08x}:{}:{}", inputs.nonce, inputs.cnonce, qop.as_str())
        }
        None => inputs.nonce.to_owned(),
    };
    hash.hex(&[key.as_bytes(), b":", middle.as_bytes(), b":", ha2.as_bytes()])
}

/// A challenge that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Realm.
    pub realm: String,
    /// Nonce.
    pub nonce: String,
    /// Value to be returned unchanged.
    pub opaque: Option<String>,
    /// Algorithm; MD5 when the challenge names none.
    pub algorithm: Algorithm,
    /// Chosen quality of protection.
    pub qop: Option<Qop>,
    /// The nonce of the refused request was only too old.
    pub stale: bool,
    /// The challenge spelled the algorithm out, so the answer does too.
    pub names_algorithm: bool,
}

impl Challenge {
    /// Reads a challenge; `None` when scheme, algorithm or qop is not supported.
    pub fn from_params(params: &AuthParams) -> Option<Self> {
        if !params.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let named = params.get("algorithm");
        let algorithm = named.map_or(Some(Algorithm::MD5), Algorithm::parse)?;
        let qop = match params.get("qop") {
            Some(list) => Some(Qop::choose(list)?),
            None => None,
        };
        Some(Self {
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm,
            qop,
            stale: params.get("stale").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            names_algorithm: named.is_some(),
        })
    }
}

/// What the answer is computed over.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// Request-URI as written.
    pub uri: &'a str,
    /// Body of the request.
    pub body: &'a [u8],
}

/// Returns the value of an Authorization or Proxy-Authorization header.
///
/// `count` is the number of requests sent with this nonce, this one included.
pub fn answer(
    challenge: &Challenge,
    credentials: &Credentials,
    target: &Target<'_>,
    count: u32,
    cnonce: &str,
) -> String {
    let inputs = Inputs {
        algorithm: challenge.algorithm,
        ha1: &ha1(challenge.algorithm, &credentials.username, &challenge.realm, &credentials.password),
        nonce: &challenge.nonce,
        qop: challenge.qop.map(|qop| (qop, count)),
        cnonce,
        method: target.method,
        uri: target.uri,
        body: target.body,
    };
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
        quoted(&credentials.username),
        quoted(&challenge.realm),
        quoted(&challenge.nonce),
        quoted(target.uri),
        response(&inputs),
    );
    if challenge.names_algorithm {
        value.push_str(", algorithm=");
        value.push_str(challenge.algorithm.as_str());
    }
    if let Some(qop) = challenge.qop {
        // Writing into a String cannot fail.
        let _ok = write!(value, ", qop={}, nc={count:08x}, cnonce={}", qop.as_str(), quoted(cnonce));
    } else if challenge.algorithm.session {
        let _ok = write!(value, ", cnonce={}", quoted(cnonce));
    }
    if let Some(opaque) = &challenge.opaque {
        let _ok = write!(value, ", opaque={}", quoted(opaque));
    }
    value
}

/// Returns the text as a quoted string.
pub(crate) fn quoted(text: &str) -> String {
    let mut value = String::with_capacity(text.len().saturating_add(2));
    value.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            value.push('\\');
        }
        value.push(letter);
    }
    value.push('"');
    value
}
