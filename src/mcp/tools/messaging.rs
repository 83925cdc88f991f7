//! The action that reads SIP text messages.

use std::sync::Arc;

use serde_json::{Value, json};

use super::select::{existing, merge, refuse};
use crate::{
    id::PhoneId,
    mcp::{
        arguments::arguments,
        catalog::{ActionDefinition, Hints, Label, action},
        compat::{
            bounds::{keep_asked, more},
            rows,
        },
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

pub(super) fn actions() -> Vec<ActionDefinition> {
    let label = |name, title, about, hints| Label { name, title, about, hints };
    vec![action(
        label(
            "get_messages",
            "Inbox",
            "Read the SIP MESSAGEs that the phone received, oldest first.",
            Hints::Reads,
        ),
        get_messages,
    )]
}

arguments! {
    /// Arguments of `get_messages`.
    GetMessages {
        /// Only the newest ones; all that are kept, 100 a phone, by default.
        last_n: Option<i64>,
    }
}

async fn get_messages(services: Arc<Services>, phone: PhoneId, given: GetMessages, _: CallContext) -> Reply {
    merge(existing(&services, &phone).and_then(|()| {
        let inbox = keep_asked(services.views.messages(&phone), given.last_n, usize::MAX);
        let inbox = inbox.map_err(|error| refuse(&phone, error))?;
        let messages: Vec<Value> = inbox
            .list
            .iter()
            .map(|message| {
                json!({
                    "from": message.from,
                    "to": message.to,
                    "body": message.body,
                    "content_type": message.content_type,
                    "timestamp": rows::local_time(message.at, &services.zone),
                })
            })
            .collect();
        let mut object = rows::object([
            ("phone_id", phone.as_str().into()),
            ("total_count", inbox.total.into()),
            ("messages", messages.into()),
        ]);
        object.extend(more(inbox.left_out, "last_n (0 for all)"));
        Ok(Reply::compat(Value::Object(object)))
    }))
}
