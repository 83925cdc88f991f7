//! `offhook log`: shows the journal, even while another process writes it.
//!
//! One line per event for people, the event itself as JSON for programs. Following polls the file a
//! few times a second, because the writer is another process that does not know of us.

use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    super::{Exit, Output, prune},
    selection::{Selection, Status, Way},
};
use crate::{
    event::{Envelope, Event, EventPattern, RawMessage},
    id::{CallId, PhoneId, RunId, Seq},
    journal::{Archive, BadLine, Journal, JournalError, Query, ReplayError, Skipped, import},
    private,
    view::describe,
    wall::Wall,
};

/// How often the file is polled while following.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Events shown at once, so that a long journal need not fit into memory.
const PAGE: usize = 1_000;

/// Arguments of `offhook log`.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Data folder, its journal.db, or a file of exported lines (.jsonl).
    #[arg(long, value_name = "DIR", default_value = ".")]
    data: PathBuf,
    /// Only this phone's events, its calls included.
    #[arg(long, value_name = "NAME")]
    pub(super) phone: Option<PhoneId>,
    /// Only this call's events, `call-7` or 7.
    #[arg(long, value_name = "CALL")]
    pub(super) call: Option<CallId>,
    /// Only this run's events, `run-3` or 3.
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<RunId>,
    /// Only these kinds: `call.ended`, or `call` for every kind of that subject.
    #[arg(long, value_name = "KIND[,KIND]", value_delimiter = ',')]
    pub(super) kind: Vec<EventPattern>,
    /// Only SIP messages of this method, responses to it included.
    #[arg(long, value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// Only SIP responses with this status: `486`, or `4xx`.
    #[arg(long, value_name = "STATUS")]
    pub(super) status: Option<Status>,
    /// Only SIP messages that went this way.
    #[arg(long, value_enum, value_name = "WAY")]
    pub(super) direction: Option<Way>,
    /// Only what contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) text: Option<String>,
    /// Only what happened since: `5m`, `1h30m`, or a time such as 2026-01-02T03:04:05Z.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only the newest N events.
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Go on showing what happens until Ctrl-C.
    #[arg(long)]
    pub(super) follow: bool,
    /// Writes the events to a new file of JSON lines that only its owner can read, instead of showing them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["follow", "sip", "json"])]
    export: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long, conflicts_with = "sip")]
    json: bool,
    /// Show SIP messages in full below their line.
    #[arg(long)]
    sip: bool,
    /// Removes calls and runs that are over and older than --keep, instead of showing anything.
    #[arg(long, requires = "keep", conflicts_with_all = ["phone", "call", "run", "kind", "method", "status", "direction", "text", "since", "last", "follow", "sip", "export"])]
    prune: bool,
    /// Age up to which everything is kept: `30d`, `12h`.
    #[arg(long, value_name = "AGE", requires = "prune", value_parser = prune::age)]
    keep: Option<Duration>,
}

/// A point in time, absolute or relative to now.
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
pub(super) enum Events {
    Archive(Archive),
    Lines(Journal),
}

impl Events {
    pub(super) fn query(&self, query: &Query) -> Result<(Vec<Arc<Envelope>>, Vec<Skipped>), JournalError> {
        match self {
            Self::Archive(archive) => archive.query(query),
            Self::Lines(journal) => Ok((journal.query_blocking(query)?, Vec::new())),
        }
    }

    /// Returns whether this is a file of lines without a single event; a journal may be as young as that.
    fn is_empty_export(&self) -> Result<bool, JournalError> {
        match self {
            Self::Archive(_) => Ok(false),
            Self::Lines(journal) => {
                Ok(journal.query_blocking(&Query { limit: Some(1), ..Query::default() })?.is_empty())
            }
        }
    }

    fn lost_end(&self) -> Result<Option<(Seq, u64)>, JournalError> {
        match self {
            Self::Archive(archive) => archive.lost_end(),
            Self::Lines(_) => Ok(None),
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
        // `offhook log | head` ends here, and that is not a failure.
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
        Ok(exit) => Ok(exit),
        Err(ShowError::NothingInside) => {
            let data = args.data.display();
            output.remark(format_args!("offhook log: {data} holds no event that --export wrote"))?;
            Ok(Exit::NotReady)
        }
        Err(ShowError::Output(error)) => Err(error),
        Err(error @ ShowError::Export(_)) => {
            output.remark(format_args!("offhook log: {error}"))?;
            Ok(Exit::NotReady)
        }
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
    #[error("the export cannot be written: {0}")]
    Export(io::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("there is no event in it")]
    NothingInside,
}

async fn print(events: &Events, args: &LogArgs, output: &mut Output) -> Result<Exit, ShowError> {
    let since = args.since.map(|since| match since {
        Since::At(at) => at,
        Since::Ago(ago) => Wall::system().now().checked_sub(ago).unwrap_or(Timestamp::MIN),
    });
    let selection = match Selection::of(args, events, since)? {
        Ok(selection) => selection,
        Err(unknown) => {
            output.remark(format_args!("offhook log: {unknown}"))?;
            return Ok(Exit::Invalid);
        }
    };
    if events.is_empty_export()? {
        return Err(ShowError::NothingInside);
    }
    let file = match &args.export {
        None => None,
        Some(path) if path.exists() => {
            output.remark(format_args!("offhook log: {} is there already", path.display()))?;
            return Ok(Exit::Invalid);
        }
        Some(path) => Some(BufWriter::new(private::create_file(path).map_err(ShowError::Export)?)),
    };
    if let Some((lost_after, count)) = events.lost_end()? {
        let data = args.data.display();
        output.remark(format_args!(
            "{data}: {count} events after event {lost_after} are missing: journal.db or journal.db-wal was lost, cut or \
             replaced by an older one"
        ))?;
    }
    let mut printer = Printer { args, output, zone: TimeZone::system(), file, written: 0 };
    let mut after = Seq(0);
    if let Some(last) = args.last {
        after = newest(events, &selection, last, &mut printer)?;
    }
    while args.last.is_none() || args.follow {
        let page = Query { after: Some(after), limit: Some(PAGE), ..selection.query.clone() };
        let (found, skipped) = events.query(&page)?;
        printer.damage(&skipped)?;
        let mut wanted = found.iter().filter(|envelope| selection.wants(envelope));
        wanted.try_for_each(|envelope| printer.event(envelope))?;
        let damaged = skipped.iter().filter_map(|skipped| match skipped {
            Skipped::Row { seq, .. } => Some(*seq),
            Skipped::Line { .. } => None,
        });
        let Some(newest) = found.last().map(|envelope| envelope.seq).into_iter().chain(damaged).max() else {
            if !args.follow || matches!(events, Events::Lines(_)) {
                break;
            }
            printer.output.flush()?;
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        };
        after = newest;
    }
    printer.end()?;
    Ok(Exit::Passed)
}

/// Shows the newest events; returns the position up to which everything was examined.
fn newest(
    events: &Events,
    selection: &Selection,
    last: usize,
    printer: &mut Printer<'_>,
) -> Result<Seq, ShowError> {
    let (mut shown, mut before, mut head) = (Vec::new(), None, Seq(0));
    while shown.len() < last {
        let page = Query { newest_first: true, before, limit: Some(PAGE), ..selection.query.clone() };
        let (found, skipped) = events.query(&page)?;
        printer.damage(&skipped)?;
        head = head.max(found.first().map_or(Seq(0), |newest| newest.seq));
        let Some(oldest) = found.last() else { break };
        before = Some(oldest.seq);
        let room = last.saturating_sub(shown.len());
        shown.extend(found.into_iter().filter(|envelope| selection.wants(envelope)).take(room));
    }
    shown.iter().rev().try_for_each(|envelope| printer.event(envelope))?;
    Ok(head)
}

struct Printer<'a> {
    args: &'a LogArgs,
    output: &'a mut Output,
    zone: TimeZone,
    /// Where exported events go.
    file: Option<BufWriter<std::fs::File>>,
    written: u64,
}

impl Printer<'_> {
    fn damage(&mut self, skipped: &[Skipped]) -> io::Result<()> {
        skipped.iter().try_for_each(|skipped| self.output.remark(skipped))
    }

    fn event(&mut self, envelope: &Envelope) -> Result<(), ShowError> {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(envelope).map_err(io::Error::from).map_err(ShowError::Export)?;
            self.written = self.written.saturating_add(1);
            return writeln!(file, "{line}").map_err(ShowError::Export);
        }
        if self.args.json {
            return Ok(self.output.json(envelope)?);
        }
        self.output.line(line(envelope, &self.zone))?;
        let Event::Sip(event) = &envelope.event else { return Ok(()) };
        if let Some(passed) = event.on_wire().filter(|_| self.args.sip) {
            self.output.line(indented(passed.message))?;
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), ShowError> {
        if let (Some(file), Some(path)) = (&mut self.file, &self.args.export) {
            file.flush().map_err(ShowError::Export)?;
            let (written, noun) = (self.written, if self.written == 1 { "event" } else { "events" });
            self.output.line(format_args!("{written} {noun} written to {}", path.display()))?;
        }
        Ok(())
    }
}

/// Formats an event as one line: time, position, subject, kind and the essential data.
pub(super) fn line(envelope: &Envelope, zone: &TimeZone) -> String {
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

/// Formats a message below its line; control characters other than line ends are escaped.
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
