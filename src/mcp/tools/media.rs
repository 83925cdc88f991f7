//! The action that shows a call's recording.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use super::inspection::running_call;
use crate::{
    id::{CallId, PhoneId},
    mcp::{
        arguments::arguments,
        catalog::{ActionDefinition, Hints, Label, action},
        compat::{rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

pub(super) fn actions() -> Vec<ActionDefinition> {
    let label = |name, title, about, hints| Label { name, title, about, hints };
    vec![action(
        label(
            "get_recording",
            "Recording",
            "Show the recording (WAV file) that a running call is being written to.",
            Hints::Reads,
        ),
        get_recording,
    )]
}

arguments! {
    /// Arguments of `get_recording`.
    GetRecording {
        /// Which call; the oldest active one by default.
        call_id: Option<CallId>,
    }
}

async fn get_recording(
    services: Arc<Services>,
    phone: PhoneId,
    given: GetRecording,
    _: CallContext,
) -> Reply {
    let enabled = services.views.phone(&phone).is_some_and(|phone| phone.spec.recording_enabled);
    let refuse = |error: String| {
        Reply::compat_error(
            error,
            &[("phone_id", phone.as_str().into()), ("recording_enabled", enabled.into())],
        )
    };
    let call = match running_call(&services, &phone, given.call_id) {
        Ok(call) => call,
        Err(refusal) => return refusal,
    };
    let Some(recording) = call.open_recording() else { return refuse(words::NO_RECORDING.to_owned()) };
    let path = Path::new(recording);
    let Ok(metadata) = tokio::fs::metadata(path).await else {
        return refuse(words::recording_missing(recording));
    };
    let filename = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Reply::compat(Value::Object(rows::object([
        ("phone_id", phone.as_str().into()),
        ("recording_enabled", enabled.into()),
        ("recording_file", services.shown(recording).into()),
        ("filename", json!(filename)),
        ("file_size", metadata.len().into()),
        ("meta_path", json!(services.shown_sidecar(recording).await)),
    ])))
}
