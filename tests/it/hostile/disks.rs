//! A disk that accepts nothing more, and data folders that somebody has damaged.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use offhook::{
    command::{Code, Command, Execute, PhoneCommand},
    event::{Cause, PhoneSpec, Surface},
    id::PhoneId,
    journal::Query,
    secret::Secret,
    switchboard::Switchboard,
};
use rusqlite::{Connection, config::DbConfig};

use super::{next, tell};
use crate::support::{
    folder::{beside_a_peer, execute, options, start},
    peer::{EVENTS, header},
    spec,
};

/// Occupies a position ahead in the journal, so that its transactions fail, until it is removed.
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
    let (board, peer) = beside_a_peer(folder.path(), false).await;
    let phone: PhoneId = "a".parse().unwrap();
    let run = async |command| board.execute(command, Cause::command(Surface::Library)).await;
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
    match next(luck) % 5 {
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
        3 => {
            // A page of a database, possibly one that is read only when something is written.
            let pages: Vec<_> = bytes.chunks_mut(4096).collect();
            let page = next(luck) % pages.len();
            pages.into_iter().skip(page).take(1).for_each(|page| page.fill(0));
        }
        _ => bytes.extend((0..next(luck) % 5000).map(|nth| nth.to_le_bytes()[0])),
    }
}

/// The files of a data folder, by name.
type Files = Vec<(String, Vec<u8>)>;

fn files(folder: &Path) -> Files {
    let paths = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Files = paths.map(|path| (name(&path), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

/// Returns what a killed process leaves, with a log beside the database, and what one that was
/// closed leaves.
async fn left_behind() -> [Files; 2] {
    let folder = tempfile::tempdir().unwrap();
    let board = start(folder.path()).await;
    for name in ["a", "b"] {
        let phone: PhoneId = name.parse().unwrap();
        let spec = PhoneSpec { register: false, ..spec("127.0.0.1:5060", name) };
        execute(&board, Command::add(phone, spec, Secret::new("secret".into()))).await;
    }
    board.journal().flush().await.unwrap();
    let killed = files(folder.path());
    assert!(killed.iter().any(|(name, bytes)| name == "journal.db-wal" && !bytes.is_empty()), "no log");
    board.shutdown().await.unwrap();
    [killed, files(folder.path())]
}

/// What became of a damaged folder.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Refused,
    Used,
    /// Until something had to be written there.
    UsedInMemory,
}

/// Uses a folder as a process does; whatever is wrong must be reported, without a password.
async fn fate(folder: &Path) -> Fate {
    let harmless = |said: &str| {
        assert!(said.contains(folder.to_str().unwrap()), "it names no file: {said}");
        assert!(!said.contains("secret"), "{said}");
    };
    let started = match options(folder) {
        Ok(options) => Switchboard::start(options).await,
        Err(error) => Err(error),
    };
    let board = match started {
        Ok(board) => board,
        Err(error) => {
            harmless(&error.to_string());
            return Fate::Refused;
        }
    };
    let closed = board.shutdown().await;
    let failure = board.journal().health().failure;
    assert_ne!(failure.as_deref(), Some("the writer failed"), "a thread panicked");
    assert_eq!(closed.is_err(), failure.is_some(), "{closed:?}, {failure:?}");
    if closed.is_ok() { Fate::Used } else { Fate::UsedInMemory }
}

#[tokio::test]
async fn a_damaged_data_folder_is_refused_or_used() {
    let left = left_behind().await;
    let (mut luck, mut fates, mut slowest) = (0x9e37_79b9_7f4a_7c15, Vec::new(), Duration::ZERO);
    for round in 0..120 {
        let folder = tempfile::tempdir().unwrap();
        let whole = &left[round % 2];
        let database = whole.iter().position(|(name, _)| name == "journal.db").unwrap();
        let victim = if next(&mut luck).is_multiple_of(2) { database } else { next(&mut luck) % whole.len() };
        let mut unreadable = false;
        for (nth, (name, bytes)) in whole.iter().enumerate() {
            let mut bytes = bytes.clone();
            if nth == victim {
                damage(&mut bytes, &mut luck);
                let passwords = name == "credentials.json";
                unreadable = passwords && serde_json::from_slice::<serde_json::Value>(&bytes).is_err();
            }
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let since = Instant::now();
        let fate = fate(folder.path()).await;
        slowest = slowest.max(since.elapsed());
        assert!(slowest < Duration::from_secs(10), "{fate:?} after {slowest:?}");
        assert!(!unreadable || fate == Fate::Refused, "passwords are forgotten without a word");
        fates.push(fate);
    }
    let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
    let (used, in_memory, refused) = (count(Fate::Used), count(Fate::UsedInMemory), count(Fate::Refused));
    assert!(
        used > 0 && in_memory > 0 && refused > 0,
        "{used} used, {in_memory} in memory, {refused} refused"
    );
    tell(&format!(
        "120 damaged folders, {used} used, {in_memory} used in memory, {refused} refused, the slowest in {} ms",
        slowest.as_millis()
    ));
    // A folder that nobody damaged can be used.
    for whole in left {
        let folder = tempfile::tempdir().unwrap();
        whole.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
        let board = start(folder.path()).await;
        assert_eq!(board.views().phones().len(), 2);
        board.shutdown().await.unwrap();
    }
}
