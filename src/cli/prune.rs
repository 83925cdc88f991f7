//! `offhook log --prune`: removes old calls and runs that are over from a data folder, whether a
//! process uses it or not.

use std::{io, path::Path, time::Duration};

use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::json;

use super::{Exit, Output};
use crate::{
    journal::{Asker, Journal, JournalError, PruneError, Pruned},
    view::{self, Views},
    wall::Wall,
};

/// Parses an age; a day has 24 hours.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let span: Result<Span, _> = text.parse();
    let age = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    age.and_then(Duration::try_from).map_err(|_| "expected an age such as `30d` or `12h`".to_owned())
}

/// Removes what is older than `keep` from the journal of `data`.
pub(super) async fn run(data: &Path, keep: Duration, as_json: bool, output: &mut Output) -> io::Result<Exit> {
    let folder = data.to_owned();
    let pruned = tokio::task::spawn_blocking(move || prune(&folder, keep)).await.map_err(io::Error::other)?;
    match pruned {
        Ok(Pruned { events, calls, runs }) if as_json => {
            output.json(&json!({ "events": events, "calls": calls, "runs": runs }))?;
            Ok(Exit::Passed)
        }
        Ok(Pruned { events, calls, runs }) => {
            output.line(format_args!("removed {events} events: {calls} calls, {runs} runs"))?;
            Ok(Exit::Passed)
        }
        Err(error) => {
            output.remark(format_args!("offhook log: {error}"))?;
            Ok(match error {
                PruneError::InMemory | PruneError::Busy => Exit::NotReady,
                PruneError::NotKept(_) | PruneError::Journal(_) => Exit::Internal,
            })
        }
    }
}

fn prune(folder: &Path, keep: Duration) -> Result<Pruned, PruneError> {
    let wall = Wall::system();
    let until = wall.now().checked_sub(keep).unwrap_or(Timestamp::MIN);
    if !folder.join("journal.db").is_file() {
        let source = io::Error::new(io::ErrorKind::NotFound, "no journal here");
        return Err(JournalError::Folder { path: folder.to_owned(), source }.into());
    }
    match Journal::open(folder, wall) {
        Ok(journal) => {
            let _views = Views::attach(&journal);
            let pruned = journal.prune_blocking(until, Asker::Prune);
            journal.close_blocking()?;
            pruned
        }
        // The process that uses it reports what is gone when it next writes.
        Err(JournalError::InUse { .. }) => view::prune_beside(folder, until, Asker::Prune),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_as_people_write_it() {
        for (text, seconds) in
            [("30d", 30 * 86_400), ("12h", 43_200), ("1h30m", 5_400), ("2w", 1_209_600), ("0s", 0)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "30", "soon", "-3d", "1 month"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
