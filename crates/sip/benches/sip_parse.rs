//! Messages per second on one core: parse, parse with typed headers, build; rsip 0.4.0 for
//! comparison.
//!
//! Each figure is the best of several rounds, so that a busy machine disturbs it least. Run with
//! `cargo bench -p offhook-sip`; under `cargo test` one short round shows that it still works.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench reports to a terminal"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use offhook_sip::message::{Builder, CSeq, HeaderName, Message, Method, NameAddr, Uri, Via};
use rsip::message::HeadersExt;
use rsip::prelude::{ToTypedHeader, UntypedHeader};

/// The allocator of the program (`src/main.rs`), so that the figures are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HEAD: &str = "INVITE sip:1002@pbx.example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bKPj7cQ1v2nEo9xW3\r\n\
Max-Forwards: 70\r\n\
From: \"Alice\" <sip:1001@pbx.example.com>;tag=Zk3e9c1aPq\r\n\
To: <sip:1002@pbx.example.com>\r\n\
Contact: <sip:1001@192.0.2.11:5060;ob>\r\n\
Call-ID: 9f1c2d7e-77aa-4c3b-a9de-0d5c8f0e1b22\r\n\
CSeq: 20001 INVITE\r\n\
Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS\r\n\
Supported: replaces, 100rel, timer, norefersub\r\n\
Session-Expires: 1800\r\n\
Min-SE: 90\r\n\
User-Agent: phone/1.0\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 285\r\n\r\n";

const SDP: &str = "v=0\r\no=- 3724394400 3724394405 IN IP4 192.0.2.11\r\ns=session\r\nb=AS:84\r\nt=0 0\r\na=X-nat:0\r\n\
m=audio 4002 RTP/AVP 0 8 101\r\nc=IN IP4 192.0.2.11\r\nb=TIAS:64000\r\na=rtcp:4003 IN IP4 192.0.2.11\r\na=sendrecv\r\n\
a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n";

const FROM: &str = "<sip:1001@pbx.example.com>;tag=Zk3e9c1aPq";
const VIA: &str = "SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bKPj7cQ1v2nEo9xW3";
const CALL_ID: &str = "9f1c2d7e-77aa-4c3b-a9de-0d5c8f0e1b22";

fn invite() -> Vec<u8> {
    let head = HEAD.replace("285", &SDP.len().to_string());
    format!("{head}{SDP}").into_bytes()
}

/// Returns calls per second: the best of `rounds`, each of about `target`.
fn rate(rounds: u32, target: Duration, mut work: impl FnMut()) -> f64 {
    let mut batch = 16_u32;
    let mut best = 0.0_f64;
    let mut round = 0;
    while round < rounds {
        let start = Instant::now();
        for _ in 0..batch {
            work();
        }
        let spent = start.elapsed();
        if spent < target / 2 {
            batch = batch.saturating_mul(2);
            continue;
        }
        best = best.max(f64::from(batch) / spent.as_secs_f64());
        round += 1;
    }
    best
}

/// What a message is built of.
struct Parts {
    uri: Uri,
    from: NameAddr,
    via: Via,
}

impl Parts {
    fn new() -> Self {
        Self {
            uri: Uri::sip("1002", "pbx.example.com", None).expect("a host"),
            from: FROM.parse().expect("an address"),
            via: VIA.parse().expect("a via"),
        }
    }

    fn build(&self) -> Message {
        let Self { uri, from, via } = self;
        Builder::request(Method::Invite, uri)
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, from)
            .header(HeaderName::To, format_args!("<{uri}>"))
            .header(HeaderName::CallId, CALL_ID)
            .header(HeaderName::CSeq, CSeq::new(20001, Method::Invite))
            .body("application/sdp", SDP)
            .build()
    }
}

/// The same for rsip.
struct RsipParts {
    uri: rsip::Uri,
    from: rsip::typed::From,
    via: rsip::typed::Via,
}

impl RsipParts {
    fn new() -> Self {
        Self {
            uri: "sip:1002@pbx.example.com".try_into().expect("a uri"),
            from: rsip::headers::From::new(FROM).typed().expect("an address"),
            via: rsip::headers::Via::new(VIA).typed().expect("a via"),
        }
    }

    fn build(&self) -> String {
        use rsip::headers::{CallId, ContentLength, ContentType, MaxForwards};
        let to = rsip::typed::To { display_name: None, uri: self.uri.clone(), params: Vec::new() };
        let cseq = rsip::typed::CSeq { seq: 20001, method: rsip::Method::Invite };
        let headers: Vec<rsip::Header> = vec![
            self.via.clone().into(),
            MaxForwards::from(70).into(),
            self.from.clone().into(),
            to.into(),
            CallId::new(CALL_ID).into(),
            cseq.into(),
            ContentType::new("application/sdp").into(),
            ContentLength::from(SDP.len() as u32).into(),
        ];
        let request = rsip::Request {
            method: rsip::Method::Invite,
            uri: self.uri.clone(),
            version: rsip::Version::V2,
            headers: headers.into(),
            body: SDP.into(),
        };
        rsip::SipMessage::from(request).to_string()
    }
}

fn typed(bytes: &[u8]) -> impl Sized {
    let message = Message::parse(bytes).expect("a message");
    let vias = message.top_via().expect("a via");
    (
        vias,
        message.from().unwrap(),
        message.to().unwrap(),
        message.cseq().unwrap(),
        message.contacts().unwrap(),
    )
}

fn rsip_typed(bytes: &[u8]) -> impl Sized {
    let message = rsip::SipMessage::try_from(bytes).expect("a message");
    let via = message.via_header().unwrap().clone().typed().expect("a via");
    let from = message.from_header().unwrap().clone().typed().expect("an address");
    let to = message.to_header().unwrap().clone().typed().expect("an address");
    let cseq = message.cseq_header().unwrap().clone().typed().expect("a number");
    let contact = message.contact_header().unwrap().clone().value().to_owned();
    (via, from, to, cseq, contact)
}

fn main() {
    // `cargo test --benches` runs this binary without `--bench`.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (rounds, target) =
        if measured { (7, Duration::from_millis(250)) } else { (1, Duration::from_millis(5)) };
    let bytes = invite();
    let whole = Message::parse(&bytes).expect("a message");
    assert_eq!(whole.examine(), []);
    let parsed = rsip::SipMessage::try_from(bytes.as_slice()).expect("a message");
    let (parts, rsip_parts) = (Parts::new(), RsipParts::new());
    assert_eq!(parts.build().to_string(), rsip_parts.build());
    assert_eq!(Builder::from_message(&whole).build().bytes(), whole.bytes());
    println!("INVITE with session description, {} bytes; messages per second, best of {rounds}", bytes.len());
    let ours = [
        rate(rounds, target, || drop(black_box(Message::parse(black_box(&bytes))))),
        rate(rounds, target, || drop(black_box(typed(black_box(&bytes))))),
        rate(rounds, target, || {
            drop(black_box(Message::parse(black_box(&bytes)).expect("a message").examine()));
        }),
        rate(rounds, target, || drop(black_box(Parts::new().build()))),
        rate(rounds, target, || drop(black_box(black_box(&parts).build()))),
        rate(rounds, target, || drop(black_box(Builder::from_message(black_box(&whole)).build()))),
    ];
    let write = || drop(black_box(black_box(&parsed).to_string()));
    let peer = [
        Some(rate(rounds, target, || {
            drop(black_box(rsip::SipMessage::try_from(black_box(bytes.as_slice()))));
        })),
        Some(rate(rounds, target, || drop(black_box(rsip_typed(black_box(&bytes)))))),
        None,
        Some(rate(rounds, target, write)),
        Some(rate(rounds, target, || drop(black_box(black_box(&rsip_parts).build())))),
        Some(rate(rounds, target, write)),
    ];
    let names = [
        "parse",
        "parse + 5 typed headers",
        "parse + examine everything",
        "build from texts (rsip: write a parsed one)",
        "build from typed values",
        "write a parsed one",
    ];
    for ((name, ours), peer) in names.into_iter().zip(ours).zip(peer) {
        match peer {
            Some(peer) => {
                println!("{name:<44} offhook {ours:>10.0}   rsip {peer:>10.0}   ratio {:.1}", ours / peer);
            }
            None => println!("{name:<44} offhook {ours:>10.0}"),
        }
    }
}
