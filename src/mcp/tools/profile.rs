//! The tool that loads a file of phones.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{ACTION_NAMES, roster::add_and_settle};
use crate::{
    command::{AddPhone, Command},
    id::PhoneId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::rows,
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

/// How long the registrars' answers to a whole file are waited for.
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

/// One phone of a profile: what to add, or why it cannot be.
type Entry = Result<AddPhone, (String, String)>;

async fn load_phones(services: Arc<Services>, given: LoadPhones, context: CallContext) -> Reply {
    let entries: Vec<Entry> = match read(Path::new(&given.path)) {
        Ok(entries) => entries,
        Err(error) => return Reply::compat_error(error, &[("path", given.path.into())]),
    };
    let mut errors: Vec<Value> = Vec::new();
    let dropped = if given.merge { Vec::new() } else { drop_all(&services, &context, &mut errors).await };
    let mut phones = Vec::new();
    for entry in entries {
        match entry {
            Ok(add) => phones.push(add),
            Err((phone, error)) => errors.push(json!({ "phone_id": phone, "error": error })),
        }
    }
    let mut added: Vec<Value> = Vec::new();
    for (phone, outcome) in add_and_settle(&services, phones, &context, REGISTRATIONS_WAIT).await {
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
        let command = Command::DropPhone { phone: phone.clone(), hang_up: true };
        match services.execute.execute(command, context.cause.clone()).await {
            Ok(_) => dropped.push(phone),
            Err(rejection) => {
                errors.push(
                    json!({ "phone_id": phone, "error": format!("drop failed: {}", rejection.sentence) }),
                );
            }
        }
    }
    dropped
}

fn read(_path: &Path) -> Result<Vec<Entry>, String> {
    Err("profiles come with the config module".into())
}
