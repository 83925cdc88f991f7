//! Folding a journal that we do not write: an exported file, or a data folder that another process
//! may be using.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Fold, JournalError, LineFault, Query, RowFault, gaps,
    handle::FILE,
    jsonl, mark,
    sqlite::{Page, Source},
};
use crate::{event::Envelope, id::Seq};

/// Events read at once.
const PAGE: usize = 1_000;

/// A journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no journal in the folder.
    #[error("{}: no journal here", path.display())]
    NoJournal {
        /// The folder.
        path: PathBuf,
    },
    /// The database reported an error.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What could not be folded, and where it is.
#[derive(Debug, thiserror::Error)]
pub enum Skipped {
    /// A line of an exported file.
    #[error("line {line}: {cause}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        cause: LineFault,
    },
    /// A row of a database.
    #[error("event {seq}: {cause}")]
    Row {
        /// Its position.
        seq: Seq,
        /// What is wrong with it.
        cause: RowFault,
    },
}

/// The result of a replay.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Events folded.
    pub events: u64,
    /// What could not be folded.
    pub skipped: Vec<Skipped>,
}

/// Folds a JSONL file, a `journal.db` or the data folder around one, without writing anything.
///
/// # Errors
/// [`ReplayError`] if there is nothing to read; damaged parts are listed instead.
pub fn replay(path: &Path, fold: &mut dyn Fold) -> Result<Replayed, ReplayError> {
    if path.is_dir() || path.extension().is_some_and(|extension| extension == "db") {
        return Archive::open(path)?.fold(fold);
    }
    let unreadable = |source| ReplayError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut replayed = Replayed::default();
    jsonl::each_line(BufReader::new(file), |line, found| match found {
        Ok(envelope) => {
            fold.apply(&envelope);
            replayed.events = replayed.events.saturating_add(1);
        }
        Err(cause) => replayed.skipped.push(Skipped::Line { line, cause }),
    })
    .map_err(unreadable)?;
    Ok(replayed)
}

/// A journal's database, opened for reading while another process may write it.
pub struct Archive {
    source: Source,
    folder: PathBuf,
}

impl Archive {
    /// Opens a `journal.db` or the data folder around one.
    ///
    /// # Errors
    /// [`ReplayError`] if there is none or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        if !file.is_file() {
            return Err(ReplayError::NoJournal { path: path.to_owned() });
        }
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { source: Source::open(&file)?, folder })
    }

    /// Returns after which event how many are missing at the end: the database or its log was lost, cut or replaced. The next
    /// process that opens the folder to write writes it down.
    ///
    /// # Errors
    /// [`JournalError`] when the database refuses.
    pub fn lost_end(&self) -> Result<Option<(Seq, u64)>, JournalError> {
        // First: whoever writes may go on meanwhile.
        let reached = mark::reached_in(&self.folder);
        Ok(gaps::lost_end(self.source.head()?.max(self.source.horizon()?), reached))
    }

    /// Returns the position of the newest event written so far.
    ///
    /// # Errors
    /// [`JournalError`] if the database reports an error.
    pub fn head(&self) -> Result<Seq, JournalError> {
        self.source.head()
    }

    /// Returns the selected events that have been written; damaged rows are listed separately.
    ///
    /// # Errors
    /// [`JournalError`] if the database reports an error.
    pub fn query(&self, query: &Query) -> Result<(Vec<Arc<Envelope>>, Vec<Skipped>), JournalError> {
        let mut rest = query.clone();
        let mut events = Vec::new();
        let mut skipped = Vec::new();
        loop {
            let Page { events: found, damaged } = self.source.select(&rest)?;
            rest.limit = rest.limit.map(|limit| limit.saturating_sub(found.len()));
            events.extend(found);
            let Some((seq, cause)) = damaged else { return Ok((events, skipped)) };
            skipped.push(Skipped::Row { seq, cause });
            let beyond = if query.newest_first { &mut rest.before } else { &mut rest.after };
            *beyond = Some(seq);
        }
    }

    fn fold(&self, fold: &mut dyn Fold) -> Result<Replayed, ReplayError> {
        let mut replayed = Replayed::default();
        let mut after = Seq(0);
        loop {
            let page = Query { after: Some(after), limit: Some(PAGE), ..Query::default() };
            let (events, skipped) = self.query(&page)?;
            let Some(last) = events.last() else {
                replayed.skipped.extend(skipped);
                return Ok(replayed);
            };
            after = last.seq;
            // Rows after the last good one are read again with the next page.
            let before = |fault: &Skipped| matches!(fault, Skipped::Row { seq, .. } if *seq < after);
            replayed.skipped.extend(skipped.into_iter().filter(before));
            for envelope in &events {
                fold.apply(envelope);
                replayed.events = replayed.events.saturating_add(1);
            }
        }
    }
}
