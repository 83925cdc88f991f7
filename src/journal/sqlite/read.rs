//! Reading events back, in order or by query.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, ffi, types::Value};

use super::{
    retire::{self, Owed},
    schema,
    wire::{self, COLUMNS, integer, nanoseconds},
};
use crate::{
    event::{Envelope, EventPattern, former_kinds},
    id::Seq,
    journal::{JournalError, Query, error::RowFault, query::needle},
};

/// Reads from a journal's file; works while this or another process writes.
pub(in crate::journal) struct Source {
    path: PathBuf,
    connection: Mutex<Connection>,
    retires: bool,
}

/// Rows as found.
#[derive(Default)]
pub(in crate::journal) struct Page {
    /// The events up to the first damaged row.
    pub(in crate::journal) events: Vec<Arc<Envelope>>,
    /// The row at which reading stopped.
    pub(in crate::journal) damaged: Option<(Seq, RowFault)>,
}

impl Source {
    /// Opens an existing file.
    pub(in crate::journal) fn open(file: &Path) -> Result<Self, JournalError> {
        let (connection, retires) = schema::open_to_read(file)?;
        Ok(Self { path: file.to_owned(), connection: Mutex::new(connection), retires })
    }

    /// Returns the position of the newest event in the file.
    pub(in crate::journal) fn head(&self) -> Result<Seq, JournalError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let head: i64 = connection
            .query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))
            .map_err(|source| self.failed(source))?;
        Ok(Seq(u64::try_from(head).unwrap_or_default()))
    }

    /// Returns the position after which no event has been retired.
    pub(in crate::journal) fn horizon(&self) -> Result<Seq, JournalError> {
        if !self.retires {
            return Ok(Seq(0));
        }
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement =
            connection.prepare_cached("SELECT seq FROM horizon").map_err(|source| self.failed(source))?;
        let seq: i64 = statement.query_row([], |row| row.get(0)).map_err(|source| self.failed(source))?;
        Ok(Seq(u64::try_from(seq).unwrap_or_default()))
    }

    /// Returns complete removals after number `id` that have not been journaled yet.
    pub(in crate::journal) fn owed(&self, id: i64) -> Result<Vec<Owed>, JournalError> {
        if !self.retires {
            return Ok(Vec::new());
        }
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        retire::owed(&connection, id).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> JournalError {
        JournalError::Sqlite { path: self.path.clone(), source }
    }

    /// Returns the selected events, up to the query's limit, stopping at a damaged row.
    pub(in crate::journal) fn select(&self, query: &Query) -> Result<Page, JournalError> {
        self.rows(query).map_err(|source| self.failed(source))
    }

    /// Returns one event per requested position; what is missing or cannot be read is left out.
    pub(in crate::journal) fn get_many(
        &self,
        seqs: &[Seq],
    ) -> Result<Vec<Option<Arc<Envelope>>>, JournalError> {
        let failed = |source| self.failed(source);
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!("SELECT {COLUMNS} FROM events WHERE seq = ?1");
        let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
        let mut found = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let mut rows = statement.query([integer(seq.0)]).map_err(failed)?;
            let row = rows.next().map_err(failed)?.map(wire::read).transpose().map_err(failed)?;
            found.push(row.and_then(|(seq, envelope)| match envelope {
                Ok(envelope) => Some(Arc::new(envelope)),
                Err(error) => {
                    tracing::error!(%seq, %error, "a stored event cannot be understood");
                    None
                }
            }));
        }
        Ok(found)
    }

    fn rows(&self, query: &Query) -> rusqlite::Result<Page> {
        let (sql, values) = statement(query);
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let mut page = Page::default();
        let (mut after, mut before) = (query.after, query.before);
        while let Some(row) = rows.next()? {
            let (seq, found) = wire::read(row)?;
            // SQLite takes the order of a damaged tree on trust; whoever reads on from its last row would never come to an end.
            if after.is_some_and(|after| seq <= after) || before.is_some_and(|before| seq >= before) {
                return Err(out_of_order(seq));
            }
            *if query.newest_first { &mut before } else { &mut after } = Some(seq);
            match found {
                Ok(envelope) => page.events.push(Arc::new(envelope)),
                Err(fault) => {
                    page.damaged = Some((seq, fault));
                    break;
                }
            }
        }
        Ok(page)
    }
}

fn out_of_order(seq: Seq) -> rusqlite::Error {
    let because = format!("event {seq} is not in its place");
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(because))
}

/// Turns a query into SQL and its values.
fn statement(query: &Query) -> (String, Vec<Value>) {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    let mut restrict = |condition: &str, value: Value| {
        conditions.push(condition.to_owned());
        values.push(value);
    };
    if let Some(phone) = &query.phone {
        restrict("phone = ?", Value::Text(phone.to_string()));
    }
    if let Some(call) = query.call {
        restrict("call = ?", Value::Integer(integer(call.0)));
    }
    if let Some(run) = query.run {
        restrict("run = ?", Value::Integer(integer(run.0)));
    }
    if let Some(after) = query.after {
        restrict("seq > ?", Value::Integer(integer(after.0)));
    }
    if let Some(before) = query.before {
        restrict("seq < ?", Value::Integer(integer(before.0)));
    }
    if let Some(since) = query.since {
        restrict("at >= ?", Value::Integer(nanoseconds(since)));
    }
    if let Some(until) = query.until {
        restrict("at < ?", Value::Integer(nanoseconds(until)));
    }
    if let Some(text) = &query.text {
        restrict("instr(data, ?) > 0", Value::Text(needle(text)));
    }
    if !query.kinds.is_empty() {
        let (condition, kinds) = of_kinds(&query.kinds);
        conditions.push(condition);
        values.extend(kinds);
    }
    let selection = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let order = if query.newest_first { "DESC" } else { "ASC" };
    let limit = query.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    (format!("SELECT {COLUMNS} FROM events WHERE {selection} ORDER BY seq {order} LIMIT {limit}"), values)
}

pub(super) fn of_kinds(kinds: &[EventPattern]) -> (String, Vec<Value>) {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    for kind in kinds {
        match kind.as_str().strip_suffix(".*") {
            _ if kind.is_any() => conditions.push("TRUE"),
            Some(prefix) => {
                conditions.push("(kind = ? OR (kind >= ? AND kind < ?))");
                values.push(Value::Text(prefix.to_owned()));
                values.push(Value::Text(format!("{prefix}.")));
                values.push(Value::Text(format!("{prefix}.\u{10ffff}")));
            }
            None => {
                conditions.push("kind = ?");
                values.push(Value::Text(kind.as_str().to_owned()));
            }
        }
    }
    for former in former_kinds(|present| kinds.iter().any(|pattern| pattern.matches(present))) {
        conditions.push("kind = ?");
        values.push(Value::Text(former.to_owned()));
    }
    (format!("({})", conditions.join(" OR ")), values)
}
