//! Conversion between envelopes and rows.

use std::borrow::Cow;

use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;

use super::super::error::RowFault;
use crate::{
    event::{Cause, Envelope, Event, Subject},
    id::{CallId, RunId, Seq},
};

/// The columns of a row, in the order of [`read`].
pub(super) const COLUMNS: &str = "seq, at, phone, call, run, kind, cause, data";
/// The number of columns.
pub(super) const COLUMN_COUNT: usize = 8;

/// Serializes to JSON in `room`, which is reused; nothing that is kept here can fail to serialize.
pub(super) fn json_text<'a>(value: &impl Serialize, room: &'a mut Vec<u8>) -> &'a str {
    room.clear();
    match serde_json::to_writer(&mut *room, value) {
        Ok(()) => std::str::from_utf8(room).unwrap_or_default(),
        Err(_) => "",
    }
}

/// Returns the JSON of an event's data, without its kind; `room` is reused.
pub(in crate::journal) fn data_text<'a>(event: &Event, room: &'a mut Vec<u8>) -> Cow<'a, str> {
    // Cut out of the complete JSON: a detour via `Value` costs several times as much, and this runs
    // for every event.
    let data = json_text(event, room)
        .strip_prefix("{\"kind\":\"")
        .and_then(|rest| rest.strip_prefix(event.kind()))
        .and_then(|rest| rest.strip_prefix("\",\"data\":"))
        .and_then(|rest| rest.strip_suffix('}'));
    data.map_or_else(|| Cow::Owned(event.data().to_string()), Cow::Borrowed)
}

/// Returns nanoseconds since 1970; times after 2262 are capped.
pub(super) fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

/// Returns a number as SQLite stores it; positions stay far below the bound.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// Reads a row; the position is known even if the rest is damaged.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(Seq, Result<Envelope, RowFault>)> {
    let seq = Seq(number(row.get(0)?));
    Ok((seq, envelope(seq, row)))
}

fn envelope(seq: Seq, row: &Row<'_>) -> Result<Envelope, RowFault> {
    let phone: Option<String> = row.get(2)?;
    let subject = Subject {
        phone: phone.map(|phone| phone.parse()).transpose()?,
        call: row.get::<_, Option<i64>>(3)?.map(|call| CallId(number(call))),
        run: row.get::<_, Option<i64>>(4)?.map(|run| RunId(number(run))),
    };
    let kind = row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?;
    let cause: Cause = serde_json::from_str(row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?)?;
    let data = serde_json::from_str(row.get_ref(7)?.as_str().map_err(rusqlite::Error::from)?)?;
    let at = Timestamp::from_nanosecond(i128::from(row.get::<_, i64>(1)?))?;
    Ok(Envelope { seq, at, subject, cause, event: Event::from_parts(kind, data)? })
}
