//! Actions that look at a phone's calls.

use std::sync::Arc;

use serde_json::{Value, json};

use super::select::{existing, merge, refuse};
use crate::{
    id::{CallId, PhoneId},
    mcp::{
        arguments::arguments,
        catalog::{ActionDefinition, Hints, Label, action},
        compat::{
            bounds::{keep_asked, more},
            rows, words,
        },
        context::CallContext,
        result::Reply,
        services::Services,
    },
    view::CallView,
};

/// Most ended calls that the history shows unless `last_n` is given.
const HISTORY: usize = 100;

pub(super) fn actions() -> Vec<ActionDefinition> {
    let label = |name, title, about| Label { name, title, about, hints: Hints::Reads };
    vec![
        action(
            label(
                "get_call_info",
                "Call details",
                "Show state, codec, duration, recording and RTP statistics of a running call.",
            ),
            get_call_info,
        ),
        action(label("list_calls", "List calls", "List the phone's calls that are not over."), list_calls),
        action(
            label("get_active_calls", "Active calls", "Show full details of every active call of the phone."),
            get_active_calls,
        ),
        action(
            label(
                "get_call_history",
                "Call history",
                "List ended calls with their last SIP status, oldest first.",
            ),
            get_call_history,
        ),
    ]
}

arguments! {
    /// Arguments of `get_call_info`.
    GetCallInfo {
        /// Which call; the oldest active one by default.
        call_id: Option<CallId>,
    }
}

async fn get_call_info(services: Arc<Services>, phone: PhoneId, given: GetCallInfo, _: CallContext) -> Reply {
    merge(running_call(&services, &phone, given.call_id).map(|call| Reply::compat(info(&services, &call))))
}

/// Finds a call of the phone that is not over.
pub(super) fn running_call(
    services: &Services,
    phone: &PhoneId,
    call: Option<CallId>,
) -> Result<Arc<CallView>, Reply> {
    let selected = super::select::call_of(services, phone, call)?;
    match selected.call {
        Some(id) => services.views.call(id).ok_or_else(|| refuse(phone, words::call_not_found(id))),
        None => {
            let oldest = services.views.active_calls(phone).into_iter().next();
            oldest.ok_or_else(|| refuse(phone, words::no_active_call(phone)))
        }
    }
}

fn info(services: &Services, call: &CallView) -> Value {
    let contact = services.views.phone(&call.phone).and_then(|phone| {
        let bound = phone.bound.as_ref()?;
        Some(format!("<sip:{}@{bound}>", phone.spec.username))
    });
    let recording = call.open_recording().map(|path| services.shown(path));
    Value::Object(rows::call_info(call, recording, contact.as_deref().unwrap_or_default(), services.now()))
}

arguments! {
    /// No arguments.
    Nothing {}
}

async fn list_calls(services: Arc<Services>, phone: PhoneId, _: Nothing, _: CallContext) -> Reply {
    merge(existing(&services, &phone).map(|()| {
        let now = services.now();
        let calls: Vec<Value> =
            services.views.active_calls(&phone).iter().map(|call| rows::call_row(call, now)).collect();
        Reply::compat(json!({ "phone_id": phone, "total_count": calls.len(), "calls": calls }))
    }))
}

async fn get_active_calls(services: Arc<Services>, phone: PhoneId, _: Nothing, _: CallContext) -> Reply {
    merge(existing(&services, &phone).map(|()| {
        let calls: Vec<Value> =
            services.views.active_calls(&phone).iter().map(|call| info(&services, call)).collect();
        Reply::compat(json!({ "phone_id": phone, "active_count": calls.len(), "calls": calls }))
    }))
}

arguments! {
    /// Arguments of `get_call_history`.
    GetCallHistory {
        /// Only the newest ones, 0 for all; 100 by default.
        last_n: Option<i64>,
    }
}

async fn get_call_history(
    services: Arc<Services>,
    phone: PhoneId,
    given: GetCallHistory,
    _: CallContext,
) -> Reply {
    merge(existing(&services, &phone).and_then(|()| {
        let ended = services.views.history(Some(&phone), usize::MAX);
        let ended = keep_asked(ended, given.last_n, HISTORY).map_err(|error| refuse(&phone, error))?;
        let row = |call: &Arc<CallView>| {
            let recording = call.recordings.last().map(|recording| services.shown(&recording.path));
            rows::history_row(call, recording, &services.zone)
        };
        let history: Vec<Value> = ended.list.iter().map(row).collect();
        let mut object = rows::object([
            ("phone_id", phone.as_str().into()),
            ("total_count", ended.total.into()),
            ("history", history.into()),
        ]);
        object.extend(more(ended.left_out, "last_n (0 for all)"));
        Ok(Reply::compat(Value::Object(object)))
    }))
}
