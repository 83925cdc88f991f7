//! The action that reads SIP text messages.

use std::sync::Arc;

use serde_json::{Value, json};

use super::select::{existing, merge};
use crate::{
    id::PhoneId,
    mcp::{
        arguments::arguments,
        catalog::{ActionDefinition, Hints, Label, action},
        compat::{rows, sip_filter::keep_last},
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
        /// Only the newest ones; everything by default.
        last_n: Option<i64>,
    }
}

async fn get_messages(services: Arc<Services>, phone: PhoneId, given: GetMessages, _: CallContext) -> Reply {
    merge(existing(&services, &phone).map(|()| {
        let inbox: Vec<Value> = services
            .views
            .messages(&phone)
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
        let messages = keep_last(inbox, given.last_n);
        Reply::compat(json!({ "phone_id": phone, "total_count": messages.len(), "messages": messages }))
    }))
}
