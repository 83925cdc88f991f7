//! Digest vectors: RFC 2617 §3.5 (and 2069 by its erratum), RFC 7616 §3.9.1 and §3.9.2; the rest were computed
//! with another implementation (Python's hashlib) for every algorithm and quality of protection.

use crate::cast::{Guard, call, finish, pair, registration};
use crate::solo::Solo;
use offhook_sip::auth::digest::{Algorithm, Challenge, Inputs, Qop, Target, answer, ha1, response};
use offhook_sip::auth::{Challenger, Credentials, Secret, Verdict};
use offhook_sip::message::{AuthParams, HeaderName, Message, Method, StatusCode};
use offhook_sip::testkit::{Network, SDP, Side, epoch};
use offhook_sip::user_agent::{Body, Destination};
use std::time::Duration;

const NONCE: &str = "dcd98b7102dd2f0e8b11d0f600bfb0c093";

fn parse(value: &str) -> AuthParams {
    AuthParams::parse_all(value).unwrap().remove(0)
}

#[test]
fn the_example_of_rfc_2617() {
    let key = ha1(Algorithm::MD5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    let inputs = Inputs {
        algorithm: Algorithm::MD5,
        ha1: &key,
        nonce: NONCE,
        qop: Some((Qop::Auth, 1)),
        cnonce: "0a4f113b",
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    };
    assert_eq!(response(&inputs), "6629fae49393a05397450978507c4ef1");
    // RFC 2069 as corrected: no qop, and the password without spaces.
    let key = ha1(Algorithm::MD5, "Mufasa", "testrealm@host.com", "CircleOfLife");
    assert_eq!(response(&Inputs { ha1: &key, qop: None, ..inputs }), "1949323746fe6a43ef61f9606e7febea");
}

#[test]
fn the_examples_of_rfc_7616() {
    for (algorithm, expected) in [
        (Algorithm::MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm::SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let inputs = Inputs {
            algorithm,
            ha1: &ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life"),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some((Qop::Auth, 1)),
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        };
        assert_eq!(response(&inputs), expected, "{}", algorithm.as_str());
    }
    // §3.9.2 prints ae66e67d…, which erratum 4897 disputes: it is SHA-512 cut to 256 bits, not SHA-512/256.
    let inputs = Inputs {
        algorithm: Algorithm::SHA_512_256,
        ha1: &ha1(Algorithm::SHA_512_256, "Jäsøn Doe", "api@example.org", "Secret, or not?"),
        nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        qop: Some((Qop::Auth, 1)),
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        method: "GET",
        uri: "/doe.json",
        body: b"",
    };
    assert_eq!(response(&inputs), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

#[test]
fn every_algorithm_with_every_quality_of_protection() {
    let plain = [
        (
            "MD5",
            "bf57e4e0d0bffc0fbaedce64d59add5e",
            "da61920429f958b1fe4eb4f5eebbc2cf",
            "9855c80e3610fac8933f2c676a44cb4b",
        ),
        (
            "MD5-sess",
            "fff17611bcbbf00c9116a2c922dea8e1",
            "c0a5870829c575198432ba651b8a41de",
            "00ee96738abb1ce19ad845eae2775d15",
        ),
        (
            "SHA-256",
            "38aad98c50c33abe72c5f88dd17246ffcfa6b1f68852c855719ff0659386c0ca",
            "a0e65c11fd66ca05992cce3870640a3bf3b9cbec4819ab4d69d0065c2133db16",
            "a2ec5c104d4e195ec9e0c8aecf6f20cf4a692a670134289d0bcee973e8a6f7fd",
        ),
        (
            "SHA-256-sess",
            "2ceb74b5bf787a27f00a80b94f397228de1a9bab1c3c56b7c6f984cf9f3ffdf7",
            "8a60b78646a6e353ae8f4bfb727dca7b5f00f7f94f9ff2fc2aff7e192999cc04",
            "7dcf1cf1b00925794110d603812151ab9c4ca20a747c9d6c4a97fdc321ca8445",
        ),
        (
            "SHA-512-256",
            "9e960b3a01beb63f1ea5d45d43bd8a2178879d3c9ddbbdb0624187ca823c6eca",
            "34537ce18a10282477c41f27afb9e7e07ae92c80308a4064b5e2acdb5fed50f4",
            "5f6809882d8dac6dbbfec4269a94455035ebe0945d1dedcaced61f8e5ca08044",
        ),
        (
            "SHA-512-256-sess",
            "10f52db7e2818a98871fd94294a2593a22eeaf07e23dad0b2bb52694442db5dd",
            "5c0c917e253d4a780e6d74d73289871f2f438a8e4c4282dd44c3c08912c59022",
            "af6b68faaa8a05d5ea6dd24a13d627408fd16e36e90d74a0c567d1484cbb3ee0",
        ),
    ];
    for (name, none, auth, auth_int) in plain {
        let algorithm = Algorithm::parse(name).unwrap();
        assert_eq!(algorithm.as_str(), name);
        for (qop, expected) in
            [(None, none), (Some((Qop::Auth, 10)), auth), (Some((Qop::AuthInt, 10)), auth_int)]
        {
            let inputs = Inputs {
                algorithm,
                ha1: &ha1(algorithm, "bob", "biloxi.com", "zanzibar"),
                nonce: NONCE,
                qop,
                cnonce: "0a4f113b",
                method: "INVITE",
                uri: "sip:bob@biloxi.com",
                body: b"v=0\r\n",
            };
            assert_eq!(response(&inputs), expected, "{name} {qop:?}");
        }
    }
}

#[test]
fn an_answer_says_what_it_was_computed_from() {
    let value =
        "Digest realm=\"r \\\"q\\\"\", nonce=\"n\", opaque=\"o\", algorithm=SHA-256, qop=\"auth-int,auth\"";
    let challenge = Challenge::from_params(&parse(value)).unwrap();
    let target = Target { method: "INVITE", uri: "sip:bob@192.0.2.2", body: b"" };
    let text = answer(&challenge, &Credentials::new("alice", "secret"), &target, 26, "c");
    let params = parse(&text);
    let get = |name: &str| params.get(name).unwrap_or("absent").to_owned();
    assert_eq!(get("realm"), "r \"q\"");
    assert_eq!((get("qop"), get("nc"), get("opaque")), ("auth".into(), "0000001a".into(), "o".into()));
    assert!(
        text.contains("nc=0000001a") && text.contains("algorithm=SHA-256,") && text.contains("qop=auth,")
    );
    // RFC 2617: the algorithm is named only where the challenge named it; without qop there is no nc.
    let challenge = Challenge::from_params(&parse("Digest realm=\"r\", nonce=\"n\"")).unwrap();
    let text = answer(&challenge, &Credentials::new("alice", "secret"), &target, 1, "c");
    assert!(!text.contains("algorithm") && !text.contains("nc=") && !text.contains("cnonce"), "{text}");
}

#[test]
fn challenges_that_cannot_be_answered_are_passed_over() {
    for value in [
        "Basic realm=\"r\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA3-512",
        "Digest realm=\"r\", nonce=\"n\", qop=\"token\"",
        "Digest realm=\"r\"",
    ] {
        assert_eq!(Challenge::from_params(&parse(value)), None, "{value}");
    }
}

#[test]
fn a_challenger_knows_right_from_wrong_and_fresh_from_stale() {
    let now = epoch();
    let mut challenger = Challenger::new("lab", 1);
    let secret = |user: &str| (user == "alice").then(|| Secret::Password("secret".to_owned()));
    let target = Target { method: "REGISTER", uri: "sip:lab", body: b"" };
    let challenge = Challenge::from_params(&parse(&challenger.issue(now, false))).unwrap();
    let good = Credentials::new("alice", "secret");
    let first = parse(&answer(&challenge, &good, &target, 1, "c"));
    let mut verify =
        |at, answer: Option<&AuthParams>, method: &str| challenger.verify(at, answer, method, b"", secret);
    assert_eq!(verify(now, None, "REGISTER"), Verdict::Missing);
    assert_eq!(verify(now, Some(&first), "INVITE"), Verdict::Wrong);
    assert_eq!(verify(now, Some(&first), "REGISTER"), Verdict::Ok("alice".to_owned()));
    // The same count again is a replay.
    assert_eq!(verify(now, Some(&first), "REGISTER"), Verdict::Stale);
    let second = parse(&answer(&challenge, &good, &target, 2, "c"));
    assert_eq!(verify(now, Some(&second), "REGISTER"), Verdict::Ok("alice".to_owned()));
    let late = parse(&answer(&challenge, &good, &target, 3, "c"));
    assert_eq!(verify(now + Duration::from_secs(301), Some(&late), "REGISTER"), Verdict::Stale);
    let wrong = parse(&answer(&challenge, &Credentials::new("alice", "guess"), &target, 4, "c"));
    assert_eq!(verify(now, Some(&wrong), "REGISTER"), Verdict::Wrong);
    let stranger = parse(&answer(&challenge, &Credentials::new("mallory", "secret"), &target, 5, "c"));
    assert_eq!(verify(now, Some(&stranger), "REGISTER"), Verdict::UnknownUser("mallory".to_owned()));
    let mut elsewhere = challenge;
    elsewhere.realm = "other".to_owned();
    let elsewhere = parse(&answer(&elsewhere, &good, &target, 6, "c"));
    assert_eq!(verify(now, Some(&elsewhere), "REGISTER"), Verdict::Wrong);
}

#[test]
fn a_stored_hash_serves_instead_of_the_password() {
    let now = epoch();
    for (algorithm, qop) in [
        (Algorithm::SHA_256, Some(Qop::AuthInt)),
        (Algorithm::SHA_512_256, Some(Qop::Auth)),
        (Algorithm::MD5, None),
    ] {
        let mut challenger = Challenger::new("lab", 1);
        challenger.algorithm = algorithm;
        challenger.qop = qop;
        let challenge = Challenge::from_params(&parse(&challenger.issue(now, true))).unwrap();
        assert!(challenge.stale);
        let target = Target { method: "MESSAGE", uri: "sip:lab", body: b"hello" };
        let answered = parse(&answer(&challenge, &Credentials::new("alice", "secret"), &target, 1, "c"));
        let secret = |_: &str| Some(Secret::Ha1(ha1(algorithm, "alice", "lab", "secret")));
        let verdict = challenger.verify(now, Some(&answered), "MESSAGE", b"hello", secret);
        assert_eq!(verdict, Verdict::Ok("alice".to_owned()));
        let tampered = challenger.verify(now, Some(&answered), "MESSAGE", b"hacked", secret);
        let caught = if qop == Some(Qop::AuthInt) { Verdict::Wrong } else { Verdict::Stale };
        let caught = if qop.is_none() { Verdict::Ok("alice".to_owned()) } else { caught };
        assert_eq!(tampered, caught, "{}", algorithm.as_str());
    }
}

#[test]
fn a_call_and_its_bye_use_one_nonce_with_rising_counts() {
    let mut pair = pair(Network::default());
    let mut guard = Guard::registrar();
    guard.methods = vec![Method::Invite];
    pair.script(Side::B, guard);
    let invite = call(&pair);
    let id = pair.act(Side::A, |agent, now| agent.invite(now, invite));
    pair.drive_for(Duration::from_secs(1)).unwrap();
    pair.act(Side::A, |agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    finish(&mut pair);
    let messages = pair.sent.iter().filter_map(|sent| sent.message.clone());
    let counts: Vec<(String, String)> = messages
        .filter_map(|message| {
            let params = message.authorization().ok()?.into_iter().next()?;
            Some((message.method().to_string(), params.get("nc")?.to_owned()))
        })
        .collect();
    let expected = [("INVITE", "00000001"), ("ACK", "00000001"), ("BYE", "00000002")];
    assert_eq!(counts, expected.map(|(method, count)| (method.to_owned(), count.to_owned())));
}

/// Registers, answers every REGISTER with the next challenge, and returns the last request.
fn challenged(challenges: &[&[(HeaderName, &str)]]) -> (usize, Message) {
    let mut solo = Solo::new();
    let pair = pair(Network::default());
    let what = registration(&pair);
    solo.act(|agent, now| agent.register(now, what));
    for headers in challenges {
        let request = solo.last().clone();
        let reply = request.response_to(StatusCode::UNAUTHORIZED, None).to_tag("x");
        let reply = headers.iter().fold(reply, |reply, (name, value)| reply.header(name.clone(), value));
        solo.receive(&reply.build());
    }
    (solo.sent.len(), solo.last().clone())
}

const WWW: HeaderName = HeaderName::WwwAuthenticate;

#[test]
fn the_strongest_of_several_challenges_is_answered() {
    let (_, request) = challenged(&[&[
        (WWW, "Digest realm=\"r\", nonce=\"1\", algorithm=MD5"),
        (WWW, "Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256"),
        (WWW, "Digest realm=\"r\", nonce=\"3\", algorithm=SHA3-256"),
    ]]);
    let answers = request.authorization().unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].get("nonce"), Some("2"));
}

#[test]
fn a_proxy_and_a_server_are_both_answered() {
    let (sent, request) = challenged(&[
        &[(HeaderName::ProxyAuthenticate, "Digest realm=\"p\", nonce=\"1\"")],
        &[(WWW, "Digest realm=\"s\", nonce=\"2\"")],
    ]);
    assert_eq!(sent, 3);
    assert!(request.has(HeaderName::Authorization) && request.has(HeaderName::ProxyAuthorization));
}

#[test]
fn a_stale_nonce_is_replaced_once_and_a_refusal_is_final() {
    let fresh: &[(HeaderName, &str)] = &[(WWW, "Digest realm=\"r\", nonce=\"1\"")];
    let stale: &[(HeaderName, &str)] = &[(WWW, "Digest realm=\"r\", nonce=\"2\", stale=true")];
    assert_eq!(challenged(&[fresh]).0, 2);
    assert_eq!(challenged(&[fresh, fresh]).0, 2);
    let (sent, request) = challenged(&[fresh, stale]);
    assert_eq!(sent, 3);
    assert_eq!(request.authorization().unwrap()[0].get("nonce"), Some("2"));
    assert_eq!(challenged(&[fresh, stale, stale]).0, 3);
    assert_eq!(challenged(&[fresh, stale, fresh]).0, 3);
}

#[test]
fn nothing_prints_a_password() {
    let credentials = Credentials::new("alice", "pa55-w0rd");
    let mut what = registration(&pair(Network::default()));
    what.credentials = Some(credentials.clone());
    let text = format!("{credentials:?} {what:?} {:?}", Secret::Password("pa55-w0rd".to_owned()));
    assert!(!text.contains("pa55-w0rd"), "{text}");
}

/// Challenges what was sent last, from another realm each time, until it is not sent again; returns how often it was.
fn rounds(solo: &mut Solo) -> usize {
    for round in 0..20 {
        let (before, request) = (solo.sent.len(), solo.last().clone());
        let (status, header) = match round % 2 {
            0 => (StatusCode::UNAUTHORIZED, WWW),
            _ => (StatusCode::PROXY_AUTHENTICATION_REQUIRED, HeaderName::ProxyAuthenticate),
        };
        let challenge = format!("Digest realm=\"r{round}\", nonce=\"n\"");
        solo.receive(&request.response_to(status, None).to_tag("x").header(header, challenge).build());
        // An ACK is none.
        if !solo.sent[before..].iter().any(|(_, sent)| sent.method() == request.method()) {
            return round;
        }
    }
    20
}

#[test]
fn ever_new_realms_are_answered_for_five_rounds_whatever_is_asked() {
    let mut solo = Solo::new();
    solo.call(true);
    assert_eq!(rounds(&mut solo), 5);
    let what = crate::requesting::message(Destination::udp(crate::solo::peer()));
    solo.act(|agent, now| agent.request(now, what));
    assert_eq!(rounds(&mut solo), 5);
    for method in [Method::Info, Method::Invite, Method::Bye] {
        let mut solo = Solo::new();
        let (id, _) = solo.established();
        solo.act(|agent, now| {
            if method == Method::Invite {
                agent.reinvite(now, id, Body::sdp(SDP))
            } else if method == Method::Bye {
                agent.hang_up(now, id, Vec::new()).map(|_| ())
            } else {
                agent.send_in_dialog(now, id, Method::Info, Vec::new(), None).map(|_| ())
            }
        })
        .unwrap();
        assert_eq!(rounds(&mut solo), 5, "{method}");
    }
}
