//! The tool that loads a file of phones.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{ACTION_NAMES, roster::add_and_settle};
use crate::{
    command::{Command, NodeCommand},
    config::{EntryError, PhonesProfile},
    id::PhoneId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

/// How long to wait for the registrars' answers for a whole file.
const REGISTRATIONS_WAIT: Duration = Duration::from_millis(1500);

pub(super) fn load_phones_tool() -> ToolDefinition {
    let label = Label {
        name: "load_phones",
        title: "Load phones",
        about: "Create all SIP phones of a phones.yaml profile; replaces the present phones unless merge is set.",
        hints: Hints::Settles,
    };
    compat(label, load_phones)
}

arguments! {
    /// Arguments of `load_phones`.
    LoadPhones {
        /// Path of the YAML profile.
        path: String = "/config/phones.yaml",
        /// Keep phones that the profile does not name.
        merge: bool = false,
    }
}

async fn load_phones(services: Arc<Services>, given: LoadPhones, context: CallContext) -> Reply {
    let path = PathBuf::from(&given.path);
    let profile = match tokio::task::spawn_blocking(move || PhonesProfile::load(&path)).await {
        Ok(Ok(profile)) => profile,
        Ok(Err(error)) => return Reply::compat_error(error.to_string(), &[("path", given.path.into())]),
        Err(error) => return Reply::compat_error(error.to_string(), &[("path", given.path.into())]),
    };
    let entry = |error: &EntryError| json!({ "phone_id": error.phone_id, "error": error.error });
    let mut errors: Vec<Value> = profile.errors.iter().map(entry).collect();
    let dropped = if given.merge { Vec::new() } else { drop_all(&services, &context, &mut errors).await };
    let mut added: Vec<Value> = Vec::new();
    for (phone, outcome) in add_and_settle(&services, profile.phones, &context, REGISTRATIONS_WAIT).await {
        match outcome {
            Ok(view) => added.push(Value::Object(rows::phone_added(&view, ACTION_NAMES.len()))),
            Err(error) => errors.push(json!({ "phone_id": phone, "error": error })),
        }
    }
    Reply::compat(json!({
        "status": if errors.is_empty() { "ok" } else { "partial" },
        "path": given.path,
        "mode": if given.merge { "merge" } else { "replace" },
        "dropped": dropped,
        "added": added,
        "errors": errors,
        "seq": services.journal.head(),
    }))
    .with_roster_changed()
}

async fn drop_all(services: &Services, context: &CallContext, errors: &mut Vec<Value>) -> Vec<PhoneId> {
    let mut dropped = Vec::new();
    for phone in services.phone_ids() {
        let command = Command::Node(NodeCommand::DropPhone { phone: phone.clone(), hang_up: true });
        match services.execute.execute(command, context.cause.clone()).await {
            Ok(_) => dropped.push(phone),
            Err(rejection) => {
                errors.push(
                    json!({ "phone_id": phone, "error": format!("drop failed: {}", words::refused(&rejection.what)) }),
                );
            }
        }
    }
    dropped
}
