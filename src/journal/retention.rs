//! Retiring the oldest events: whole calls and whole runs that are over, and nothing that still
//! counts.
//!
//! First the folds are saved, so that they lose nothing. Then the file removes one call or run
//! after another, and `journal.pruned` says what is gone, which makes the views forget it too.
//! Removing takes a lock, held by one task in this process or by a process other than the writer.
//! In the latter case the writer reports what is gone when it next writes.

use std::{
    collections::BTreeSet,
    fs::File,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Journal, JournalError, KeptFold, PruneError, Query,
    handle::FILE,
    snapshot::{self, Snapshot},
    sqlite::{Owed, Retirer, Source, Unit, lock_to_retire},
    state::Shared,
};
use crate::{
    event::{Cause, Envelope, Subject, Surface, SystemEvent},
    id::Seq,
};

/// How often a journal with a maximum age looks for events that have become too old.
const AGAIN: Duration = Duration::from_secs(3_600);

/// A writer that reports what is gone holds the lock only for a moment; a process that removes
/// events holds it longer than all these tries.
const TRIES: u32 = 100;
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// Events read at once.
const PAGE: usize = 1_000;

/// Who asks for the oldest events to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The setting `--keep` of a running process.
    Keep,
    /// A user, with `offhook log --prune`.
    Prune,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many events.
    pub events: u64,
    /// How many calls, including those of runs.
    pub calls: u64,
    /// How many runs.
    pub runs: u64,
}

impl Asker {
    const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Prune => "prune",
        }
    }
}

impl Pruned {
    fn of(owed: &[Owed]) -> Self {
        let calls = owed.iter().filter(|owed| matches!(owed.unit, Unit::Call(_))).count();
        let events = owed.iter().map(|owed| owed.count).fold(0, u64::saturating_add);
        let whole = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self { events, calls: whole(calls), runs: whole(owed.len().saturating_sub(calls)) }
    }
}

impl Journal {
    /// Removes the calls and runs that are over and older than `until`.
    ///
    /// # Errors
    /// [`PruneError`] says what stopped it; calls and runs removed up to then are gone completely
    /// and have been journaled.
    pub async fn prune(&self, until: Timestamp, asker: Asker) -> Result<Pruned, PruneError> {
        let journal = self.clone();
        let pruned = tokio::task::spawn_blocking(move || journal.prune_blocking(until, asker)).await;
        pruned.unwrap_or_else(|error| Err(PruneError::NotKept(std::io::Error::other(error))))
    }

    /// Prunes like [`prune`](Self::prune), blocking the thread.
    ///
    /// # Errors
    /// As [`prune`](Self::prune).
    pub fn prune_blocking(&self, until: Timestamp, asker: Asker) -> Result<Pruned, PruneError> {
        let disk = self.inner.disk.as_ref().ok_or(PruneError::InMemory)?;
        let shared = &self.inner.shared;
        let lock = turn(&disk.folder)?;
        self.flush_blocking()?;
        let upto = disk.keeper.keep_all(shared).map_err(PruneError::NotKept)?;
        let pruned = retire(&disk.folder, &disk.source, until, upto, asker);
        tell(shared, &disk.source)?;
        drop(lock);
        pruned
    }

    /// Removes what is older than `age`, now and then every hour, until aborted.
    pub async fn keep_for(self, age: Duration) {
        loop {
            let until = self.wall().now().checked_sub(age).unwrap_or(Timestamp::MIN);
            match self.prune(until, Asker::Keep).await {
                Ok(Pruned { events: 0, .. }) => {}
                Ok(pruned) => tracing::info!(events = pruned.events, "the oldest events were removed"),
                Err(error) => tracing::warn!(%error, "the oldest events are not removed"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Takes the lock for removing, if its holder releases it within a moment.
fn turn(folder: &Path) -> Result<File, PruneError> {
    for _ in 0..TRIES {
        if let Some(lock) = lock_to_retire(folder)? {
            return Ok(lock);
        }
        std::thread::park_timeout(TRY_AGAIN);
    }
    lock_to_retire(folder)?.ok_or(PruneError::Busy)
}

/// Removes events from a folder that another process may be writing to; that process reports them
/// when it next writes.
///
/// # Errors
/// [`PruneError`] says what stopped it; calls and runs removed up to then are gone completely.
pub fn prune_beside<F: KeptFold>(
    folder: &Path,
    until: Timestamp,
    asker: Asker,
) -> Result<Pruned, PruneError> {
    let lock = turn(folder)?;
    let source = Source::open(&folder.join(FILE))?;
    let upto = keep_beside::<F>(folder, &source)?;
    let pruned = retire(folder, &source, until, upto, asker);
    drop(lock);
    pruned
}

/// Saves a fold of what a folder holds; returns its position.
fn keep_beside<F: KeptFold>(folder: &Path, source: &Source) -> Result<Seq, PruneError> {
    let (mut fold, mut seen) = snapshot::load::<F>(folder, source).unwrap_or_default();
    let mut shown = seen;
    loop {
        let page = source.select(&Query { after: Some(shown), limit: Some(PAGE), ..Query::default() })?;
        for envelope in &page.events {
            fold.apply(envelope);
            (seen, shown) = (envelope.seq, envelope.seq);
        }
        match page.damaged {
            Some((seq, error)) => {
                tracing::error!(%seq, %error, "a stored event cannot be understood");
                shown = seq;
            }
            None if page.events.is_empty() => break,
            None => {}
        }
    }
    let data = serde_json::to_vec(&fold).map_err(|error| PruneError::NotKept(error.into()))?;
    let snapshot = Snapshot { name: F::NAME, version: F::VERSION, seq: seen, data };
    snapshot.write(folder, source).map_err(PruneError::NotKept)?;
    Ok(seen)
}

/// Completes what a process that died left unfinished, then removes what is old enough.
fn retire(
    folder: &Path,
    source: &Source,
    until: Timestamp,
    upto: Seq,
    asker: Asker,
) -> Result<Pruned, PruneError> {
    let mut retirer = Retirer::open(&folder.join(FILE))?;
    retirer.finish()?;
    let before = retirer.newest_id()?;
    let plan = retirer.plan(until, upto)?;
    retirer.retire(&plan, asker.name())?;
    retirer.end();
    Ok(Pruned::of(&source.owed(before)?))
}

/// Completes a removal that a process left unfinished when it died, unless somebody is removing
/// now.
pub(super) fn finish(folder: &Path) -> Result<(), JournalError> {
    match lock_to_retire(folder)? {
        Some(_lock) => Retirer::open(&folder.join(FILE))?.finish(),
        None => Ok(()),
    }
}

/// Appends `journal.pruned` for what is gone and not reported yet; nobody may be removing
/// meanwhile.
pub(super) fn tell(shared: &Shared, source: &Source) -> Result<(), JournalError> {
    let mut told = shared.told.lock().unwrap_or_else(PoisonError::into_inner);
    let owed = source.owed(*told)?;
    let (Some(last), horizon) = (owed.last(), source.horizon()?) else { return Ok(()) };
    *told = last.id;
    forget(shared, source, &owed, horizon)?;
    let number = |run: bool| {
        let numbers = owed.iter().filter_map(move |owed| match owed.unit {
            Unit::Call(call) => (!run).then_some(call.0),
            Unit::Run(id) => run.then_some(id.0),
        });
        ranges(numbers.collect())
    };
    let pruned = SystemEvent::Pruned {
        from: owed.iter().map(|owed| owed.first).min().unwrap_or_default(),
        to: owed.iter().map(|owed| owed.last).max().unwrap_or_default(),
        count: Pruned::of(&owed).events,
        by: last.asker.clone(),
        calls: number(false),
        runs: number(true),
    };
    let asked = last.asker == Asker::Prune.name();
    let cause = if asked { Cause::command(Surface::Cli) } else { Cause::Start };
    shared.append(Subject::system(), cause, pruned.into());
    Ok(())
}

/// Removes from memory what is gone from the file.
fn forget(shared: &Shared, source: &Source, owed: &[Owed], horizon: Seq) -> Result<(), JournalError> {
    // Otherwise folds would miss events they have not applied yet.
    shared.folds().iter().for_each(|fold| fold.catch_up(shared));
    let mut calls = BTreeSet::new();
    let mut runs = BTreeSet::new();
    for owed in owed {
        match owed.unit {
            Unit::Call(call) => calls.insert(call),
            Unit::Run(run) => runs.insert(run),
        };
    }
    let concerned = |envelope: &Arc<Envelope>| {
        let subject = &envelope.subject;
        subject.call.is_some_and(|call| calls.contains(&call))
            || subject.run.is_some_and(|run| runs.contains(&run))
    };
    let in_memory: Vec<Seq> = {
        let mut state = shared.lock();
        state.horizon = state.horizon.max(horizon);
        let events = state.memory.after(Seq(0), usize::MAX);
        let old = events.take_while(|envelope| envelope.seq <= horizon);
        old.filter(|envelope| concerned(envelope)).map(|envelope| envelope.seq).collect()
    };
    let stored = source.get_many(&in_memory)?;
    let gone = in_memory.into_iter().zip(stored).filter(|(_, event)| event.is_none());
    let gone: BTreeSet<Seq> = gone.map(|(seq, _)| seq).collect();
    if !gone.is_empty() {
        shared.lock().memory.remove(&gone);
    }
    Ok(())
}

/// Returns the first and last number of each contiguous range.
fn ranges(numbers: BTreeSet<u64>) -> Vec<[u64; 2]> {
    let mut ranges: Vec<[u64; 2]> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some([_, last]) if last.checked_add(1) == Some(number) => *last = number,
            Some(_) | None => ranges.push([number, number]),
        }
    }
    ranges
}
