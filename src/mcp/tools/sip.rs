//! Tools that show SIP messages: as log text and structured.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    event::Envelope,
    id::{CallId, PhoneId},
    journal::Query,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{
            bounds::keep_newest,
            log_text::Logged,
            rows,
            sip_filter::{SHOWN, SipFilter, check_direction, keep_last},
            structured, words,
        },
        context::CallContext,
        result::Reply,
        services::Services,
    },
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
        /// Only the newest ones.
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
    if let Err(error) = check_direction(given.direction.as_deref()) {
        return Reply::compat_error(error, &[]);
    }
    let narrowed = given.phone_id.is_some() || given.call_id.is_some() || given.last_n.is_some();
    let filter = SipFilter {
        sip_call_id: None,
        method: given.method,
        direction: given.direction,
        status_code: given.status_code,
        cseq: given.cseq,
    };
    let messages = match select(&services, given.phone_id.as_deref(), given.call_id, filter).await {
        Ok(messages) => messages,
        Err(Unavailable::UnknownCall(warning)) => {
            return Reply::compat(json!({ "entries": [], "total_count": 0, "warning": warning }));
        }
        Err(Unavailable::Journal(error)) => return Reply::compat_error(error, &[]),
    };
    let text = given.filter_text.as_deref();
    let entries: Vec<Value> = messages
        .iter()
        .filter_map(|envelope| Logged::of(envelope))
        .map(|logged| logged.entry(&services.zone))
        .filter(|entry| {
            text.is_none_or(|text| {
                entry.get("msg").and_then(Value::as_str).is_some_and(|msg| msg.contains(text))
            })
        })
        .collect();
    let shown = keep_newest(keep_last(entries, given.last_n), SHOWN, narrowed);
    let mut object = rows::object([("total_count", shown.total.into()), ("entries", shown.list.into())]);
    object.extend(more(shown.left_out));
    object.extend(unknown_phone(&services, given.phone_id.as_deref()));
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
        /// Only the newest ones.
        last_n: Option<i64>,
    }
}

async fn get_call_messages(services: Arc<Services>, given: GetCallMessages, _: CallContext) -> Reply {
    if let Err(error) = check_direction(given.direction.as_deref()) {
        return Reply::compat_error(error, &[]);
    }
    let narrowed = given.phone_id.is_some() || given.call_id.is_some() || given.last_n.is_some();
    let filter = SipFilter {
        sip_call_id: None,
        method: given.method,
        direction: given.direction,
        status_code: given.status_code,
        cseq: given.cseq,
    };
    let mut object = Map::new();
    object.insert("phone_id".into(), json!(given.phone_id));
    let messages = match select(&services, given.phone_id.as_deref(), given.call_id, filter).await {
        Ok(messages) => messages,
        Err(Unavailable::UnknownCall(warning)) => {
            object.insert("messages".into(), json!([]));
            object.insert("total_count".into(), 0.into());
            object.insert("warning".into(), warning.into());
            return Reply::compat(Value::Object(object));
        }
        Err(Unavailable::Journal(error)) => return Reply::compat_error(error, &[]),
    };
    let structure = |envelope: &Arc<Envelope>| {
        Logged::of(envelope).map(|logged| structured::structure(&logged, &services.zone))
    };
    let messages = keep_last(messages.iter().filter_map(structure).collect(), given.last_n);
    let shown = keep_newest(messages, SHOWN, narrowed);
    object.insert("total_count".into(), shown.total.into());
    object.insert("messages".into(), shown.list.into());
    object.extend(more(shown.left_out));
    object.extend(unknown_phone(&services, given.phone_id.as_deref()));
    Reply::compat(Value::Object(object))
}

fn more(left_out: usize) -> Option<(String, Value)> {
    let more = || format!("{left_out} older ones are left out; give phone_id, call_id or last_n (0 for all)");
    (left_out > 0).then(|| ("more".to_owned(), more().into()))
}

/// Warns if a filter names a phone that never existed: nothing is found, and nothing ever will be.
fn unknown_phone(services: &Services, phone: Option<&str>) -> Option<(String, Value)> {
    let given = phone?;
    let known = given.parse().is_ok_and(|phone: PhoneId| services.views.phone_ever(&phone).is_some());
    (!known).then(|| ("warning".to_owned(), words::unknown_phone_filter(given, &services.phone_ids()).into()))
}

enum Unavailable {
    /// No such call ever existed: a warning, not an error.
    UnknownCall(String),
    /// The journal could not be read.
    Journal(String),
}

/// Selects `sip.*` events, oldest first; a phone that never existed has none.
async fn select(
    services: &Services,
    phone: Option<&str>,
    call: Option<CallId>,
    mut filter: SipFilter,
) -> Result<Vec<Arc<Envelope>>, Unavailable> {
    let phone: Option<PhoneId> = match phone.map(str::parse) {
        None => None,
        Some(Ok(phone)) => Some(phone),
        Some(Err(_)) => return Ok(Vec::new()),
    };
    let mut owner = phone;
    if let Some(id) = call {
        let found =
            services.views.call(id).filter(|call| owner.as_ref().is_none_or(|phone| *phone == call.phone));
        let Some(found) = found else { return Err(Unavailable::UnknownCall(words::unknown_call_filter(id))) };
        filter.sip_call_id = Some(found.sip_call_id.clone());
        // Behind a PBX both phones may have the same Call-ID, but the call belongs to one of them.
        owner = Some(found.phone.clone());
    }
    let mut messages = match (call, &owner) {
        (Some(call), _) => services.journal.get_many(&services.views.sip_messages_of_call(call)).await,
        (None, Some(phone)) => services.journal.get_many(&services.views.sip_messages_of_phone(phone)).await,
        (None, None) => newest(services).await?,
    };
    messages.retain(|envelope| Logged::of(envelope).is_some_and(|logged| filter.accepts(&logged)));
    Ok(messages)
}

async fn newest(services: &Services) -> Result<Vec<Arc<Envelope>>, Unavailable> {
    let query = Query { limit: Some(NEWEST), newest_first: true, ..Query::of_kinds(&["sip.*"]) };
    let found = services.journal.query(&query).await;
    let mut messages = found.map_err(|error| Unavailable::Journal(error.to_string()))?;
    messages.reverse();
    Ok(messages)
}
