//! `offhook log`: shows the journal, also while another process writes it.
//!
//! One line an event for people, the event itself as JSON for programs. Following looks at the file again a few
//! times a second, because the writer is another process that knows nothing of us.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Exit, Output, prune};
use crate::{
    event::{Envelope, Event, EventPattern, RawMessage},
    id::{CallId, PhoneId, RunId, Seq},
    journal::{Archive, BadLine, Journal, JournalError, Query, ReplayError, Skipped, import},
    view::describe,
    wall::Wall,
};

/// How often the file is looked at while following.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Events shown at a time, so that a long journal does not have to fit into memory.
const PAGE: usize = 1_000;

/// Arguments of `offhook log`.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Data folder, its journal.db, or a file of exported lines (.jsonl).
    #[arg(long, value_name = "DIR", default_value = ".")]
    data: PathBuf,
    /// Only this phone's events, its calls included.
    #[arg(long, value_name = "NAME")]
    phone: Option<PhoneId>,
    /// Only this call's events, `call-7` or 7.
    #[arg(long, value_name = "CALL")]
    call: Option<CallId>,
    /// Only this run's events, `run-3` or 3.
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// Only these kinds: `call.ended`, or `call` for every kind of that subject.
    #[arg(long, value_name = "KIND[,KIND]", value_delimiter = ',')]
    kind: Vec<EventPattern>,
    /// Only what contains this text.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only what happened since: `5m`, `1h30m`, or a time such as 2026-01-02T03:04:05Z.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only the newest N events.
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Go on showing what happens until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// One JSON object a line.
    #[arg(long, conflicts_with = "sip")]
    json: bool,
    /// Show SIP messages in full below their line.
    #[arg(long)]
    sip: bool,
    /// Removes calls and runs that are over and older than --keep, instead of showing anything.
    #[arg(long, requires = "keep", conflicts_with_all = ["phone", "call", "run", "kind", "text", "since", "last", "follow", "sip"])]
    prune: bool,
    /// Age up to which everything is kept: `30d`, `12h`.
    #[arg(long, value_name = "AGE", requires = "prune", value_parser = prune::age)]
    keep: Option<Duration>,
}

/// A moment, absolute or back from now.
#[derive(Clone, Copy, Debug)]
enum Since {
    At(Timestamp),
    Ago(SignedDuration),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(at) = text.parse() {
        return Ok(Since::At(at));
    }
    let ago: Result<SignedDuration, _> = text.parse();
    ago.map(|ago| Since::Ago(ago.abs()))
        .map_err(|_| "expected `5m`, `1h30m` or 2026-01-02T03:04:05Z".to_owned())
}

/// Where the events come from.
enum Events {
    Archive(Archive),
    Lines(Journal),
}

impl Events {
    fn query(&self, query: &Query) -> Result<(Vec<Arc<Envelope>>, Vec<Skipped>), JournalError> {
        match self {
            Self::Archive(archive) => archive.query(query),
            Self::Lines(journal) => Ok((journal.query_blocking(query)?, Vec::new())),
        }
    }
}

/// Executes the verb.
pub(crate) async fn run(args: LogArgs, output: &mut Output) -> io::Result<Exit> {
    if let (true, Some(keep)) = (args.prune, args.keep) {
        return prune::run(&args.data, keep, args.json, output).await;
    }
    let shown = tokio::select! {
        shown = show(&args, output) => shown,
        interrupted = tokio::signal::ctrl_c() => return interrupted.map(|()| Exit::Interrupted),
    };
    match shown {
        // `offhook log | head` ends here, and that is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Passed),
        other => other,
    }
}

async fn show(args: &LogArgs, output: &mut Output) -> io::Result<Exit> {
    let events = match open(&args.data) {
        Ok((events, bad)) => {
            for bad in bad {
                output.remark(format_args!("{}: {bad}", args.data.display()))?;
            }
            events
        }
        Err(error) => {
            output.remark(format_args!("offhook log: {error}"))?;
            return Ok(Exit::NotReady);
        }
    };
    match print(&events, args, output).await {
        Ok(()) => Ok(Exit::Passed),
        Err(ShowError::Output(error)) => Err(error),
        Err(ShowError::Journal(error)) => {
            output.remark(format_args!("offhook log: {error}"))?;
            Ok(Exit::Internal)
        }
    }
}

fn open(path: &Path) -> Result<(Events, Vec<BadLine>), ReplayError> {
    if path.is_dir() || !path.is_file() || path.extension().is_some_and(|extension| extension == "db") {
        return Ok((Events::Archive(Archive::open(path)?), Vec::new()));
    }
    let unreadable = |source| ReplayError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let imported = import(io::BufReader::new(file), Wall::system()).map_err(unreadable)?;
    Ok((Events::Lines(imported.journal), imported.bad))
}

/// Why showing ended early.
#[derive(Debug, thiserror::Error)]
enum ShowError {
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

async fn print(events: &Events, args: &LogArgs, output: &mut Output) -> Result<(), ShowError> {
    let since = args.since.map(|since| match since {
        Since::At(at) => at,
        Since::Ago(ago) => Wall::system().now().checked_sub(ago).unwrap_or(Timestamp::MIN),
    });
    let selection = Query {
        phone: args.phone.clone(),
        call: args.call,
        run: args.run,
        kinds: args.kind.clone(),
        since,
        text: args.text.clone(),
        ..Query::default()
    };
    let mut printer = Printer { args, output, zone: TimeZone::system() };
    let mut after = Seq(0);
    if let Some(last) = args.last {
        let newest = Query { newest_first: true, limit: Some(last), ..selection.clone() };
        let (found, skipped) = events.query(&newest)?;
        printer.damage(&skipped)?;
        found.iter().rev().try_for_each(|envelope| printer.event(envelope))?;
        after = found.first().map_or(Seq(0), |newest| newest.seq);
        if !args.follow {
            return Ok(());
        }
    }
    loop {
        let page = Query { after: Some(after), limit: Some(PAGE), ..selection.clone() };
        let (found, skipped) = events.query(&page)?;
        printer.damage(&skipped)?;
        found.iter().try_for_each(|envelope| printer.event(envelope))?;
        let damaged = skipped.iter().filter_map(|skipped| match skipped {
            Skipped::Row { seq, .. } => Some(*seq),
            Skipped::Line { .. } => None,
        });
        let Some(newest) = found.last().map(|envelope| envelope.seq).into_iter().chain(damaged).max() else {
            if !args.follow || matches!(events, Events::Lines(_)) {
                return Ok(());
            }
            printer.output.flush()?;
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        };
        after = newest;
    }
}

struct Printer<'a> {
    args: &'a LogArgs,
    output: &'a mut Output,
    zone: TimeZone,
}

impl Printer<'_> {
    fn damage(&mut self, skipped: &[Skipped]) -> io::Result<()> {
        skipped.iter().try_for_each(|skipped| self.output.remark(skipped))
    }

    fn event(&mut self, envelope: &Envelope) -> io::Result<()> {
        if self.args.json {
            return self.output.json(envelope);
        }
        self.output.line(line(envelope, &self.zone))?;
        let Event::Sip(event) = &envelope.event else { return Ok(()) };
        match event.on_wire().filter(|_| self.args.sip) {
            Some(passed) => self.output.line(indented(passed.message)),
            None => Ok(()),
        }
    }
}

/// Shows an event in one line: time, position, subject, kind and the essential data.
fn line(envelope: &Envelope, zone: &TimeZone) -> String {
    let at = envelope.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let subject = &envelope.subject;
    let mut whom = Vec::new();
    whom.extend(subject.phone.as_ref().map(ToString::to_string));
    whom.extend(subject.call.map(|call| call.to_string()));
    whom.extend(subject.run.map(|run| run.to_string()));
    let whom = if whom.is_empty() { "-".to_owned() } else { whom.join(" ") };
    let text = format!(
        "{at} {seq:>6} {whom:<12} {kind:<24} {what}",
        seq = envelope.seq.0,
        kind = envelope.event.kind(),
        what = describe(&envelope.event)
    );
    text.trim_end().to_owned()
}

/// Shows a message below its line; other control characters than line ends become escapes.
fn indented(message: &RawMessage) -> String {
    let text = match message {
        RawMessage::Text(text) => text.as_str(),
        RawMessage::Base64(text) => return format!("    base64 {text}"),
    };
    let shown = |line: &str| {
        let visible: String = line
            .chars()
            .map(|c| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.to_string() })
            .collect();
        format!("    {visible}").trim_end().to_owned()
    };
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use clap::Parser;

    use super::*;
    use crate::event::{CallEvent, Cause, Party, SipEvent, SipSummary, Subject, Transport};

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
            let log = crate::event::RunEvent::Log { message: "later".into() };
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
                "there are call.*, dtmf.*, journal.*, media.*, message.*, pbx.*, phone.*, run.*, sip.*, system.*",
            ),
            (["--since", "yesterday"], "expected `5m`"),
            (["--phone", "A"], "must match"),
            (["--call", "x"], "call-N"),
        ] {
            let refused = Line::try_parse_from(["log"].iter().chain(&words)).err().unwrap().to_string();
            assert!(refused.contains(told), "{refused}");
        }
    }
}
