//! Paths that an agent gives and that lead to no file: they are refused, and hold up neither a call nor the end. And what the
//! program writes, which is for its owner alone.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use offhook::net::SystemNetwork;
use serde_json::json;
use tokio::{process::Command, time::timeout};

use super::ends::{END, Ending, Phase, Program, program};
use crate::support::{folder::pipe, peer::Peer};

/// Bytes of memory that the program may have; a device that is read has no end.
const MOST: u64 = 300 << 20;

fn resident(process: u32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_to_no_file_is_refused_and_holds_up_neither_a_call_nor_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, data) = (pipe(folder.path()), folder.path().join("data"));
    let mut peer = Peer::anywhere(&SystemNetwork::default());
    let mut program = Program::start(program(&data), peer.port()).await;
    program.call(&mut peer, Phase::Talking).await;
    for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
        let word = if path.is_dir() { "it is a folder" } else { "it is no regular file" };
        for (tool, arguments) in [
            ("load_phones", json!({"path": path, "merge": true})),
            ("play_audio", json!({"phone_id": "a", "file_path": path})),
        ] {
            let said = timeout(END, program.tool(tool, arguments)).await;
            let said = said.unwrap_or_else(|_| panic!("{tool} waits for {}", path.display())).to_string();
            assert!(said.contains(word), "{tool} {}: {said}", path.display());
        }
    }
    assert!(resident(program.child.id().unwrap()) < MOST);
    program.tool("hangup", json!({"phone_id": "a"})).await;
    peer.agrees().await;
    let (took, status, said) = program.end(Ending::Signal("TERM")).await;
    assert!(status.success() && took < END, "{took:?}, {status}: {said}");
    assert_eq!(peer.next_within("BYE", Duration::from_millis(100)).await, None, "one was enough");
}

/// Returns the rights of a folder and of all that is in it, by path.
fn rights(path: &Path, into: &mut BTreeMap<String, u32>) {
    let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    into.insert(path.display().to_string(), mode);
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| rights(&entry.unwrap().path(), into));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut peer = Peer::anywhere(&SystemNetwork::default());
    let mut command = Command::new("sh");
    // Whoever starts it lets others read what they make.
    command.args(["-c", "umask 0; exec \"$0\" mcp --data \"$1\"", env!("CARGO_BIN_EXE_offhook")]).arg(&data);
    let mut program = Program::start(command, peer.port()).await;
    program.tool("update_phone", json!({"phone_id": "a", "recording_enabled": true})).await;
    program.call(&mut peer, Phase::Talking).await;
    let recording = json!({"events": ["media.recording_started"], "after": 0});
    program.tool("wait_for_event", recording).await;
    let mut seen = BTreeMap::new();
    // The log of the database is there only while it is open.
    rights(&data, &mut seen);
    program.tool("hangup", json!({"phone_id": "a"})).await;
    peer.agrees().await;
    let (_, status, said) = program.end(Ending::Signal("TERM")).await;
    assert!(status.success(), "{said}");
    rights(&data, &mut seen);
    for name in ["journal.db", "journal.db-wal", "journal.lock", "credentials.json", ".wav", ".meta.json"] {
        assert!(seen.keys().any(|path| path.ends_with(name)), "no {name} among {seen:?}");
    }
    let open: Vec<_> = seen.iter().filter(|(_, mode)| **mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
}
