//! The lab Asterisk keeps its contract: the ports, extensions and test numbers that all other tests
//! rely on.

use crate::probe::{Probe, lab_port};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn connect(variable: &str, default: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", lab_port(variable, default))).expect("the lab listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

#[test]
fn ami_takes_the_login_and_tells_version_22() {
    let mut stream = connect("OFFHOOK_LAB_AMI_PORT", 5138);
    let login = "Action: Login\r\nUsername: offhook\r\nSecret: offhook-lab\r\nEvents: off\r\n\r\n";
    stream.write_all(format!("{login}Action: CoreSettings\r\n\r\n").as_bytes()).unwrap();
    let lines = BufReader::new(stream).lines().map(|line| line.expect("AMI answers"));
    let version = lines.into_iter().find(|line| line.starts_with("AsteriskVersion: ")).expect("a version");
    assert!(version.starts_with("AsteriskVersion: 22."), "{version}");
}

#[test]
fn ari_lists_the_ten_extensions() {
    let mut stream = connect("OFFHOOK_LAB_ARI_PORT", 8188);
    // offhook:offhook-lab
    let credentials = "b2ZmaG9vazpvZmZob29rLWxhYg==";
    let request = format!(
        "GET /ari/endpoints HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("ARI answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for extension in 6001..=6010 {
        assert!(
            answer.contains(&format!("\"resource\":\"{extension}\"")),
            "{extension} is missing: {answer}"
        );
    }
}

#[test]
fn options_is_answered_over_tcp_too() {
    let mut stream = connect("OFFHOOK_LAB_SIP_PORT", 5070);
    let local = stream.local_addr().unwrap();
    let request = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKtcp\r\nMax-Forwards: 70\r\n\
         From: <sip:6001@127.0.0.1>;tag=tcp\r\nTo: <sip:127.0.0.1>\r\nCall-ID: tcp-{local}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = String::new();
    BufReader::new(stream).read_line(&mut first).expect("an answer");
    assert_eq!(first.trim_end(), "SIP/2.0 401 Unauthorized");
}

#[test]
fn options_with_credentials_is_answered_200() {
    let probe = Probe::new("6001", "secret6001");
    assert_eq!(probe.codes("OPTIONS", "", true), [401, 200]);
}

#[test]
fn an_extension_registers_with_its_password_only() {
    assert_eq!(Probe::new("6010", "secret6010").codes("REGISTER", "", true), [401, 200]);
    assert_eq!(Probe::new("6010", "secret").codes("REGISTER", "", true), [401, 401]);
    assert_eq!(Probe::new("7777", "secret7777").codes("REGISTER", "", true), [401, 401]);
}

#[test]
fn the_test_numbers_answer_as_documented() {
    let probe = Probe::new("6001", "secret6001");
    for (number, codes) in [
        ("600", &[401, 200][..]),
        ("601", &[401, 200]),
        ("602", &[401, 200]),
        ("603", &[401, 200]),
        ("604", &[401, 183, 200]),
        ("606", &[401, 486]),
        ("607", &[401, 503]),
        ("608", &[401, 180, 200]),
        ("609", &[401, 200]),
        ("610", &[401, 404]),
        ("6009", &[401, 480]),
        ("6011", &[401, 404]),
        ("12345", &[401, 404]),
    ] {
        assert_eq!(probe.codes("INVITE", number, true), codes, "{number}");
    }
}

#[test]
fn a_call_without_credentials_is_challenged() {
    assert_eq!(Probe::new("6001", "").codes("INVITE", "600", false), [401]);
}
