//! Removing whole calls and runs that are over, oldest first.
//!
//! This uses a connection of its own, short transactions, and a pause after each, so that facts of
//! ongoing calls do not wait. Every removal is completed in the end: what a process leaves
//! unfinished when it dies, the next one completes.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::{
    Connection, OptionalExtension, Transaction, TransactionBehavior, params, params_from_iter, types::Value,
};

use super::{
    read::of_kinds,
    schema,
    wire::{integer, nanoseconds},
};
use crate::{
    event::EventPattern,
    id::{CallId, RunId, Seq},
    journal::JournalError,
};

/// Approximate number of events removed in one transaction.
const STRETCH: usize = 1_000;

/// What is removed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Unit {
    /// A call that belongs to no run.
    Call(CallId),
    /// A run with all its events.
    Run(RunId),
}

/// A removal that has not been journaled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Owed {
    pub(in crate::journal) id: i64,
    pub(in crate::journal) unit: Unit,
    pub(in crate::journal) first: Seq,
    pub(in crate::journal) last: Seq,
    pub(in crate::journal) count: u64,
    pub(in crate::journal) asker: String,
}

/// Removes events; whoever creates it holds the folder's lock for that.
pub(in crate::journal) struct Retirer {
    path: PathBuf,
    connection: Connection,
}

/// The extent of a call or run in the journal.
struct Extent {
    count: i64,
    last: i64,
    newest_at: i64,
    run: Option<i64>,
}

impl Retirer {
    pub(in crate::journal) fn open(file: &Path) -> Result<Self, JournalError> {
        Ok(Self { path: file.to_owned(), connection: schema::open(file)? })
    }

    fn failed(&self, source: rusqlite::Error) -> JournalError {
        JournalError::Sqlite { path: self.path.clone(), source }
    }

    /// Returns what may be removed: over for good, with no event at or after `until`, and none at
    /// position `upto` or later.
    ///
    /// The newest call and the newest run stay whatever their age, because numbering continues from
    /// them.
    pub(in crate::journal) fn plan(
        &self,
        until: Timestamp,
        upto: Seq,
    ) -> Result<Vec<(Unit, usize)>, JournalError> {
        self.units(nanoseconds(until), integer(upto.0)).map_err(|source| self.failed(source))
    }

    fn units(&self, until: i64, upto: i64) -> rusqlite::Result<Vec<(Unit, usize)>> {
        let newest_call = self.newest("call")?;
        let newest_run = self.newest("run")?;
        let is_past = |extent: &Extent| extent.newest_at < until && extent.last < upto;
        let mut units = Vec::new();
        for call in self.over("call", "call.ended", until)? {
            let extent = self.extent("call", call)?;
            let extent = extent.filter(|extent| extent.run.is_none() && is_past(extent));
            if let (true, Some(extent)) = (Some(call) != newest_call, extent) {
                let unit = Unit::Call(CallId(u64::try_from(call).unwrap_or_default()));
                units.push((unit, usize::try_from(extent.count).unwrap_or_default()));
            }
        }
        for run in self.over("run", "run.finished", until)? {
            let extent = self.extent("run", run)?.filter(is_past);
            let Some(extent) = extent.filter(|_| Some(run) != newest_run) else { continue };
            if self.calls_are_past(run, newest_call, until, upto)? {
                let unit = Unit::Run(RunId(u64::try_from(run).unwrap_or_default()));
                units.push((unit, usize::try_from(extent.count).unwrap_or_default()));
            }
        }
        Ok(units)
    }

    fn newest(&self, column: &str) -> rusqlite::Result<Option<i64>> {
        self.connection.query_row(&format!("SELECT max({column}) FROM events"), [], |row| row.get(0))
    }

    /// Returns the calls or runs that ended before a time.
    fn over(&self, column: &str, kind: &str, until: i64) -> rusqlite::Result<Vec<i64>> {
        let (condition, mut values) = of_kinds(&[EventPattern::new(kind)]);
        values.push(until.into());
        let sql = format!(
            "SELECT DISTINCT {column} FROM events WHERE {condition} AND at < ? AND {column} IS NOT NULL ORDER BY seq"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_map(params_from_iter(values), |row| row.get(0))?.collect()
    }

    fn extent(&self, column: &str, id: i64) -> rusqlite::Result<Option<Extent>> {
        let sql =
            format!("SELECT min(seq), max(seq), max(at), max(run), count(*) FROM events WHERE {column} = ?1");
        self.connection.prepare_cached(&sql)?.query_row([id], |row| {
            // Without rows there is one result, of nulls.
            let Some(_first) = row.get::<_, Option<i64>>(0)? else { return Ok(None) };
            let (last, newest_at) = (row.get(1)?, row.get(2)?);
            Ok(Some(Extent { last, newest_at, run: row.get(3)?, count: row.get(4)? }))
        })
    }

    /// Returns whether every call of a run is over and old, so that the whole run can be removed.
    fn calls_are_past(
        &self,
        run: i64,
        newest_call: Option<i64>,
        until: i64,
        upto: i64,
    ) -> rusqlite::Result<bool> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT call FROM events WHERE run = ?1 AND call IS NOT NULL")?;
        let calls: Vec<i64> =
            statement.query_map([run], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for call in calls {
            let (condition, mut values) = of_kinds(&[EventPattern::new("call.ended")]);
            values.push(call.into());
            let sql = format!("SELECT 1 FROM events WHERE {condition} AND call = ? LIMIT 1");
            let ended: Option<i64> = self
                .connection
                .prepare_cached(&sql)?
                .query_row(params_from_iter(values), |row| row.get(0))
                .optional()?;
            let extent = self.extent("call", call)?;
            let is_past = extent.is_some_and(|extent| extent.newest_at < until && extent.last < upto);
            if ended.is_none() || !is_past || Some(call) == newest_call {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes completely what a plan names; as many small calls and runs together as fit into a
    /// transaction.
    pub(in crate::journal) fn retire(
        &mut self,
        plan: &[(Unit, usize)],
        asker: &str,
    ) -> Result<(), JournalError> {
        let mut rest = plan;
        while !rest.is_empty() {
            let mut events = 0_usize;
            let fits = |(_, count): &&(Unit, usize)| {
                events = events.saturating_add(*count);
                events <= STRETCH
            };
            let together = rest.iter().take_while(fits).count().max(1);
            let (together, later) = rest.split_at(together);
            rest = later;
            let units = together.iter().map(|(unit, _)| *unit);
            self.begin(units, asker).map_err(|source| self.failed(source))?;
            self.finish()?;
        }
        Ok(())
    }

    /// Completes what was begun.
    pub(in crate::journal) fn finish(&mut self) -> Result<(), JournalError> {
        loop {
            let begun = Instant::now();
            if !self.stretch().map_err(|source| self.failed(source))? {
                return Ok(());
            }
            // As long as it held the file, so that a waiting writer gets its turn; nobody wakes us
            // before that.
            std::thread::park_timeout(begun.elapsed().max(Duration::from_millis(1)));
        }
    }

    /// Records what is to be removed before removing anything: from here on readers know that
    /// something is missing.
    fn begin(&mut self, units: impl Iterator<Item = Unit>, asker: &str) -> rusqlite::Result<()> {
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let write = |columns: &str, chosen: &str, id: i64| {
            let sql = format!(
                "INSERT OR IGNORE INTO retired (call, run, first, last, count, whole, asker) \
                 SELECT {columns}, min(seq), max(seq), 0, 0, ?2 FROM events WHERE {chosen} GROUP BY 1, 2"
            );
            begun.prepare_cached(&sql)?.execute(params![id, asker])
        };
        for unit in units {
            match unit {
                Unit::Call(call) => write("call, NULL", "call = ?1", integer(call.0))?,
                Unit::Run(run) => {
                    let of_calls = "call IN (SELECT call FROM events WHERE run = ?1 AND call IS NOT NULL)";
                    write("call, NULL", of_calls, integer(run.0))?;
                    write("NULL, run", "run = ?1", integer(run.0))?
                }
            };
        }
        let horizon = "UPDATE horizon SET seq = max(seq, (SELECT coalesce(max(last), 0) FROM retired))";
        begun.execute(horizon, [])?;
        begun.commit()
    }

    /// Removes the next stretch of what was begun; returns false when nothing is left.
    fn stretch(&mut self) -> rusqlite::Result<bool> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut left = STRETCH;
        let mut any = false;
        while left > 0 {
            let begun: Option<(i64, Option<i64>, Option<i64>)> = transaction
                .prepare_cached("SELECT id, call, run FROM retired WHERE NOT whole ORDER BY id LIMIT 1")?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((id, call, run)) = begun else { break };
            any = true;
            let removed = remove(&transaction, call, run, left)?;
            transaction
                .prepare_cached("UPDATE retired SET count = count + ?2, whole = ?3 WHERE id = ?1")?
                .execute(params![id, integer(removed as u64), removed < left])?;
            left = left.saturating_sub(removed);
        }
        transaction.commit()?;
        Ok(any)
    }

    /// Returns the number of the newest removal, for [`owed`] to tell what came after it.
    pub(in crate::journal) fn newest_id(&self) -> Result<i64, JournalError> {
        let newest = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'retired'";
        self.connection.query_row(newest, [], |row| row.get(0)).map_err(|source| self.failed(source))
    }

    /// Moves the removals from the log into the database, so that their pages can be reused.
    pub(in crate::journal) fn end(self) {
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "no checkpoint of the journal");
        }
    }
}

/// Removes a stretch of a call, or of a run without the facts about a phone that still exists.
fn remove(
    transaction: &Transaction<'_>,
    call: Option<i64>,
    run: Option<i64>,
    most: usize,
) -> rusqlite::Result<usize> {
    let most = integer(most as u64);
    let Some(run) = run else {
        let sql =
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE call = ?1 ORDER BY seq LIMIT ?2)";
        return transaction.prepare_cached(sql)?.execute(params![call, most]);
    };
    let of_phones = "run = ?1 AND call IS NULL AND phone IS NOT NULL";
    let phones: Vec<String> = transaction
        .prepare_cached(&format!("SELECT DISTINCT phone FROM events WHERE {of_phones}"))?
        .query_map([run], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut values: Vec<Value> = vec![run.into()];
    for phone in phones {
        if exists(transaction, &phone)? {
            values.push(phone.into());
        }
    }
    let stay = vec!["?"; values.len().saturating_sub(1)].join(", ");
    let sql = format!(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE run = ? \
         AND (call IS NOT NULL OR phone IS NULL OR phone NOT IN ({stay})) ORDER BY seq LIMIT {most})"
    );
    transaction.prepare(&sql)?.execute(params_from_iter(values))
}

/// Returns whether a phone was added and has not been dropped since.
fn exists(connection: &Connection, phone: &str) -> rusqlite::Result<bool> {
    let (condition, mut values) =
        of_kinds(&[EventPattern::new("phone.added"), EventPattern::new("phone.dropped")]);
    values.push(phone.to_owned().into());
    let sql = format!("SELECT kind FROM events WHERE {condition} AND phone = ? ORDER BY seq DESC LIMIT 1");
    let newest: Option<String> =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0)).optional()?;
    Ok(newest.is_some_and(|kind| kind != "phone.dropped"))
}

/// Returns complete removals after number `id` that have not been journaled yet.
pub(super) fn owed(connection: &Connection, id: i64) -> rusqlite::Result<Vec<Owed>> {
    let number = |stored: i64| u64::try_from(stored).unwrap_or_default();
    let mut statement = connection.prepare_cached(
        "SELECT id, call, run, first, last, count, asker FROM retired WHERE whole AND id > ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([id], |row| {
        let (call, run): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
        Ok(Owed {
            id: row.get(0)?,
            unit: match call {
                Some(call) => Unit::Call(CallId(number(call))),
                None => Unit::Run(RunId(number(run.unwrap_or_default()))),
            },
            first: Seq(number(row.get(3)?)),
            last: Seq(number(row.get(4)?)),
            count: number(row.get(5)?),
            asker: row.get(6)?,
        })
    })?;
    rows.collect()
}
