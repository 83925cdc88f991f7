//! The native tool for a conference of calls of several phones.

use std::sync::Arc;

use serde_json::json;

use crate::{
    command::{Command, NodeCommand},
    id::CallId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, native},
        compat::words,
        context::CallContext,
        result::{Refusal, Reply},
        services::Services,
    },
};

pub(super) fn tools() -> Vec<ToolDefinition> {
    vec![native(
        Label {
            name: "conference_calls",
            title: "Conference of several phones",
            about: "Let the other sides of calls of any phones hear each other. The conference has exactly these calls: name all but one to take one out.",
            hints: Hints::Settles,
        },
        json!({ "type": "object", "properties": { "call_ids": { "type": "array", "items": { "type": "integer" } }, "seq": { "type": "integer" } }, "required": ["call_ids", "seq"] }),
        conference_calls,
    )]
}

arguments! {
    /// Arguments of `conference_calls`.
    ConferenceCalls {
        /// At least two calls; those without audio are left out.
        call_ids: Vec<CallId>,
    }
}

async fn conference_calls(services: Arc<Services>, given: ConferenceCalls, context: CallContext) -> Reply {
    let command = Command::Node(NodeCommand::Conference { phone: None, calls: given.call_ids });
    match services.execute.execute(command, context.cause.clone()).await {
        Ok(outcome) => {
            let calls: Vec<u64> = outcome.calls.iter().map(|call| call.0).collect();
            let names: Vec<String> = outcome.calls.iter().map(ToString::to_string).collect();
            let text = format!("in one conference: {}", names.join(", "));
            Reply::native(text, json!({ "call_ids": calls, "seq": outcome.seq.0 }))
        }
        Err(rejection) => {
            let refusal = Refusal::new(rejection.code, words::refused(&rejection.what));
            Reply::refused(refusal.or_try(&words::instead(&rejection)))
        }
    }
}
