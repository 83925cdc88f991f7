//! What `offhook log` shows of a journal that is being written.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Parser;
use jiff::tz::TimeZone;

use super::verb::{LOOK_AGAIN, LogArgs, line, run};
use crate::{
    cli::{Exit, Output},
    event::{
        CallEvent, Cause, Envelope, Party, RawMessage, RunEvent, SipEvent, SipSummary, Subject, Transport,
    },
    id::{CallId, RunId, Seq},
    journal::Journal,
    wall::Wall,
};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn journal(folder: &Path) -> Journal {
    let journal = Journal::open(folder, Wall::system()).unwrap();
    let answered = |call| {
        let subject = Subject::call("a".parse().unwrap(), CallId(call));
        let event = CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() };
        journal.append(subject, Cause::Network, event);
    };
    answered(7);
    answered(8);
    journal.append(
        Subject::phone("b".parse().unwrap()),
        Cause::Network,
        SipEvent::Received {
            transport: Transport::Udp,
            local: "127.0.0.1:1".parse().unwrap(),
            remote: "127.0.0.1:2".parse().unwrap(),
            summary: SipSummary { method: Some("OPTIONS".into()), ..SipSummary::default() },
            message: RawMessage::Text("OPTIONS sip:b SIP/2.0\r\nX: \u{1b}[2J\r\n\r\n".into()),
        },
    );
    journal.flush_blocking().unwrap();
    journal
}

async fn shown(folder: &Path, words: &[&str]) -> (Exit, String, String) {
    let data = ["log", "--data", folder.to_str().unwrap()];
    let args = data.iter().chain(words);
    let (results, remarks) = (Written::default(), Written::default());
    let mut output = Output::to(results.clone(), remarks.clone());
    let exit = run(Line::try_parse_from(args).unwrap().log, &mut output).await.unwrap();
    (exit, results.text(), remarks.text())
}

#[tokio::test]
async fn an_event_is_one_line_with_time_subject_kind_and_essence() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let mut first = (*journal.get(Seq(1)).await.unwrap()).clone();
    first.at = "2026-01-02T03:04:05.678Z".parse().unwrap();
    assert_eq!(
        line(&first, &TimeZone::UTC),
        "2026-01-02 03:04:05.678      1 a call-7     call.answered            200 OK, by the other side"
    );
}

#[tokio::test]
async fn the_journal_in_use_is_shown_as_its_filters_say() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let lines = async |words: &[&str]| shown(folder.path(), words).await.1.lines().count();
    assert_eq!(lines(&[]).await, 3);
    assert_eq!(lines(&["--phone", "a"]).await, 2);
    assert_eq!(lines(&["--call", "7"]).await, 1);
    assert_eq!(lines(&["--kind", "call,sip.sent"]).await, 2);
    assert_eq!(lines(&["--kind", "sip.*"]).await, 1);
    assert_eq!(lines(&["--run", "run-1"]).await, 0);
    assert_eq!(lines(&["--method", "options", "--direction", "received"]).await, 1);
    assert_eq!(lines(&["--method", "OPTIONS", "--direction", "sent"]).await, 0);
    assert_eq!(lines(&["--status", "2xx"]).await, 0);
    assert_eq!(lines(&["--since", "1h"]).await, 3);
    assert_eq!(lines(&["--since", "2100-01-01T00:00:00Z"]).await, 0);
    assert_eq!(lines(&["--text", "sip:b"]).await, 1);
    let (exit, json, remarks) = shown(folder.path(), &["--last", "2", "--json"]).await;
    assert_eq!((exit, remarks.as_str()), (Exit::Passed, ""));
    let read: Vec<Envelope> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kept = journal.get_many(&[Seq(2), Seq(3)]).await;
    assert_eq!(read, kept.iter().map(|envelope| (**envelope).clone()).collect::<Vec<_>>());
    let file = folder.path().join("export.jsonl");
    std::fs::write(&file, json + "damaged\n").unwrap();
    let (exit, results, remarks) = shown(&file, &[]).await;
    assert_eq!((exit, results.lines().count()), (Exit::Passed, 2));
    assert!(remarks.contains("export.jsonl: line 3: "), "{remarks}");
}

#[tokio::test]
async fn messages_in_full_cannot_steer_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let _journal = journal(folder.path());
    let (_, text, _) = shown(folder.path(), &["--sip", "--kind", "sip"]).await;
    let below: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(below, ["    OPTIONS sip:b SIP/2.0", "    X: \\u{1b}[2J", ""]);
}

#[tokio::test(start_paused = true)]
async fn following_shows_what_another_process_writes_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let args = ["log", "--data", folder.path().to_str().unwrap(), "--follow", "--last", "1"];
    let results = Written::default();
    let mut output = Output::to(results.clone(), Written::default());
    let follow = Line::try_parse_from(args).unwrap().log;
    let append = async {
        while results.text().lines().count() < 1 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let log = RunEvent::Log { message: "later".into() };
        journal.append(Subject::run(RunId(3)), Cause::Start, log);
        while !results.text().contains("later") {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        ended = run(follow, &mut output) => panic!("{ended:?}"),
        () = append => {}
    }
    assert_eq!(results.text().lines().count(), 2, "{}", results.text());
}

#[tokio::test]
async fn what_cannot_be_shown_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, results, remarks) = shown(folder.path(), &[]).await;
    assert_eq!((exit, results.as_str()), (Exit::NotReady, ""));
    assert!(remarks.contains("no journal here"), "{remarks}");
    for (words, told) in [
        (["--kind", "call.banana"], "there are call.placed"),
        (
            ["--kind", "banana"],
            "there are call.*, capture.*, dtmf.*, journal.*, media.*, message.*, pbx.*, phone.*, run.*, sip.*, system.*",
        ),
        (["--since", "yesterday"], "expected `5m`"),
        (["--phone", "A"], "must match"),
        (["--call", "x"], "call-N"),
    ] {
        let refused = Line::try_parse_from(["log"].iter().chain(&words)).err().unwrap().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}

#[tokio::test]
async fn events_that_were_lost_with_the_log_are_told_before_the_others() {
    let folder = tempfile::tempdir().unwrap();
    journal(folder.path()).close().await.unwrap();
    let (_, _, remarks) = shown(folder.path(), &[]).await;
    assert_eq!(remarks, "");
    let file = folder.path().join("journal.db");
    let (whole, part) = (rusqlite::Connection::open(&file).unwrap(), folder.path().join("part.db"));
    whole.execute("VACUUM INTO ?1", [part.to_str().unwrap()]).unwrap();
    drop(whole);
    let shorter = rusqlite::Connection::open(&part).unwrap();
    shorter.execute_batch("DROP TRIGGER no_delete; DELETE FROM events WHERE seq > 1").unwrap();
    drop(shorter);
    std::fs::rename(part, file).unwrap();
    let (exit, results, remarks) = shown(folder.path(), &[]).await;
    assert_eq!((exit, results.lines().count()), (Exit::Passed, 1));
    assert!(remarks.contains("2 events after event 1 are missing"), "{remarks}");
}

fn message(phone: &str, method: &str, status: Option<u16>, sip_call_id: &str) -> (Subject, SipEvent) {
    let event = SipEvent::Received {
        transport: Transport::Udp,
        local: "127.0.0.1:1".parse().unwrap(),
        remote: "127.0.0.1:2".parse().unwrap(),
        summary: SipSummary {
            method: Some(method.into()),
            status,
            sip_call_id: Some(sip_call_id.into()),
            ..SipSummary::default()
        },
        message: RawMessage::Text(format!("{method} sip:b SIP/2.0\r\nAllow: NOTIFY\r\n\r\n")),
    };
    (Subject::phone(phone.parse().unwrap()), event)
}

#[tokio::test]
async fn a_call_has_the_invite_that_brought_it_and_only_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let add = |(subject, event): (Subject, SipEvent)| journal.append(subject, Cause::Network, event);
    add(message("b", "INVITE", None, "theirs"));
    add(message("b", "INVITE", None, "mine"));
    let incoming = CallEvent::Incoming {
        remote: "sip:a@pbx".into(),
        local: "sip:b@pbx".into(),
        sip_call_id: "mine".into(),
        contact: None,
    };
    journal.append(Subject::call("b".parse().unwrap(), CallId(9)), Cause::Network, incoming);
    add(message("b", "BYE", Some(486), "mine"));
    add(message("a", "INVITE", None, "mine"));
    journal.flush_blocking().unwrap();
    let positions = async |words: &[&str]| {
        let (exit, json, remarks) = shown(folder.path(), &[words, &["--json"]].concat()).await;
        assert_eq!((exit, remarks.as_str()), (Exit::Passed, ""), "{words:?}");
        let events = json.lines().map(|line| serde_json::from_str::<Envelope>(line).unwrap().seq.0);
        events.collect::<Vec<u64>>()
    };
    assert_eq!(positions(&["--call", "9"]).await, [5, 6, 7]);
    assert_eq!(positions(&["--call", "9", "--last", "2"]).await, [6, 7]);
    assert_eq!(positions(&["--call", "9", "--phone", "a"]).await, [8], "the same Call-ID on the other phone");
    assert_eq!(positions(&["--method", "INVITE"]).await, [4, 5, 8]);
    assert_eq!(positions(&["--method", "INVITE", "--last", "1"]).await, [8]);
    assert_eq!(positions(&["--status", "4xx"]).await, [7]);
    assert_eq!(positions(&["--status", "487"]).await, [0_u64; 0]);
    assert_eq!(positions(&["--method", "NOTIFY"]).await, [0_u64; 0], "Allow is no method of a message");
}

#[tokio::test]
async fn what_the_journal_does_not_know_is_an_error_that_names_what_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    journal.append(
        Subject::run(RunId(3)),
        Cause::Start,
        RunEvent::Started { name: "n".into(), phones: Vec::new(), source: None, tags: Vec::new() },
    );
    let placed = CallEvent::Placed { target: "x".into(), local: "y".into(), sip_call_id: "z".into() };
    journal.append(Subject::call("a".parse().unwrap(), CallId(7)), Cause::Network, placed);
    journal.flush_blocking().unwrap();
    for (words, told) in [
        (["--call", "9"], "no call-9; the newest are call-7"),
        (["--run", "4"], "no run-4; the newest are run-3"),
        (["--phone", "c"], "no phone 'c'; there is none"),
    ] {
        let (exit, results, remarks) = shown(folder.path(), &words).await;
        assert_eq!((exit, results.as_str()), (Exit::Invalid, ""), "{words:?}");
        assert!(remarks.contains(told), "{remarks}");
    }
    for bad in ["99", "7xx", "busy"] {
        assert!(Line::try_parse_from(["log", "--status", bad]).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn an_export_is_read_back_and_is_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let _journal = journal(folder.path());
    let file = folder.path().join("x.jsonl");
    let words = ["--export", file.to_str().unwrap(), "--phone", "a"];
    let (exit, told, _) = shown(folder.path(), &words).await;
    assert_eq!((exit, told), (Exit::Passed, format!("2 events written to {}\n", file.display())));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(shown(&file, &[]).await.1, shown(folder.path(), &["--phone", "a"]).await.1);
    let (exit, _, remarks) = shown(folder.path(), &words).await;
    assert_eq!(exit, Exit::Invalid);
    assert!(remarks.contains("is there already"), "{remarks}");
}
