//! Captures for tests of the analysis: packets by what they carry.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_capture::analyze::{Analysis, analyze};
use offhook_capture::frame::Framer;
use offhook_capture::write::{Format, Interface, Writer};

pub(crate) const ALICE: &str = "192.0.2.1:5060";
pub(crate) const BOB: &str = "198.51.100.2:5060";
pub(crate) const ALICE_RTP: &str = "192.0.2.1:4000";
pub(crate) const BOB_RTP: &str = "198.51.100.2:6000";

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A capture in the making.
pub(crate) struct Trace {
    framer: Framer,
    writer: Writer<Vec<u8>>,
    interface: Interface,
    /// Time of the next packet, in milliseconds.
    pub(crate) now: u64,
}

impl Trace {
    pub(crate) fn new() -> Self {
        let mut writer = Writer::new(Vec::new(), Format::Pcapng).unwrap();
        let interface = writer.interface("alice").unwrap();
        Self { framer: Framer::default(), writer, interface, now: 0 }
    }

    pub(crate) fn udp(&mut self, from: &str, to: &str, payload: &[u8]) {
        let packet = self.framer.udp(address(from), address(to), payload).unwrap();
        self.writer.packet(Duration::from_millis(self.now), self.interface, packet, None).unwrap();
    }

    pub(crate) fn tcp(&mut self, from: &str, to: &str, bytes: &[u8]) {
        for packet in self.framer.tcp(address(from), address(to), bytes).unwrap() {
            self.writer.packet(Duration::from_millis(self.now), self.interface, packet, None).unwrap();
        }
    }

    /// An IP packet as it is.
    pub(crate) fn raw(&mut self, packet: &[u8]) {
        self.writer.packet(Duration::from_millis(self.now), self.interface, packet, None).unwrap();
    }

    /// One packet of RTP, and 20 ms.
    pub(crate) fn rtp(&mut self, from: &str, to: &str, (payload_type, ssrc): (u8, u32), sequence: u16) {
        self.udp(from, to, &rtp(payload_type, ssrc, sequence));
        self.now += 20;
    }

    pub(crate) fn file(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    pub(crate) fn analysis(self) -> Analysis {
        let analysis = analyze(self.file().as_slice());
        assert_eq!(analysis.error, None);
        analysis
    }
}

pub(crate) fn rtp(payload_type: u8, ssrc: u32, sequence: u16) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let head = [&[0x80, payload_type], sequence.to_be_bytes().as_slice(), &timestamp.to_be_bytes()].concat();
    [head.as_slice(), &ssrc.to_be_bytes(), &[0xD5; 160]].concat()
}

/// The parts of a message of one call.
#[derive(Clone)]
pub(crate) struct Dialog {
    pub(crate) call_id: &'static str,
    /// Tags of caller and callee.
    pub(crate) tags: (&'static str, &'static str),
}

pub(crate) const DIALOG: Dialog = Dialog { call_id: "one@192.0.2.1", tags: ("a1", "b1") };

impl Dialog {
    pub(crate) fn request(&self, method: &str, cseq: u32, to_tag: bool, sdp: &str) -> Vec<u8> {
        let line = format!("{method} sip:bob@198.51.100.2 SIP/2.0");
        self.message(&line, method, cseq, (true, to_tag), sdp)
    }

    /// A request from the callee.
    pub(crate) fn backwards(&self, method: &str, cseq: u32) -> Vec<u8> {
        let line = format!("{method} sip:alice@192.0.2.1 SIP/2.0");
        self.message(&line, method, cseq, (false, true), "")
    }

    pub(crate) fn response(&self, status: &str, method: &str, cseq: u32, sdp: &str) -> Vec<u8> {
        self.message(&format!("SIP/2.0 {status}"), method, cseq, (true, true), sdp)
    }

    fn message(
        &self,
        line: &str,
        method: &str,
        cseq: u32,
        (from_caller, to_tag): (bool, bool),
        sdp: &str,
    ) -> Vec<u8> {
        let caller = ("sip:alice@192.0.2.1", self.tags.0);
        let callee = ("sip:bob@198.51.100.2", self.tags.1);
        let (from, to) = if from_caller { (caller, callee) } else { (callee, caller) };
        let to_tag = if to_tag { format!(";tag={}", to.1) } else { String::new() };
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{line}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{cseq}{method}\r\nFrom: \"A\" <{}>;tag={}\r\n\
             To: <{}>{to_tag}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            from.0,
            from.1,
            to.0,
            self.call_id,
            sdp.len()
        )
        .into_bytes()
    }
}

/// A description with one audio stream at an address.
pub(crate) fn sdp(address: &str, formats: &str, maps: &[&str]) -> String {
    let at: SocketAddr = address.parse().unwrap();
    let family = if at.is_ipv4() { "IP4" } else { "IP6" };
    let maps: String = maps.iter().map(|map| format!("a=rtpmap:{map}\r\n")).collect();
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {} RTP/AVP {formats}\r\n{maps}",
        at.port(),
        ip = at.ip()
    )
}
