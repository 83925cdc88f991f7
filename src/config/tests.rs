//! Tests of the configuration files, by claim.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::*;
use crate::{event::Transport, id::PhoneId, secret::Secret};

fn phones(text: &str) -> Result<PhonesProfile, ProfileError> {
    PhonesProfile::parse(text, Path::new("/config/phones.yaml"))
}

fn phone(text: &str) -> PhoneId {
    text.parse().unwrap()
}

#[test]
fn an_entry_is_laid_over_the_defaults_key_by_key() {
    let profile = phones(
        "defaults:\n  domain: pbx.example:5070\n  password: s3cret\n  codecs: [PCMA, PCMU]\n  auto_answer: true\n\
         other: ignored\n\
         phones:\n  - phone_id: a\n    username: '1001'\n  - phone_id: b\n    username: '1002'\n    codecs: [PCMU]\n    \
         auto_answer: false\n    transport: TCP\n    realm: '*'\n    register: no\n  - {phone_id: c, username: u, codecs: ~}\n",
    )
    .unwrap();
    assert!(profile.errors.is_empty());
    let [a, b, c] = profile.phones.as_slice() else { panic!("{profile:?}") };
    assert_eq!(
        (a.phone.as_str(), a.spec.domain.as_str(), a.spec.username.as_str()),
        ("a", "pbx.example:5070", "1001")
    );
    assert_eq!(a.password.reveal(), "s3cret");
    assert_eq!((a.spec.auto_answer, a.spec.register, a.spec.transport), (true, true, Transport::Udp));
    assert_eq!(a.spec.codecs, Some(vec!["PCMA".to_owned(), "PCMU".to_owned()]));
    assert_eq!(b.spec.codecs, Some(vec!["PCMU".to_owned()]));
    assert_eq!((b.spec.auto_answer, b.spec.register, b.spec.transport), (false, false, Transport::Tcp));
    assert_eq!((b.spec.transport_text.as_deref(), b.spec.realm.as_deref()), (Some("TCP"), None));
    assert_eq!(c.spec.codecs, None, "a null that is written wins");
}

#[test]
fn unquoted_numbers_are_taken_as_they_are_written() {
    let text = "phones:\n  - {phone_id: 7, domain: x, username: 0042, password: 1e3, local_port: 5071}\n";
    let profile = phones(text).unwrap();
    let seven = &profile.phones[0];
    assert_eq!(
        (seven.phone.as_str(), seven.spec.username.as_str(), seven.password.reveal().as_str()),
        ("7", "0042", "1e3")
    );
    assert_eq!(seven.spec.local_port, 5071);
}

#[test]
fn each_fault_of_a_phones_file_has_the_words_that_clients_look_for() {
    let entry = "phone_id: a, domain: x, username: u";
    for (text, words) in [
        ("- a\n".to_owned(), vec!["top level must be a mapping"]),
        ("defaults: 3\nphones: [{}]\n".to_owned(), vec!["'defaults' must be a mapping"]),
        ("phones: 3\n".to_owned(), vec!["'phones' must be a list"]),
        ("defaults: {}\n".to_owned(), vec!["'phones' must be a list"]),
        ("phones: []\n".to_owned(), vec!["empty"]),
        ("phones:\n  - 3\n".to_owned(), vec!["phones[0] must be a mapping", "line 2"]),
        (format!("phones:\n  - {{{entry}}}\n"), vec!["password", "required", "line 2"]),
        (format!("phones:\n  - {{{entry}, password: ''}}\n"), vec!["password"]),
        (
            format!("phones:\n  - {{{entry}, password: p, pasword: q}}\n"),
            vec!["unknown", "pasword", "recording_enabled"],
        ),
        (
            format!("defaults: {{colour: 1}}\nphones:\n  - {{{entry}, password: p}}\n"),
            vec!["unknown", "colour"],
        ),
        (
            format!("phones:\n  - {{{entry}, password: p}}\n  - {{{entry}, password: p}}\n"),
            vec!["duplicate", "'a'", "line 3"],
        ),
        ("phones: [\n".to_owned(), vec!["line"]),
        (format!("phones:\n  - {{{entry}, password: p, srtp: maybe}}\n"), vec!["line 2"]),
        (format!("phones:\n  - {{{entry}, password: p, local_port: 70000}}\n"), vec!["line 2"]),
    ] {
        let message = phones(&text).unwrap_err().to_string();
        assert!(message.starts_with("/config/phones.yaml: "), "{message}");
        for word in words {
            assert!(message.contains(word), "{text:?} gave {message:?}, which lacks {word:?}");
        }
    }
    let missing = PhonesProfile::load(Path::new("/nowhere/phones.yaml")).unwrap_err().to_string();
    assert_eq!(missing, "Profile not found: /nowhere/phones.yaml");
    let endless = PhonesProfile::load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert_eq!(endless, "/dev/zero: it is no regular file");
}

#[test]
fn a_phone_that_is_wrong_by_itself_does_not_spoil_the_others() {
    let profile = phones(
        "defaults: {domain: x, username: u, password: p, recordings_dir: /old}\n\
         phones: [{phone_id: A-1}, {phone_id: ok}, {phone_id: t, transport: sctp}]\n",
    )
    .unwrap();
    assert_eq!(profile.phones.len(), 1);
    let errors: Vec<_> = profile.errors.iter().map(|e| (e.phone_id.as_str(), e.error.as_str())).collect();
    assert_eq!(
        errors,
        [
            ("A-1", "phone_id 'A-1' invalid — must match ^[a-z0-9_]{1,32}$"),
            ("t", "Unsupported transport: 'sctp' (use udp/tcp)"),
        ]
    );
}

#[test]
fn no_error_of_a_phones_file_quotes_a_password() {
    for text in [
        "phones:\n  - phone_id: a\n    password: hunter2\n    srtp: [\n",
        "phones:\n  - phone_id: a\n    password: hunter2\n    username: u\n",
        "phones:\n  - phone_id: a\n    domain: x\n    username: u\n    password: hunter2\n    srtp: maybe\n",
        "phones:\n  - phone_id: a\n    domain: x\n    username: u\n    password: [hunter2]\n",
        "phones: [{password: hunter2, phone_id: a\n",
    ] {
        let error = phones(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

fn pbx(text: &str) -> Result<PbxProfile, PbxProfileError> {
    let environment = |name: &str| (name == "PBX_PASSWORD").then(|| "from the environment".to_owned());
    PbxProfile::parse(text, Path::new("pbx.yaml"), &environment)
}

#[test]
fn a_pbx_profile_gives_accounts_in_order_and_numbers_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "from a file\r\n").unwrap();
    let path = folder.path().join("pbx.yaml");
    fs::write(
        &path,
        "domain: 127.0.0.1:5070\ntransport: tcp\naccounts:\n  - {username: 6001, password: plain}\n  \
         - {username: '6002', password_file: secret}\nnumbers: {echo: 600, busy: '606'}\n",
    )
    .unwrap();
    let profile = PbxProfile::load(&path).unwrap();
    assert_eq!((profile.domain.as_str(), profile.transport), ("127.0.0.1:5070", Transport::Tcp));
    let accounts: Vec<_> =
        profile.accounts.iter().map(|a| (a.username.as_str(), a.password.reveal().as_str())).collect();
    assert_eq!(accounts, [("6001", "plain"), ("6002", "from a file")]);
    assert_eq!(
        (profile.number("echo"), profile.number("busy"), profile.number("x")),
        (Some("600"), Some("606"), None)
    );

    let from_environment =
        pbx("domain: x\naccounts: [{username: a, password: '${PBX_PASSWORD}'}]\n").unwrap();
    assert_eq!(from_environment.accounts[0].password.reveal(), "from the environment");
}

#[test]
fn each_fault_of_a_pbx_profile_is_named() {
    for (text, words) in [
        ("accounts: []\n", "domain"),
        ("domain: ''\n", "'domain' is empty"),
        ("domain: x\ncolour: red\n", "colour"),
        ("domain: x\naccounts: [{username: a}]\n", "accounts[0] needs either 'password' or 'password_file'"),
        ("domain: x\naccounts: [{username: a, password: p, password_file: f}]\n", "accounts[0] needs either"),
        (
            "domain: x\naccounts: [{username: a, password: '${NOT_SET}'}]\n",
            "environment variable 'NOT_SET' is not set",
        ),
        ("domain: x\naccounts: [{username: a, password_file: /nowhere/f}]\n", "/nowhere/f"),
        ("domain: x\ntransport: sctp\n", "sctp"),
    ] {
        let message = pbx(text).unwrap_err().to_string();
        assert!(message.starts_with("pbx.yaml: ") && message.contains(words), "{text:?} gave {message:?}");
    }
}

#[test]
fn passwords_come_back_and_only_their_owner_can_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.json");
    let mut credentials = Credentials::open(folder.path()).unwrap();
    assert!(!file.exists());
    credentials.set(phone("a"), Secret::new("hunter2".into())).unwrap();
    credentials.set(phone("b"), Secret::new("other".into())).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!format!("{credentials:?}").contains("hunter2"));

    let mut again = Credentials::open(folder.path()).unwrap();
    assert_eq!(again.get(&phone("a")).map(|p| p.reveal().as_str()), Some("hunter2"));
    again.remove(&phone("a")).unwrap();
    assert!(!fs::read_to_string(&file).unwrap().contains("hunter2"));
    assert_eq!(Credentials::open(folder.path()).unwrap().get(&phone("a")), None);
    let left: Vec<PathBuf> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [file], "no temporary file stays");
}

#[test]
fn credentials_open_to_others_are_closed_and_damaged_ones_refused_without_quoting_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.json");
    fs::write(&file, "{\"passwords\": {\"a\": \"hunter2\"}}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    Credentials::open(folder.path()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for damaged in
        ["{\"passwords\": {\"a\": \"hunter2\"", "{}", "[\"hunter2\"]", "{\"passwords\": \"hunter2\"}"]
    {
        fs::write(&file, damaged).unwrap();
        let error = Credentials::open(folder.path()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_password_that_could_not_be_written_is_neither_kept_nor_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (file, obstacle) =
        (folder.path().join("credentials.json"), folder.path().join("credentials.json.tmp"));
    let kept = || Credentials::open(folder.path()).unwrap();
    let mut credentials = kept();
    credentials.set(phone("a"), Secret::new("first".into())).unwrap();

    // There is a folder where the new file would be written, so no write succeeds.
    fs::create_dir_all(obstacle.join("full")).unwrap();
    credentials.set(phone("b"), Secret::new("second".into())).unwrap_err();
    assert_eq!(credentials.get(&phone("b")), None);
    credentials.set(phone("b"), Secret::new("second".into())).unwrap_err();
    credentials.remove(&phone("a")).unwrap_err();
    assert_eq!(credentials.get(&phone("a")).map(|p| p.reveal().as_str()), Some("first"));
    credentials.remove(&phone("a")).unwrap_err();
    assert!(fs::read_to_string(&file).unwrap().contains("first"));

    // What was reported as on disk, or removed from it, is.
    fs::remove_dir_all(&obstacle).unwrap();
    credentials.set(phone("b"), Secret::new("second".into())).unwrap();
    assert_eq!(kept().get(&phone("b")).map(|p| p.reveal().as_str()), Some("second"));
    credentials.remove(&phone("a")).unwrap();
    assert_eq!(kept().get(&phone("a")), None);
}
