//! The 49 messages of RFC 4475: what each must give, and that none is lost on the way.
//!
//! Every case is listed. A case that is wrong today is listed as `Gap` with its reason, and a gap that starts
//! to pass fails the test, so that the list can only shrink.

use std::collections::BTreeSet;
use std::path::PathBuf;

use offhook_sip::message::{Fault, HeaderName, Host, Message, Method, Rejected, StatusCode, validate};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is handed on.
    Accept,
    /// It is answered with this status.
    Answer(u16),
    /// It is dropped.
    Discard,
}

use Fate::{Accept, Answer, Discard};

/// Name, section, fate, and every defect that must be reported, in order.
type Case = (&'static str, &'static str, Fate, &'static [&'static str]);

const CASES: [Case; 49] = [
    ("wsinv", "3.1.1.1", Accept, &[]),
    ("intmeth", "3.1.1.2", Accept, &[]),
    ("esc01", "3.1.1.3", Accept, &[]),
    ("escnull", "3.1.1.4", Accept, &[]),
    ("esc02", "3.1.1.5", Accept, &[]),
    ("lwsdisp", "3.1.1.6", Accept, &[]),
    ("longreq", "3.1.1.7", Accept, &[]),
    ("dblreq", "3.1.1.8", Accept, &[]),
    ("semiuri", "3.1.1.9", Accept, &[]),
    ("transports", "3.1.1.10", Accept, &[]),
    ("mpart01", "3.1.1.11", Accept, &[]),
    ("unreason", "3.1.1.12", Accept, &[]),
    ("noreason", "3.1.1.13", Accept, &[]),
    ("badinv01", "3.1.2.1", Answer(400), &["Via: malformed parameter", "Contact: malformed parameter"]),
    ("clerr", "3.1.2.2", Answer(400), &["body is shorter than content length"]),
    ("ncl", "3.1.2.3", Answer(400), &["content length is not a number", "Content-Length: not a number"]),
    (
        "scalar02",
        "3.1.2.4",
        Answer(400),
        &[
            "CSeq: number out of range",
            "Max-Forwards: number out of range",
            "Expires: number out of range",
            "Contact: number out of range",
        ],
    ),
    (
        "scalarlg",
        "3.1.2.5",
        Discard,
        &["CSeq: number out of range", "Retry-After: number out of range", "Warning: number out of range"],
    ),
    ("quotbal", "3.1.2.6", Answer(400), &["To: unbalanced quote or angle bracket"]),
    ("ltgtruri", "3.1.2.7", Answer(400), &["request uri: no valid scheme"]),
    ("lwsruri", "3.1.2.8", Answer(400), &["request uri: character that no uri may contain"]),
    ("lwsstart", "3.1.2.9", Accept, &["white space in the start line"]),
    ("trws", "3.1.2.10", Accept, &["white space in the start line"]),
    ("escruri", "3.1.2.11", Answer(400), &["request uri with headers"]),
    ("baddate", "3.1.2.12", Accept, &["Date: malformed date"]),
    ("regbadct", "3.1.2.13", Answer(400), &["Contact: uri needs angle brackets"]),
    ("badaspec", "3.1.2.14", Accept, &["To: white space inside angle brackets"]),
    (
        "baddn",
        "3.1.2.15",
        Answer(400),
        &[
            // The archive of the RFC has no empty line after the last header of this message.
            "header section is not ended by an empty line",
            "From: display name needs quotes",
            "To: display name needs quotes",
        ],
    ),
    ("badvers", "3.1.2.16", Answer(505), &["version other than SIP/2.0"]),
    ("mismatch01", "3.1.2.17", Answer(400), &["cseq names another method"]),
    ("mismatch02", "3.1.2.18", Answer(501), &["cseq names another method"]),
    ("bigcode", "3.1.2.19", Discard, &["status code is not three digits from 100 to 699"]),
    ("badbranch", "3.2.1", Accept, &["branch without content"]),
    (
        "insuf",
        "3.3.1",
        Answer(400),
        &[
            "From is missing",
            "To is missing",
            "Call-ID is missing",
            "Max-Forwards is missing",
            "Contact is missing",
        ],
    ),
    ("unkscm", "3.3.2", Answer(416), &[]),
    ("novelsc", "3.3.3", Answer(416), &[]),
    // The registrar answers 400, because it wants a SIP address of record; a user agent has no objection.
    ("unksm2", "3.3.4", Accept, &[]),
    // 420 is up to the user agent, which knows its extensions.
    ("bext01", "3.3.5", Accept, &[]),
    // 415 is up to the user agent, which knows its body types.
    ("invut", "3.3.6", Accept, &[]),
    ("regaut01", "3.3.7", Accept, &[]),
    (
        "multi01",
        "3.3.8",
        Answer(400),
        &[
            "From stands more than once",
            "To stands more than once",
            "Call-ID stands more than once",
            "CSeq stands more than once",
            "Max-Forwards stands more than once",
        ],
    ),
    ("mcl01", "3.3.9", Answer(400), &["Content-Length stands more than once"]),
    ("bcast", "3.3.10", Discard, &[]),
    ("zeromf", "3.3.11", Accept, &[]),
    ("cparam01", "3.3.12", Accept, &[]),
    ("cparam02", "3.3.13", Accept, &[]),
    ("regescrt", "3.3.14", Accept, &[]),
    // 406 is up to the user agent, which knows what it can describe.
    ("sdp01", "3.3.15", Accept, &[]),
    ("inv2543", "3.4.1", Accept, &["Max-Forwards is missing", "Contact is missing", "from without tag"]),
];

/// Cases that do not come out as listed above yet, each with its reason.
const GAPS: [(&str, &str); 0] = [];

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/rfc4475")
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.dat"))).unwrap()
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, ..)| *name)
}

fn message(name: &str) -> Message {
    Message::parse(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn fate(message: &Message) -> Fate {
    match validate(message) {
        Ok(()) => Accept,
        Err(Rejected::Answer { status, .. }) => Answer(status.code()),
        Err(Rejected::Discard { .. }) => Discard,
    }
}

#[test]
fn every_torture_message_meets_its_expectation() {
    let mut wrong = Vec::new();
    for (name, section, expected, defects) in CASES {
        let message = message(name);
        let found: Vec<String> = message.examine().iter().map(|defect| defect.what.to_string()).collect();
        let passes = fate(&message) == expected && found == defects;
        let gap = GAPS.iter().find(|(gap, _)| *gap == name);
        match (passes, gap) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => wrong.push(format!("{name} §{section}: {:?} {found:?}", fate(&message))),
            (true, Some((_, reason))) => wrong.push(format!("{name} passes now; it was a gap: {reason}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_torture_file_is_listed() {
    let listed: BTreeSet<String> = CASES.iter().map(|(name, ..)| format!("{name}.dat")).collect();
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let files: BTreeSet<String> =
        names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".dat")).collect();
    assert_eq!(listed, files);
}

#[test]
fn every_torture_message_is_rebuilt_from_its_headers_byte_by_byte() {
    for (name, ..) in CASES {
        let message = message(name);
        let mut rebuilt = message.start_line().to_vec();
        for field in message.headers() {
            rebuilt.extend_from_slice(field.line);
        }
        if !message.defects().iter().any(|defect| defect.what == Fault::Unterminated) {
            rebuilt.extend_from_slice(b"\r\n");
        }
        rebuilt.extend_from_slice(message.body());
        rebuilt.extend_from_slice(message.trailing());
        assert!(rebuilt == bytes(name), "{name} is not what was read");
    }
}

#[test]
fn a_tortuous_invite_is_understood() {
    let invite = message("wsinv");
    assert_eq!(invite.method(), Method::Invite);
    assert_eq!(invite.cseq().unwrap().number, 9);
    assert_eq!(invite.max_forwards().unwrap(), Some(68));
    assert_eq!(invite.to().unwrap().tag(), Some("1918181833n"));
    let from = invite.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(from.tag(), Some("98asjd8"));
    let vias = invite.vias().unwrap();
    let branches: Vec<_> = vias.iter().map(|via| via.branch().unwrap()).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    assert_eq!(vias[1].host, Host::Name("spindle.example.com".into()));
    let contacts = invite.contacts().unwrap();
    let contact = contacts.first().unwrap();
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert!(contact.params.contains("secondparam"));
    assert_eq!(contact.q(), Some(330));
    assert_eq!(invite.header(HeaderName::Subject).unwrap(), "");
    assert_eq!(
        invite.header("NewFangledHeader".into()).unwrap(),
        "newfangled value continued newfangled value"
    );
    assert!(invite.routes().unwrap()[0].uri.lr());
    assert_eq!(invite.body().len(), 150);
}

#[test]
fn percent_is_an_escape_only_in_uris() {
    let unusual = message("intmeth");
    assert_eq!(unusual.method().as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    let uri = unusual.request_uri().unwrap();
    assert_eq!(uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(unusual.to().unwrap().display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    assert_eq!(unusual.call_id().unwrap(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    let escaped = message("esc01");
    assert_eq!(escaped.request_uri().unwrap().user_decoded().unwrap(), "sips:user@example.com");
    assert_eq!(escaped.to().unwrap().uri.user_decoded().unwrap(), "user");
    let null = message("escnull");
    let contacts = null.contacts().unwrap();
    let users: Vec<_> = contacts.list().iter().map(|contact| contact.uri.user_decoded().unwrap()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
    assert!(!contacts.list()[0].uri.equivalent(&contacts.list()[1].uri));
    let no_escape = message("esc02");
    assert_eq!(no_escape.method(), Method::Extension("RE%47IST%45R".into()));
    assert_eq!(no_escape.contacts().unwrap().list().len(), 2);
    assert_eq!(no_escape.to().unwrap().display.as_deref(), Some("%Z%45"));
    let user = message("semiuri").request_uri().unwrap();
    assert_eq!(user.user_decoded().unwrap(), "user;par=u@example.net");
}

#[test]
fn octets_after_the_body_are_kept_apart() {
    let register = message("dblreq");
    assert_eq!(register.method(), Method::Register);
    assert_eq!(register.body(), b"");
    assert!(register.trailing().starts_with(b"\r\nINVITE sip:joe@example.com SIP/2.0\r\n"));
}

#[test]
fn a_binary_part_is_byte_exact() {
    let multipart = message("mpart01");
    let parts = multipart.parts().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].body, b"Hello");
    assert_eq!(parts[1].header(&HeaderName::ContentType), Some("application/octet-stream"));
    assert_eq!(parts[1].body.len(), 342);
    assert_eq!(parts[1].body[..4], [0x30, 0x82, 0x01, 0x52]);
    assert_eq!(multipart.sdp(), None);
}

#[test]
fn contact_parameters_belong_to_the_header_unless_bracketed() {
    let bare = message("cparam01").contacts().unwrap();
    assert!(bare.first().unwrap().params.contains("unknownparam"));
    assert_eq!(bare.first().unwrap().uri.params_text(), "");
    let bracketed = message("cparam02").contacts().unwrap();
    assert!(bracketed.first().unwrap().params.is_empty());
    assert_eq!(bracketed.first().unwrap().uri.param("unknownparam"), Some(""));
    let escaped = message("regescrt").contacts().unwrap();
    assert_eq!(escaped.first().unwrap().uri.header("route").as_deref(), Some("<sip:sip.example.com>"));
}

#[test]
fn a_reason_phrase_is_free_text() {
    let fancy = message("unreason");
    assert_eq!(fancy.status(), Some(StatusCode::OK));
    assert_eq!(fancy.reason().unwrap(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    let empty = message("noreason");
    assert_eq!(empty.status(), Some(StatusCode::TRYING));
    assert_eq!(empty.reason().unwrap(), "");
}
