//! A journal as JSON Lines: one envelope per line, for files, tickets and other programs.

use std::io::{self, BufRead, Read, Write};

use super::{Journal, JournalError, Query};
use crate::{event::Envelope, id::Seq, wall::Wall};

/// Longest line that is read; no event comes near it.
const LINE: u64 = 16 * 1024 * 1024;

/// Events exported at a time.
const PAGE: usize = 1_000;

/// A journal cannot be written as lines.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The events cannot be read back.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The output failed.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// An event has no JSON form.
    #[error("event {seq}: {source}")]
    Event {
        /// Its position.
        seq: Seq,
        /// Why.
        source: serde_json::Error,
    },
}

/// A line that is not an event of a journal.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: LineFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// It is not JSON, or not an event that this version knows.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Its position is not after the previous line's.
    #[error("position {found} is not after {previous}")]
    Order {
        /// The line's position.
        found: Seq,
        /// The highest position so far.
        previous: Seq,
    },
    /// It is longer than any event.
    #[error("longer than {LINE} bytes")]
    TooLong,
}

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The good lines, in memory, with their own positions and times.
    pub journal: Journal,
    /// The bad lines.
    pub bad: Vec<BadLine>,
}

/// Writes the selected events, one per line; returns how many.
///
/// # Errors
/// [`ExportError`] if events cannot be read or written.
pub fn export(journal: &Journal, query: &Query, mut output: impl Write) -> Result<u64, ExportError> {
    let mut written = 0_u64;
    let mut write = |envelope: &Envelope| {
        let line = serde_json::to_string(envelope)
            .map_err(|source| ExportError::Event { seq: envelope.seq, source })?;
        writeln!(output, "{line}").map_err(ExportError::from)?;
        written = written.saturating_add(1);
        Ok::<_, ExportError>(())
    };
    if query.newest_first || query.limit.is_some() {
        journal.query_blocking(query)?.iter().try_for_each(|envelope| write(envelope))?;
    } else {
        // Page by page, so that a long journal need not fit into memory.
        let mut after = query.after.unwrap_or_default();
        loop {
            let page = Query { after: Some(after), limit: Some(PAGE), ..query.clone() };
            let events = journal.query_blocking(&page)?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            events.iter().try_for_each(|envelope| write(envelope))?;
        }
    }
    output.flush()?;
    Ok(written)
}

/// Reads lines into a journal in memory. Bad lines are listed, good ones kept, empty ones skipped.
///
/// # Errors
/// Only if `input` itself cannot be read.
pub fn import(input: impl BufRead, wall: Wall) -> io::Result<Imported> {
    let journal = Journal::in_memory_with_capacity(wall, usize::MAX);
    let mut bad = Vec::new();
    each_line(input, |line, found| {
        let cause = match found {
            Ok(envelope) => match (envelope.seq, journal.head()) {
                (found, previous) if found <= previous => LineFault::Order { found, previous },
                _ => {
                    journal.append_copy(envelope);
                    return;
                }
            },
            Err(cause) => cause,
        };
        bad.push(BadLine { line, cause });
    })?;
    Ok(Imported { journal, bad })
}

/// Parses one line of a journal.
///
/// # Errors
/// [`LineFault`] says what is wrong with it.
pub fn parse_line(line: &[u8]) -> Result<Envelope, LineFault> {
    Ok(serde_json::from_slice(line)?)
}

/// Calls back for every line that is not empty.
pub(super) fn each_line(
    mut input: impl BufRead,
    mut show: impl FnMut(u64, Result<Envelope, LineFault>),
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        if (&mut input).take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number = number.saturating_add(1);
        let complete = line.last() == Some(&b'\n');
        if !complete && u64::try_from(line.len()).is_ok_and(|length| length >= LINE) {
            input.skip_until(b'\n')?;
            show(number, Err(LineFault::TooLong));
            continue;
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            show(number, parse_line(text));
        }
    }
}
