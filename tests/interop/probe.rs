//! A SIP client of a hundred lines that shares no code with the program, to tell a fault of the lab
//! from one of ours. UDP only, one request at a time, MD5 digest.

use md5::{Digest, Md5};
use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};
use std::net::UdpSocket;
use std::time::Duration;

/// Longer than any test number takes to answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Returns a port of the lab: the variable that `cargo xtask` sets, or the default of `docker/asterisk/start`.
pub(crate) fn lab_port(variable: &str, default: u16) -> u16 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a port"))
}

pub(crate) struct Probe {
    socket: UdpSocket,
    port: u16,
    user: &'static str,
    password: String,
}

impl Probe {
    pub(crate) fn new(user: &'static str, password: &str) -> Self {
        let port = lab_port("OFFHOOK_LAB_SIP_PORT", 5070);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, port, user, password: password.to_owned() }
    }

    /// Sends a request and answers one challenge; returns every status code except 100, the final
    /// one last.
    pub(crate) fn codes(&self, method: &str, number: &str, credentials: bool) -> Vec<u16> {
        let to = if number.is_empty() { String::new() } else { format!("{number}@") };
        let uri = format!("sip:{to}127.0.0.1:{}", self.port);
        let call = Attempt { method, uri: &uri, id: nonce(), tag: nonce() };
        let (mut codes, response) = self.exchange(&call, 1, "");
        if codes.last() == Some(&401) && credentials {
            let (more, response) = self.exchange(&call, 2, &self.authorization(&call, &response));
            codes.extend(more);
            if codes.last() == Some(&200) && method == "INVITE" {
                self.hang_up(&call, &response);
            }
        }
        codes
    }

    fn exchange(&self, call: &Attempt<'_>, sequence: u32, extra: &str) -> (Vec<u16>, String) {
        let branch = nonce();
        self.send(call, call.method, sequence, &branch, "", extra);
        let mut codes = Vec::new();
        loop {
            let response = self.response_to(call, sequence);
            let code = status(&response);
            codes.extend((code > 100).then_some(code));
            if code >= 200 {
                if call.method == "INVITE" {
                    // The ACK of a refusal belongs to the transaction, that of a 200 does not.
                    let branch = if code == 200 { nonce() } else { branch };
                    self.send(call, "ACK", sequence, &branch, &to_tag(&response), "");
                }
                return (codes, response);
            }
        }
    }

    fn hang_up(&self, call: &Attempt<'_>, response: &str) {
        self.send(call, "BYE", 3, &nonce(), &to_tag(response), "");
        let ended = status(&self.response_to(call, 3));
        assert_eq!(ended, 200, "the lab does not know its own call");
    }

    fn response_to(&self, call: &Attempt<'_>, sequence: u32) -> String {
        let wanted = format!("CSeq: {sequence} ");
        loop {
            let mut bytes = [0; 8192];
            let length = self.socket.recv(&mut bytes).expect("the lab answers in time");
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.starts_with("SIP/2.0 ") && text.contains(&call.id) && text.contains(&wanted) {
                return text;
            }
        }
    }

    fn send(&self, call: &Attempt<'_>, method: &str, sequence: u32, branch: &str, to_tag: &str, extra: &str) {
        let local = self.socket.local_addr().unwrap();
        let body = if method == "INVITE" { offer() } else { String::new() };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let Attempt { uri, id, tag, .. } = call;
        let user = self.user;
        let mut text = String::new();
        write!(
            text,
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@127.0.0.1>;tag={tag}\r\n\
             To: <{}>{to_tag}\r\n\
             Call-ID: {id}\r\n\
             CSeq: {sequence} {method}\r\n\
             Contact: <sip:{user}@{local}>\r\n\
             Expires: 60\r\n\
             {extra}{kind}Content-Length: {}\r\n\r\n{body}",
            if call.method == "REGISTER" { format!("sip:{user}@127.0.0.1") } else { uri.to_string() },
            body.len()
        )
        .unwrap();
        self.socket.send(text.as_bytes()).unwrap();
    }

    /// RFC 7616 §3.4 with MD5 and qop=auth.
    fn authorization(&self, call: &Attempt<'_>, challenge: &str) -> String {
        let header =
            challenge.lines().find(|line| line.starts_with("WWW-Authenticate")).expect("a challenge");
        let value = |name: &str| {
            let (_, rest) = header.split_once(&format!("{name}=\"")).expect(name);
            rest.split('"').next().unwrap()
        };
        let (realm, nonce_, client) = (value("realm"), value("nonce"), nonce());
        let (user, uri) = (self.user, call.uri);
        let secret = md5(&format!("{user}:{realm}:{}", self.password));
        let request = md5(&format!("{}:{uri}", call.method));
        let response = md5(&format!("{secret}:{nonce_}:00000001:{client}:auth:{request}"));
        let opaque = value("opaque");
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce_}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"{client}\", opaque=\"{opaque}\"\r\n"
        )
    }
}

/// What stays the same between requests of a dialog.
struct Attempt<'a> {
    method: &'a str,
    uri: &'a str,
    id: String,
    tag: String,
}

fn status(response: &str) -> u16 {
    response.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code")
}

fn to_tag(response: &str) -> String {
    let line = response.lines().find(|line| line.starts_with("To:")).expect("a To header");
    line.split_once(";tag=").map_or_else(String::new, |(_, tag)| format!(";tag={tag}"))
}

/// Port 9 discards: nothing here listens to the audio.
fn offer() -> String {
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        .to_owned()
}

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// Returns a word that no other request has; the standard hasher's keys are random.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}
