//! Export, import and replay, with damaged lines.

use std::fs;

use super::*;

/// Remembers positions.
#[derive(Default)]
struct Positions(Vec<u64>);

impl Fold for Positions {
    fn apply(&mut self, envelope: &Envelope) {
        self.0.push(envelope.seq.0);
    }
}

fn exported(journal: &Journal, query: &Query) -> String {
    let mut bytes = Vec::new();
    export(journal, query, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn imported(text: &[u8]) -> Imported {
    import(text, Wall::system()).unwrap()
}

#[test]
fn an_exported_journal_is_the_same_when_imported() {
    let journal = with_lines(2500);
    placed(&journal, 0);
    let text = exported(&journal, &Query::default());
    assert_eq!(text.lines().count(), 2501);
    let copy = imported(text.as_bytes());
    assert!(copy.bad.is_empty());
    let all = Query::default();
    assert_eq!(copy.journal.query_blocking(&all).unwrap(), journal.query_blocking(&all).unwrap());
    assert_eq!(exported(&journal, &Query { limit: Some(2), ..all.clone() }).lines().count(), 2);
    assert_eq!(exported(&journal, &Query::of_kinds(&["call.*"])).lines().count(), 1);
}

#[tokio::test]
async fn damaged_lines_are_reported_with_number_and_cause_and_the_good_ones_kept() {
    let text = exported(&with_lines(4), &Query::default());
    let lines: Vec<&str> = text.lines().collect();
    let mut damaged = Vec::new();
    for line in [
        lines[0].to_owned(),
        lines[1][..lines[1].len() / 2].to_owned(),
        String::new(),
        lines[1].replace("run.log", "run.banana"),
        lines[2].replace("\"message\"", "\"massage\""),
        lines[2].to_owned(),
        lines[0].to_owned(),
        "{}".to_owned(),
        format!("{{\"data\":{}", "[".repeat(100_000)),
        lines[3].replace("run-1", "jog-1"),
        lines[3].to_owned(),
    ] {
        damaged.extend_from_slice(line.as_bytes());
        damaged.push(b'\n');
    }
    damaged.extend_from_slice(b"\xff\xfe no text");
    let copy = imported(&damaged);
    assert_eq!(seqs(&copy.journal.query_blocking(&Query::default()).unwrap()), [1, 3, 4]);
    let told: Vec<_> = copy.bad.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2: EOF while parsing",
        "line 4: unknown event kind 'run.banana'",
        "line 5: event 'run.log': missing field `message`",
        "line 7: position 1 is not after 3",
        "line 8: missing field",
        "line 9: recursion limit exceeded",
        "line 10: 'jog-1' is not of the form run-N",
        "line 12: ",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told:?} should start with {expected:?}");
    }
    let mut reader = copy.journal.reader(Seq(1));
    assert_eq!(reader.try_next().await.unwrap().unwrap().seq, Seq(3), "a reader steps over the hole");
    assert_eq!(copy.journal.get(Seq(2)).await, None);
}

#[test]
fn a_line_without_end_is_cut_off_and_reported() {
    struct Endless(usize);
    impl std::io::Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let given = into.len().min(self.0);
            into[..given].fill(b'x');
            self.0 -= given;
            Ok(given)
        }
    }
    let good = exported(&with_lines(1), &Query::default());
    let text = std::io::Read::chain(Endless(17 * 1024 * 1024), std::io::Cursor::new(format!("\n{good}")));
    let copy = import(std::io::BufReader::new(text), Wall::system()).unwrap();
    assert_eq!(copy.bad.len(), 1);
    assert_eq!(copy.bad[0].to_string(), "line 1: longer than 16777216 bytes");
    assert_eq!(copy.journal.head(), Seq(1));
}

#[test]
fn secrets_in_an_imported_line_are_removed() {
    let line = r#"{"seq":1,"at":"2026-01-01T00:00:00Z","phone":"a","cause":"network","kind":"sip.received","data":{"transport":"udp","local":"192.0.2.1:5060","remote":"192.0.2.9:5060","method":"REGISTER","status":null,"reason":null,"cseq":1,"sip_call_id":"x","sdp":false,"message":{"text":"X\r\nAuthorization: Digest response=\"hunter2\"\r\n\r\n"}}}"#;
    let copy = imported(line.as_bytes());
    assert!(copy.bad.is_empty(), "{:?}", copy.bad);
    assert!(!exported(&copy.journal, &Query::default()).contains("hunter2"));
}

#[test]
fn a_file_and_a_folder_in_use_are_replayed_without_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Wall::system()).unwrap();
    lines(&journal, 0, 2300);
    journal.flush_blocking().unwrap();
    let file = folder.path().join("export.jsonl");
    fs::write(&file, exported(&journal, &Query::default()) + "broken\n").unwrap();

    let mut of_folder = Positions::default();
    let replayed = replay(folder.path(), &mut of_folder).unwrap();
    assert_eq!((replayed.events, replayed.skipped.len()), (2300, 0));
    let mut of_file = Positions::default();
    let replayed = replay(&file, &mut of_file).unwrap();
    assert_eq!((replayed.events, replayed.skipped.len()), (2300, 1));
    assert!(replayed.skipped[0].to_string().starts_with("line 2301: "));
    assert_eq!(of_folder.0, (1..=2300).collect::<Vec<_>>());
    assert_eq!(of_folder.0, of_file.0);

    let archive = Archive::open(folder.path()).unwrap();
    lines(&journal, 2300, 1);
    journal.flush_blocking().unwrap();
    assert_eq!(archive.head().unwrap(), Seq(2301), "what is written meanwhile is seen");
    let newest = Query { newest_first: true, limit: Some(1), ..Query::default() };
    assert_eq!(seqs(&archive.query(&newest).unwrap().0), [2301]);

    let nowhere = tempfile::tempdir().unwrap();
    let error = replay(nowhere.path(), &mut Positions::default()).unwrap_err().to_string();
    assert!(error.ends_with("no journal here"), "{error}");
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0, "looking makes no file");
}

#[test]
fn damaged_rows_are_listed_and_the_others_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Wall::system()).unwrap();
    lines(&journal, 0, 1);
    journal.close_blocking().unwrap();
    let raw = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    let row = |seq: u64, data: &str| {
        let sql = "INSERT INTO events VALUES (?1, 0, NULL, NULL, 1, 'run.log', '\"start\"', ?2)";
        raw.execute(sql, rusqlite::params![i64::try_from(seq).unwrap(), data]).unwrap();
    };
    row(2, "{}");
    row(3, "{\"message\":\"good\"}");
    row(4, "{");
    let mut positions = Positions::default();
    let replayed = replay(folder.path(), &mut positions).unwrap();
    assert_eq!(positions.0, [1, 3]);
    let told: Vec<_> = replayed.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("event 2: event 'run.log': missing field"), "{told:?}");
    assert!(told[1].starts_with("event 4: EOF"), "{told:?}");
    let newest = Query { newest_first: true, ..Query::default() };
    let (events, skipped) = Archive::open(folder.path()).unwrap().query(&newest).unwrap();
    assert_eq!((seqs(&events), skipped.len()), (vec![3, 1], 2));
}
