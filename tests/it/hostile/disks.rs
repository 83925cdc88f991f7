//! A disk that takes nothing more, and data folders that somebody has damaged.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    command::{Code, Command, Execute, PhoneCommand},
    event::{Cause, PhoneSpec, Surface},
    id::PhoneId,
    journal::{Journal, Query},
    net::{Network, SystemNetwork},
    secret::Secret,
    switchboard::{Options, Switchboard},
    wall::Wall,
};
use rusqlite::{Connection, config::DbConfig};

use super::{next, tell};
use crate::support::{
    peer::{EVENTS, Peer, header},
    spec,
};

/// Holds the position that the journal writes next, so that its transactions fail; gives it back when it is told to.
struct Obstacle(Connection);

impl Obstacle {
    fn put(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("journal.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        let row =
            "INSERT INTO events VALUES (1000000, 0, NULL, NULL, NULL, 'system.stopped', '\"start\"', '{}')";
        connection.execute_batch(row).unwrap();
        Self(connection)
    }

    fn remove(&self) {
        self.0.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        self.0.execute_batch("DELETE FROM events WHERE seq = 1000000").unwrap();
    }
}

async fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let waited = async {
        while !there() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn no_call_begins_while_its_facts_cannot_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let network: Arc<dyn Network> = Arc::new(SystemNetwork::default());
    let options = Options::in_folder(Arc::clone(&network), Wall::system(), 7, folder.path()).unwrap();
    let board = Switchboard::start(options).await.unwrap();
    let mut peer = Peer::anywhere(&*network);
    let phone: PhoneId = "a".parse().unwrap();
    let spec = PhoneSpec { register: false, ..spec(&format!("127.0.0.1:{}", peer.port()), "a") };
    let run = async |command| board.execute(command, Cause::command(Surface::Library)).await;
    run(Command::add(phone.clone(), spec, Secret::new("x".into()))).await.unwrap();
    peer.talks_to(board.views().phone(&phone).and_then(|phone| phone.bound).unwrap().port());
    let target = format!("sip:peer@127.0.0.1:{}", peer.port());
    let place = || {
        Command::Phone(phone.clone(), PhoneCommand::PlaceCall { target: target.clone(), headers: [].into() })
    };

    board.journal().flush().await.unwrap();
    let obstacle = Obstacle::put(folder.path());
    run(Command::Phone(phone.clone(), PhoneCommand::Register)).await.unwrap();
    wait_for("the disk has not failed", || board.journal().health().failure.is_some()).await;
    let refused = run(place()).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.to_string().contains("the journal is append-only"), "{refused}");
    peer.request("INVITE", 1, "", EVENTS);
    let later = peer.next("SIP/2.0 503").await;
    assert_eq!(header(&later, "Retry-After"), "10");
    let calls = board.journal().query_blocking(&Query::of_kinds(&["call.*"])).unwrap();
    assert!(calls.is_empty(), "{calls:?}");

    obstacle.remove();
    wait_for("the disk does not work again", || board.journal().health().failure.is_none()).await;
    run(place()).await.unwrap();
    peer.next("INVITE sip:peer").await;
    tell(
        "1 disk that failed: 1 of 1 call placed and 1 of 1 incoming refused, and calls again when it worked",
    );
    board.shutdown().await.unwrap();
}

fn damage(bytes: &mut Vec<u8>, luck: &mut u64) {
    if bytes.is_empty() {
        return;
    }
    match next(luck) % 4 {
        0 => bytes.truncate(next(luck) % bytes.len()),
        1 => {
            for _ in 0..8 {
                let at = next(luck) % bytes.len();
                bytes[at] ^= 1 << (next(luck) % 8);
            }
        }
        2 => {
            let from = next(luck) % bytes.len();
            let to = (from + next(luck) % 5000).min(bytes.len());
            bytes[from..to].fill(0);
        }
        _ => bytes.extend((0..next(luck) % 5000).map(|nth| nth.to_le_bytes()[0])),
    }
}

/// Makes a folder as a process leaves it that was killed: with a log beside the database.
async fn left_behind(folder: &Path) {
    let (network, running): (Arc<dyn Network>, _) =
        (Arc::new(SystemNetwork::default()), tempfile::tempdir().unwrap());
    let options = Options::in_folder(network, Wall::system(), 7, running.path()).unwrap();
    let board = Switchboard::start(options).await.unwrap();
    for name in ["a", "b"] {
        let phone: PhoneId = name.parse().unwrap();
        let spec = PhoneSpec { register: false, ..spec("127.0.0.1:5060", name) };
        let added = Command::add(phone, spec, Secret::new("secret".into()));
        board.execute(added, Cause::command(Surface::Library)).await.unwrap();
    }
    board.journal().flush().await.unwrap();
    for file in fs::read_dir(running.path()).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }
    board.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_damaged_data_folder_is_refused_or_used() {
    let whole = tempfile::tempdir().unwrap();
    left_behind(whole.path()).await;
    let mut files: Vec<_> = fs::read_dir(whole.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    assert!(files.iter().any(|file| file.ends_with("journal.db-wal")), "{files:?}");
    let (mut luck, mut refused, mut used, mut slowest) = (0x9e37_79b9_7f4a_7c15, 0, 0, Duration::ZERO);
    for _ in 0..60 {
        let folder = tempfile::tempdir().unwrap();
        let victim = next(&mut luck) % files.len();
        for (nth, file) in files.iter().enumerate() {
            let mut bytes = fs::read(file).unwrap();
            if nth == victim {
                damage(&mut bytes, &mut luck);
            }
            fs::write(folder.path().join(file.file_name().unwrap()), bytes).unwrap();
        }
        let since = Instant::now();
        let network: Arc<dyn Network> = Arc::new(SystemNetwork::default());
        match Options::in_folder(network, Wall::system(), 7, folder.path()) {
            Err(error) => {
                assert!(!error.to_string().contains("secret"), "{error}");
                refused += 1;
            }
            Ok(options) => match Switchboard::start(options).await {
                // What was damaged may be found only when it is read, and then written to: that is said, not hidden.
                Ok(board) => {
                    if let Err(error) = board.shutdown().await {
                        assert!(!error.to_string().contains("the writer failed"), "{error}");
                    }
                    used += 1;
                }
                Err(_) => refused += 1,
            },
        }
        slowest = slowest.max(since.elapsed());
    }
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    tell(&format!(
        "60 damaged folders, {used} used, {refused} refused, the slowest in {} ms",
        slowest.as_millis()
    ));
    // The whole one is still whole.
    assert!(Journal::open(whole.path(), Wall::system()).is_ok());
}
