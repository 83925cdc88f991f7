//! Tests of names and places, by claim.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use jiff::tz::{Offset, TimeZone};

use super::{listing::owner, *};
use crate::{event::Direction, id::CallId};

fn name() -> ArtifactName {
    ArtifactName {
        phone: "a".parse().unwrap(),
        call: Some(CallId(7)),
        at: "2026-01-02T23:04:05.000678Z".parse().unwrap(),
    }
}

fn sidecar(recording: &Path) -> Sidecar {
    Sidecar {
        phone_id: "a".into(),
        call_id: Some(7),
        direction: Direction::Outbound,
        started_at: "2026-01-02T23:04:05.000678+00:00".into(),
        ended_at: "2026-01-02T23:04:09+00:00".into(),
        duration: 4,
        codec: "PCMA".into(),
        remote_uri: "sip:600@pbx.example".into(),
        last_status: 200,
        last_status_text: "OK".into(),
        recording: recording.display().to_string(),
        pcap: None,
        local_rtp_port: Some(4000),
        remote_rtp_port: None,
    }
}

#[test]
fn a_recording_is_named_by_phone_call_and_local_time() {
    let here = ArtifactFolder::under(ArtifactKind::Recordings, Path::new("/recordings"));
    assert_eq!(here.path(&name()), Path::new("/recordings/a/call_7_20260102_230405_000678.wav"));
    let east = here.named_by(TimeZone::fixed(Offset::constant(2)));
    assert_eq!(east.path(&name()), Path::new("/recordings/a/call_7_20260103_010405_000678.wav"));
    assert_eq!(
        owner(east.root(), &east.path(&name()), ArtifactKind::Recordings),
        (Some("a".to_owned()), Some(7))
    );
}

#[test]
fn the_owner_of_a_recording_is_in_its_place_and_name() {
    let root = Path::new("/recordings");
    for (path, phone, call) in [
        ("/recordings/a/call_7_20260102_030405_000001.wav", Some("a"), Some(7)),
        ("/recordings/a/deeper/call_7_x.wav", Some("deeper"), Some(7)),
        ("/recordings/run-3/a/call_7_x.wav", Some("run-3/a"), Some(7)),
        ("/recordings/a/call_x.wav", Some("a"), None),
        ("/recordings/call_b_9_20260102.wav", Some("b"), Some(9)),
        ("/recordings/call_b.wav", Some("b"), None),
        ("/recordings/a/other_7.wav", None, None),
        ("/recordings/a/call.wav", None, None),
        ("/recordings/a/.wav", None, None),
    ] {
        assert_eq!(
            owner(root, Path::new(path), ArtifactKind::Recordings),
            (phone.map(str::to_owned), call),
            "{path}"
        );
    }
}

#[test]
fn the_owner_of_a_capture_is_in_its_place_with_or_without_a_call() {
    let captures = ArtifactFolder::under(ArtifactKind::Captures, Path::new("/captures"));
    let early = captures.path(&ArtifactName { call: None, ..name() });
    assert_eq!(early, Path::new("/captures/a/capture_20260102_230405_000678.pcap"));
    for (path, phone, call) in [
        (early.as_path(), Some("a"), None),
        (captures.path(&name()).as_path(), Some("a"), Some(7)),
        (Path::new("/captures/run-3/a/call_7_x.pcapng"), Some("run-3/a"), Some(7)),
        (Path::new("/captures/a/other.pcap"), None, None),
    ] {
        let owner = owner(captures.root(), path, ArtifactKind::Captures);
        assert_eq!(owner, (phone.map(str::to_owned), call), "{}", path.display());
    }
}

#[test]
fn recordings_are_listed_from_the_last_with_size_and_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = ArtifactFolder::under(ArtifactKind::Recordings, folder.path());
    assert_eq!(
        ArtifactFolder::under(ArtifactKind::Recordings, &folder.path().join("missing")).list().unwrap(),
        []
    );
    let first = recordings.path(&name());
    fs::create_dir_all(first.parent().unwrap()).unwrap();
    fs::write(&first, "RIFF").unwrap();
    fs::write(folder.path().join("a/notes.txt"), "").unwrap();
    fs::write(folder.path().join("call_b_3.wav"), "").unwrap();
    symlink(folder.path(), folder.path().join("a/circle")).unwrap();
    sidecar(&first).write().unwrap();
    let found = recordings.list().unwrap();
    let told: Vec<_> = found.iter().map(|file| (file.phone.as_deref(), file.call, file.size)).collect();
    assert_eq!(told, [(Some("b"), Some(3), 0), (Some("a"), Some(7), 4)]);
    assert_eq!(found[0].sidecar, None);
    assert_eq!(found[1].sidecar.as_deref(), Some(sidecar_of(&first).as_path()));
}

#[test]
fn a_sidecar_has_the_keys_that_existing_readers_expect_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("call_7_x.wav");
    let written = sidecar(&recording);
    written.write().unwrap();
    assert_eq!(Sidecar::read(&recording).unwrap(), written);
    let text = fs::read_to_string(folder.path().join("call_7_x.meta.json")).unwrap();
    assert!(
        text.starts_with("{\n  \"phone_id\": \"a\",\n  \"call_id\": 7,\n  \"direction\": \"outbound\","),
        "{text}"
    );
    let keys: Vec<_> =
        text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    assert_eq!(
        keys,
        [
            "phone_id",
            "call_id",
            "direction",
            "started_at",
            "ended_at",
            "duration",
            "codec",
            "remote_uri",
            "last_status",
            "last_status_text",
            "recording",
            "pcap",
            "local_rtp_port",
            "remote_rtp_port"
        ]
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn paths_are_shown_as_the_host_sees_them() {
    let inside = Path::new("/recordings/a/call_7.wav");
    let recordings = ArtifactFolder::under(ArtifactKind::Recordings, Path::new("/recordings"));
    assert_eq!(recordings.shown(inside), inside);
    let mapped = recordings.shown_under(Some(PathBuf::from("/host/recordings")));
    assert_eq!(mapped.shown(inside), Path::new("/host/recordings/a/call_7.wav"));
    assert_eq!(mapped.shown(Path::new("/recordings2/x.wav")), Path::new("/recordings2/x.wav"));
}

#[test]
fn a_path_that_leads_outside_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("recordings");
    fs::create_dir_all(root.join("a")).unwrap();
    let recordings = ArtifactFolder::under(ArtifactKind::Recordings, &root);
    symlink("/etc", root.join("away")).unwrap();
    for good in ["a/x.wav", "a", "new/folder/x.wav"] {
        assert_eq!(recordings.inside(Path::new(good)).unwrap(), root.join(good));
    }
    assert_eq!(recordings.inside(&root.join("a/x.wav")).unwrap(), root.join("a/x.wav"));
    for bad in ["../x", "a/../../x", "/etc/passwd", "away/passwd", "away"] {
        let error = recordings.inside(Path::new(bad)).unwrap_err();
        assert!(error.to_string().starts_with(bad), "{error}");
    }
}

#[test]
fn a_process_takes_the_folder_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let asked =
        ArtifactFolder::of_process(ArtifactKind::Recordings, Some(folder.path()), Some(Path::new("/data")));
    assert_eq!(asked.root(), folder.path());
}
