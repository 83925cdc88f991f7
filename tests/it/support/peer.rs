//! A scripted peer: raw SIP over one datagram socket, simulated or real, for what no proper engine
//! would do.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use offhook::net::{DatagramSocket, Network};

/// A session description with telephone events.
pub(crate) const EVENTS: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
     m=audio 9000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
/// One without telephone events.
pub(crate) const PLAIN: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
     m=audio 9000 RTP/AVP 0\r\n";
/// One with a codec that nobody has.
pub(crate) const FOREIGN: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
     m=audio 9000 RTP/AVP 98\r\na=rtpmap:98 NOBODY/8000\r\n";

/// The peer.
pub(crate) struct Peer {
    socket: Arc<dyn DatagramSocket>,
    phone: SocketAddr,
}

impl Peer {
    /// Listens at one port and talks to the phone at another.
    pub(crate) fn new(network: &dyn Network, port: u16, phone: u16) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], port));
        let socket = network.bind_datagram(local).unwrap();
        Self { socket, phone: SocketAddr::from(([127, 0, 0, 1], phone)) }
    }

    /// Listens at a port that the system chooses, with no phone to talk to yet.
    pub(crate) fn anywhere(network: &dyn Network) -> Self {
        Self::new(network, 0, 0)
    }

    /// Talks to the phone at this port from now on.
    pub(crate) fn talks_to(&mut self, phone: u16) {
        self.phone.set_port(phone);
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local().port()
    }

    /// Waits for a message that starts like this; others are skipped.
    pub(crate) async fn next(&self, start: &str) -> String {
        let found = self.next_within(start, Duration::from_secs(60)).await;
        found.unwrap_or_else(|| panic!("no {start} came"))
    }

    pub(crate) async fn next_within(&self, start: &str, within: Duration) -> Option<String> {
        let mut buffer = vec![0; 4096];
        let found = tokio::time::timeout(within, async {
            loop {
                let (length, _) = self.socket.receive(&mut buffer).await.unwrap();
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                if text.starts_with(start) {
                    return text;
                }
            }
        });
        found.await.ok()
    }

    pub(crate) fn send(&self, text: &str) {
        self.socket.try_send(text.as_bytes(), self.phone).unwrap();
    }

    /// Responds to a request, with `extra` headers and optionally a session description.
    pub(crate) fn answer(&self, request: &str, status: &str, extra: &str, sdp: &str) {
        let to = header(request, "To");
        let tag = if to.contains("tag=") { "" } else { ";tag=peer" };
        let copied: String = ["Via", "From", "Call-ID", "CSeq"]
            .map(|name| format!("{name}: {}\r\n", header(request, name)))
            .concat();
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        // A registrar lists the current bindings.
        let contact = match request.starts_with("REGISTER") {
            true => header(request, "Contact"),
            false => format!("<sip:peer@{}>", self.socket.local()),
        };
        self.send(&format!(
            "SIP/2.0 {status}\r\n{copied}To: {to}{tag}\r\nContact: {contact}\r\n{extra}{kind}\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ));
    }

    /// Waits for the BYE and accepts it.
    pub(crate) async fn agrees(&self) {
        let bye = self.next("BYE").await;
        self.answer(&bye, "200 OK", "", "");
    }

    /// Cancels the first INVITE of [`Self::request`]: with its branch, as RFC 3261 §9.1 requires.
    pub(crate) fn cancel(&self) {
        let (own, phone) = (self.socket.local(), self.phone);
        self.send(&format!(
            "CANCEL sip:a@{phone} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKINVITE1\r\nMax-Forwards: 70\r\n\
             From: <sip:peer@{own}>;tag=peer\r\nTo: <sip:a@{phone}>\r\nCall-ID: from-peer\r\nCSeq: 1 CANCEL\r\n\
             Content-Length: 0\r\n\r\n"
        ));
    }

    /// Sends a request in the dialog in which the peer is the caller; `to_tag` is empty for the
    /// first INVITE.
    pub(crate) fn request(&self, method: &str, cseq: u32, to_tag: &str, sdp: &str) {
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.request_with(method, cseq, to_tag, kind, sdp);
    }

    /// Sends a request with these headers and this body.
    pub(crate) fn request_with(&self, method: &str, cseq: u32, to_tag: &str, extra: &str, body: &str) {
        let (own, phone) = (self.socket.local(), self.phone);
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        self.send(&format!(
            "{method} sip:a@{phone} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:peer@{own}>;tag=peer\r\nTo: <sip:a@{phone}>{tag}\r\n\
             Call-ID: from-peer\r\nCSeq: {cseq} {method}\r\nContact: <sip:peer@{own}>\r\n{extra}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
}

/// Returns the value of a header.
pub(crate) fn header(message: &str, name: &str) -> String {
    let value = message.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

/// Returns the tag of an address header.
pub(crate) fn tag(value: &str) -> String {
    value.split_once("tag=").unwrap().1.split(';').next().unwrap().to_owned()
}

/// Returns the version in the `o=` line of a message's description.
pub(crate) fn version(message: &str) -> u64 {
    let line = message.lines().find(|line| line.starts_with("o=")).unwrap();
    line.split(' ').nth(2).unwrap().parse().unwrap()
}
