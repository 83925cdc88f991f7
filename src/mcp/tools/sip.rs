//! Tools that show SIP messages: as log text and structured.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    event::Envelope,
    id::{CallId, PhoneId, Seq},
    journal::Query,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{
            bounds::{keep_asked, more},
            log_text::Logged,
            rows,
            sip_filter::SipFilter,
            structured, words,
        },
        context::CallContext,
        result::Reply,
        services::Services,
    },
    view::SipMessages,
};

/// How many of the newest messages are examined if no phone or call narrows the search.
const NEWEST: usize = 5000;

pub(super) fn tools() -> Vec<ToolDefinition> {
    let label = |name, title, about| Label { name, title, about, hints: Hints::Reads };
    vec![
        compat(
            label(
                "get_sip_log",
                "SIP log",
                "Show the SIP messages on the wire as text (trace), filtered by phone, call, method, direction, status or CSeq.",
            ),
            get_sip_log,
        ),
        compat(
            label(
                "get_call_messages",
                "SIP messages",
                "Show SIP messages taken apart: headers and SDP summary, for a ladder or for checking headers.",
            ),
            get_call_messages,
        ),
    ]
}

arguments! {
    /// Arguments of `get_sip_log`.
    GetSipLog {
        /// Only the newest ones, 0 for all; 20 by default, all if phone_id or call_id is given.
        last_n: Option<i64>,
        /// Text that the entry must contain, in these letters.
        filter_text: Option<String>,
        /// Only this phone's messages.
        phone_id: Option<String>,
        /// Only this call's messages.
        call_id: Option<CallId>,
        /// INVITE, REGISTER, ...; for responses the CSeq's.
        method: Option<String>,
        /// TX or RX.
        direction: Option<String>,
        /// Only responses with this status.
        status_code: Option<i64>,
        /// CSeq number.
        cseq: Option<i64>,
    }
}

async fn get_sip_log(services: Arc<Services>, given: GetSipLog, _: CallContext) -> Reply {
    let filter = SipFilter {
        sip_call_id: None,
        method: given.method,
        direction: given.direction,
        status_code: given.status_code,
        cseq: given.cseq,
    };
    let found = match select(&services, given.phone_id.as_deref(), given.call_id, filter).await {
        Ok(found) => found,
        Err(Unavailable::UnknownCall(warning)) => {
            return Reply::compat(json!({ "entries": [], "total_count": 0, "warning": warning }));
        }
        Err(Unavailable::Not(error)) => return Reply::compat_error(error, &[]),
    };
    let text = given.filter_text.as_deref();
    let entries: Vec<Value> = found
        .messages
        .iter()
        .filter_map(|envelope| Logged::of(envelope))
        .map(|logged| logged.entry(&services.zone))
        .filter(|entry| {
            text.is_none_or(|text| {
                entry.get("msg").and_then(Value::as_str).is_some_and(|msg| msg.contains(text))
            })
        })
        .collect();
    let shown = match keep_asked(entries, given.last_n, usual(given.phone_id.as_deref(), given.call_id)) {
        Ok(shown) => shown,
        Err(error) => return Reply::compat_error(error, &[]),
    };
    let mut object = rows::object([("total_count", shown.total.into()), ("entries", shown.list.into())]);
    object.extend(more(shown.left_out, HOW));
    object.extend(remark(&services, given.phone_id.as_deref(), found.only));
    Reply::compat(Value::Object(object))
}

arguments! {
    /// Arguments of `get_call_messages`.
    GetCallMessages {
        /// Only this phone's messages.
        phone_id: Option<String>,
        /// Only this call's messages.
        call_id: Option<CallId>,
        /// INVITE, REGISTER, ...; for responses the CSeq's.
        method: Option<String>,
        /// TX or RX.
        direction: Option<String>,
        /// Only responses with this status.
        status_code: Option<i64>,
        /// CSeq number.
        cseq: Option<i64>,
        /// Only the newest ones, 0 for all; 20 by default, all if phone_id or call_id is given.
        last_n: Option<i64>,
    }
}

async fn get_call_messages(services: Arc<Services>, given: GetCallMessages, _: CallContext) -> Reply {
    let filter = SipFilter {
        sip_call_id: None,
        method: given.method,
        direction: given.direction,
        status_code: given.status_code,
        cseq: given.cseq,
    };
    let mut object = Map::new();
    object.insert("phone_id".into(), json!(given.phone_id));
    let found = match select(&services, given.phone_id.as_deref(), given.call_id, filter).await {
        Ok(found) => found,
        Err(Unavailable::UnknownCall(warning)) => {
            object.insert("messages".into(), json!([]));
            object.insert("total_count".into(), 0.into());
            object.insert("warning".into(), warning.into());
            return Reply::compat(Value::Object(object));
        }
        Err(Unavailable::Not(error)) => return Reply::compat_error(error, &[]),
    };
    let shown =
        match keep_asked(found.messages, given.last_n, usual(given.phone_id.as_deref(), given.call_id)) {
            Ok(shown) => shown,
            Err(error) => return Reply::compat_error(error, &[]),
        };
    let structure = |envelope: &Arc<Envelope>| {
        Logged::of(envelope).map(|logged| structured::structure(&logged, &services.zone))
    };
    let messages: Vec<Value> = shown.list.iter().filter_map(structure).collect();
    object.insert("total_count".into(), shown.total.into());
    object.insert("messages".into(), messages.into());
    object.extend(more(shown.left_out, HOW));
    object.extend(remark(&services, given.phone_id.as_deref(), found.only));
    Reply::compat(Value::Object(object))
}

/// How many of the newest messages are shown if nothing narrows the search: an agent pays for each
/// of them.
const SHOWN: usize = 20;
/// How to see the others.
const HOW: &str = "phone_id, call_id or last_n (0 for all)";

const fn usual(phone: Option<&str>, call: Option<CallId>) -> usize {
    if phone.is_some() || call.is_some() { usize::MAX } else { SHOWN }
}

/// Warns about what the list cannot have: an unknown phone has no messages, and older messages may
/// not have been examined.
fn remark(services: &Services, phone: Option<&str>, only: Option<usize>) -> Option<(String, Value)> {
    let older =
        |most| format!("only the newest {most} SIP events were looked at; query_events finds older ones");
    let unknown = phone.and_then(|given| words::unknown_phone(services, given));
    unknown.or_else(|| only.map(|most| ("warning".to_owned(), older(most).into())))
}

/// What a search found.
#[derive(Default)]
struct Found {
    /// Oldest first.
    messages: Vec<Arc<Envelope>>,
    /// How many were examined, if there may be older ones.
    only: Option<usize>,
}

enum Unavailable {
    /// No such call ever existed: a warning, not an error.
    UnknownCall(String),
    /// The filter is none, or the journal could not be read.
    Not(String),
}

/// Selects `sip.*` events; a phone that never existed has none.
async fn select(
    services: &Services,
    phone: Option<&str>,
    call: Option<CallId>,
    mut filter: SipFilter,
) -> Result<Found, Unavailable> {
    filter.check().map_err(Unavailable::Not)?;
    let mut owner: Option<PhoneId> = match phone.map(str::parse) {
        None => None,
        Some(Ok(phone)) => Some(phone),
        Some(Err(_)) => return Ok(Found::default()),
    };
    if let Some(id) = call {
        let unknown = || Unavailable::UnknownCall(words::no_call(id, services.views.next_call_id()));
        let found = services.views.call(id).ok_or_else(unknown)?;
        if let Some(phone) = owner.as_ref().filter(|phone| **phone != found.phone) {
            let other = words::call_of_another_phone(id, &found.phone, phone);
            return Err(Unavailable::UnknownCall(other));
        }
        filter.sip_call_id = Some(found.sip_call_id.clone());
        // Behind a PBX both phones may have the same Call-ID, but the call belongs to one of them.
        owner = Some(found.phone.clone());
    }
    let mut found = match (call, &owner) {
        (Some(call), _) => {
            kept(services, services.views.sip_messages_of_call(call), SipMessages::PER_THREAD).await
        }
        (None, Some(phone)) => {
            kept(services, services.views.sip_messages_of_phone(phone), SipMessages::PER_PHONE).await
        }
        (None, None) => newest(services).await?,
    };
    found.messages.retain(|envelope| Logged::of(envelope).is_some_and(|logged| filter.accepts(&logged)));
    Ok(found)
}

/// Fetches what the views keep of a phone or a call, `most` at most.
async fn kept(services: &Services, positions: Vec<Seq>, most: usize) -> Found {
    let only = (positions.len() >= most).then_some(most);
    Found { messages: services.journal.get_many(&positions).await, only }
}

async fn newest(services: &Services) -> Result<Found, Unavailable> {
    // One more than is looked at tells whether there are more.
    let query = Query { limit: Some(NEWEST + 1), newest_first: true, ..Query::of_kinds(&["sip.*"]) };
    let found = services.journal.query(&query).await;
    let mut messages = found.map_err(|error| Unavailable::Not(error.to_string()))?;
    let only = (messages.len() > NEWEST).then_some(NEWEST);
    messages.truncate(NEWEST);
    messages.reverse();
    Ok(Found { messages, only })
}
