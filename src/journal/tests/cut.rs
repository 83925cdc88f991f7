//! A database or a write-ahead log that was lost, cut, replaced or damaged between two processes.

use std::{fs, path::Path};

use super::*;

fn open(folder: &Path) -> Journal {
    Journal::open(folder, Wall::system()).unwrap()
}

/// Returns the files of a folder as a process leaves them that is killed with twenty events on disk, of which `in_database` are
/// in the database already and the others in its log.
fn killed(in_database: u64) -> tempfile::TempDir {
    let (lived, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(lived.path());
    lines(&journal, 0, in_database);
    journal.close_blocking().unwrap();
    drop(journal);
    let journal = open(lived.path());
    // A reader in the middle of something: no checkpoint brings in what comes after.
    let reader = rusqlite::Connection::open(lived.path().join("journal.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT max(seq) FROM events;").unwrap();
    lines(&journal, in_database, 20 - in_database);
    journal.flush_blocking().unwrap();
    // The mark follows the commit that a flush waits for.
    while reached(lived.path()) < 20 {
        std::thread::yield_now();
    }
    for name in ["journal.db", "journal.db-wal", "journal.lock"] {
        fs::copy(lived.path().join(name), left.path().join(name)).unwrap();
    }
    drop(reader);
    left
}

fn reached(folder: &Path) -> u64 {
    let mark = fs::read_to_string(folder.join("journal.lock")).unwrap();
    mark.split(' ').next().unwrap().parse().unwrap_or_default()
}

/// What a start and the one after it find missing.
fn told(folder: &Path) -> [Vec<serde_json::Value>; 2] {
    std::array::from_fn(|_| {
        let journal = open(folder);
        drop(journal.attach(Seen::default()));
        let told = journal.query_blocking(&Query::of_kinds(&["journal.missing"])).unwrap();
        journal.close_blocking().unwrap();
        told.iter().map(|envelope| envelope.event.data()).collect()
    })
}

const NOTHING: [serde_json::Value; 0] = [];

fn missing(after: u64, count: u64) -> serde_json::Value {
    serde_json::json!({ "after": after, "count": count })
}

#[test]
fn a_killed_process_loses_nothing_and_nothing_is_told() {
    let folder = killed(5);
    assert_eq!(told(folder.path()).concat(), NOTHING);
    assert_eq!(open(folder.path()).head(), Seq(20));
}

#[test]
fn a_log_that_is_gone_is_told_once_and_its_positions_are_not_given_away_again() {
    let folder = killed(5);
    fs::remove_file(folder.path().join("journal.db-wal")).unwrap();
    assert_eq!(told(folder.path()), [vec![missing(5, 15)], vec![missing(5, 15)]]);
    let journal = open(folder.path());
    assert_eq!(journal.head(), Seq(21));
    assert_eq!(journal.attach(Seen::default()).read(Seen::all), [1, 2, 3, 4, 5, 21]);
}

#[test]
fn a_log_that_was_cut_is_told() {
    let folder = killed(5);
    let log = folder.path().join("journal.db-wal");
    let whole = fs::metadata(&log).unwrap().len();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(whole - 1).unwrap();
    assert_eq!(told(folder.path()), [vec![missing(5, 15)], vec![missing(5, 15)]], "one commit, cut short");
}

#[test]
fn an_older_database_in_the_place_of_the_newer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, older) = (folder.path().join("journal.db"), folder.path().join("older"));
    for count in [7, 5] {
        let journal = open(folder.path());
        lines(&journal, 0, count);
        journal.close_blocking().unwrap();
        drop(journal);
        if count == 7 {
            fs::copy(&file, &older).unwrap();
        }
    }
    fs::copy(&older, &file).unwrap();
    assert_eq!(told(folder.path()), [vec![missing(7, 5)], vec![missing(7, 5)]]);
    fs::remove_file(&file).unwrap();
    assert_eq!(told(folder.path())[0], [missing(0, 13)], "one that is gone altogether");
}

#[test]
fn a_folder_without_a_mark_or_with_a_spoilt_one_opens_as_it_is() {
    for spoilt in [
        "",
        "rubbish",
        "00000000000000000099 00000000000000000020\n",
        "09999999999999999999 09999999999999999999\n",
    ] {
        let folder = killed(5);
        fs::write(folder.path().join("journal.lock"), spoilt).unwrap();
        assert_eq!(told(folder.path()).concat(), NOTHING, "{spoilt:?}");
    }
}

#[test]
fn an_archive_tells_what_is_missing_at_its_end_and_nothing_while_a_process_writes() {
    let folder = killed(5);
    let archive = Archive::open(folder.path()).unwrap();
    assert_eq!(archive.lost_end().unwrap(), None);
    drop(archive);
    fs::remove_file(folder.path().join("journal.db-wal")).unwrap();
    let archive = Archive::open(&folder.path().join("journal.db")).unwrap();
    assert_eq!(archive.lost_end().unwrap(), Some((Seq(5), 15)));
}

/// Writes another position into the row of the event at `seq`, whose table has one page: SQLite §1.6 of its file format.
fn displace(file: &Path, seq: u8, to: u8) {
    let raw = rusqlite::Connection::open(file).unwrap();
    let number = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, u16>(0).map(usize::from)).unwrap();
    let root = number("SELECT rootpage FROM sqlite_master WHERE name = 'events'");
    let start = (root - 1) * number("PRAGMA page_size");
    drop(raw);
    let mut bytes = fs::read(file).unwrap();
    assert_eq!(bytes[start], 0x0d, "a leaf");
    let pointer = start + 8 + 2 * (usize::from(seq) - 1);
    let cell = start + usize::from(u16::from_be_bytes([bytes[pointer], bytes[pointer + 1]]));
    // The size of the row comes first, seven bits a byte.
    let size = bytes[cell..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    assert_eq!(bytes[cell + size], seq);
    bytes[cell + size] = to;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_damaged_order_is_no_endless_reading() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    lines(&journal, 0, 15);
    journal.close_blocking().unwrap();
    drop(journal);
    displace(&folder.path().join("journal.db"), 15, 3);
    let archive = Archive::open(folder.path()).unwrap();
    let error = archive.query(&Query::default()).unwrap_err().to_string();
    assert!(error.ends_with("event 3 is not in its place"), "{error}");
    drop(archive);
    let journal = open(folder.path());
    // What cannot be read is left out, as a page that is damaged otherwise is.
    assert_eq!(journal.attach(Seen::default()).read(Seen::all), [16]);
    assert_eq!(journal.query_blocking(&Query::default()).unwrap_err().to_string(), error);
}
