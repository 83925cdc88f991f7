//! Which events `offhook log` shows: what the journal itself selects by, and what is checked for
//! each event in addition.

use std::collections::BTreeSet;

use clap::ValueEnum;
use jiff::Timestamp;

use super::verb::{Events, LogArgs};
use crate::{
    event::{CallEvent, Envelope, Event},
    id::CallId,
    journal::{JournalError, Query},
    scenario::nearest,
};

/// How many names an error lists.
const NAMES: usize = 10;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    Sent,
    Received,
}

/// A SIP status, or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Exactly(u16),
    Class(u16),
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a status such as 486, or a class such as 4xx".to_owned();
        let (number, status): (&str, fn(u16) -> Self) = match text.strip_suffix("xx") {
            Some(class) => (class, Self::Class),
            None => (text, Self::Exactly),
        };
        let number: u16 = number.parse().map_err(|_| wrong())?;
        let status = status(number);
        let legal = match status {
            Self::Exactly(code) => (100..=699).contains(&code),
            Self::Class(class) => (1..=6).contains(&class),
        };
        if legal { Ok(status) } else { Err(wrong()) }
    }
}

impl Status {
    const fn holds(self, code: u16) -> bool {
        match self {
            Self::Exactly(wanted) => code == wanted,
            Self::Class(class) => code / 100 == class,
        }
    }
}

/// The selection of events to show.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) query: Query,
    /// A call and its `Call-ID`: the INVITE of an incoming call arrives before the call exists.
    call: Option<(CallId, String)>,
    method: Option<String>,
    status: Option<Status>,
    way: Option<Way>,
}

impl Selection {
    /// Builds the selection from the arguments, or says which of them the journal does not know.
    pub(super) fn of(
        args: &LogArgs,
        events: &Events,
        since: Option<Timestamp>,
    ) -> Result<Result<Self, String>, JournalError> {
        // When following, what is waited for need not exist yet.
        if !args.follow
            && let Some(unknown) = unknown(args, events)?
        {
            return Ok(Err(unknown));
        }
        let mut selection = Self {
            query: Query {
                phone: args.phone.clone(),
                call: args.call,
                run: args.run,
                kinds: args.kind.clone(),
                since,
                text: args.text.clone(),
                ..Query::default()
            },
            call: None,
            method: args.method.clone(),
            status: args.status,
            way: args.direction,
        };
        if let Some(call) = args.call {
            let begins = Query {
                limit: Some(1),
                call: Some(call),
                ..Query::of_kinds(&["call.placed", "call.incoming"])
            };
            if let Some(begin) = events.query(&begins)?.0.first()
                && let (
                    Some(phone),
                    Event::Call(
                        CallEvent::Placed { sip_call_id, .. } | CallEvent::Incoming { sip_call_id, .. },
                    ),
                ) = (&begin.subject.phone, &begin.event)
            {
                selection.call = Some((call, sip_call_id.clone()));
                selection.query.call = None;
                selection.query.phone.get_or_insert_with(|| phone.clone());
            }
        }
        Ok(Ok(selection))
    }

    /// Returns whether an event that the query found is wanted.
    pub(super) fn wants(&self, envelope: &Envelope) -> bool {
        let passed = match &envelope.event {
            Event::Sip(event) => event.on_wire(),
            Event::Phone(_)
            | Event::Call(_)
            | Event::Media(_)
            | Event::Capture(_)
            | Event::Run(_)
            | Event::System(_) => None,
        };
        let of_call = self.call.as_ref().is_none_or(|(call, sip_call_id)| {
            envelope.subject.call == Some(*call)
                || passed.is_some_and(|passed| passed.summary.sip_call_id.as_ref() == Some(sip_call_id))
        });
        let method = self.method.as_ref().is_none_or(|method| {
            let is = passed.and_then(|passed| passed.summary.method.as_ref());
            is.is_some_and(|is| is.eq_ignore_ascii_case(method))
        });
        let status = self.status.is_none_or(|status| {
            passed.and_then(|passed| passed.summary.status).is_some_and(|code| status.holds(code))
        });
        let way = self.way.is_none_or(|way| passed.is_some_and(|passed| passed.sent == (way == Way::Sent)));
        of_call && method && status && way
    }
}

/// Says which names in the arguments have no event.
fn unknown(args: &LogArgs, events: &Events) -> Result<Option<String>, JournalError> {
    let is_there = |query: Query| -> Result<bool, JournalError> {
        Ok(!events.query(&Query { limit: Some(1), ..query })?.0.is_empty())
    };
    if let Some(phone) = &args.phone
        && !is_there(Query::of_phone(phone.clone()))?
    {
        let names = newest(events, &["phone.added"], |envelope| {
            envelope.subject.phone.as_ref().map(ToString::to_string)
        })?;
        let meant = nearest(phone.as_str(), names.iter().map(String::as_str));
        let meant = meant.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default();
        return Ok(Some(format!("no phone '{phone}'{meant}; {}", there_are(&names))));
    }
    if let Some(call) = args.call
        && !is_there(Query::of_call(call))?
    {
        let calls = newest(events, &["call.placed", "call.incoming"], |envelope| {
            envelope.subject.call.map(|call| call.to_string())
        })?;
        return Ok(Some(format!("no {call}; {}", there_are(&calls))));
    }
    if let Some(run) = args.run
        && !is_there(Query { run: Some(run), ..Query::default() })?
    {
        let runs =
            newest(events, &["run.started"], |envelope| envelope.subject.run.map(|run| run.to_string()))?;
        return Ok(Some(format!("no {run}; {}", there_are(&runs))));
    }
    Ok(None)
}

/// Returns the names in the newest events of these kinds, in order.
fn newest(
    events: &Events,
    kinds: &[&str],
    name: impl Fn(&Envelope) -> Option<String>,
) -> Result<Vec<String>, JournalError> {
    let newest = Query { newest_first: true, limit: Some(10 * NAMES), ..Query::of_kinds(kinds) };
    let mut known = BTreeSet::new();
    let found = events.query(&newest)?.0;
    let names = found.iter().filter_map(|envelope| name(envelope)).filter(|name| known.insert(name.clone()));
    let mut names: Vec<String> = names.take(NAMES).collect();
    names.reverse();
    Ok(names)
}

fn there_are(names: &[String]) -> String {
    if names.is_empty() { "there is none".to_owned() } else { format!("the newest are {}", names.join(", ")) }
}
