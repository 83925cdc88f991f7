//! Tools that show files: recordings and captures.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use crate::{
    artifact::ArtifactFile,
    id::CallId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{capture, rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

pub(super) fn tools() -> Vec<ToolDefinition> {
    let label = |name, title, about| Label { name, title, about, hints: Hints::Reads };
    vec![
        compat(
            label(
                "list_recordings",
                "List recordings",
                "List recorded calls (WAV files) with size, phone and call.",
            ),
            list_recordings,
        ),
        compat(
            label(
                "analyze_capture",
                "Analyze a capture",
                "Show the RTP flows and codecs in the newest packet capture (pcap) of a phone.",
            ),
            analyze_capture,
        ),
    ]
}

/// Most recordings listed if nothing narrows the list.
const SHOWN: usize = 50;

arguments! {
    /// Arguments of `list_recordings`.
    ListRecordings {
        /// Only this phone's.
        phone_id: Option<String>,
        /// Only this call's.
        call_id: Option<CallId>,
    }
}

async fn list_recordings(services: Arc<Services>, given: ListRecordings, _: CallContext) -> Reply {
    let recordings = services.recordings.clone();
    // Walking a folder blocks, which the executor's threads must not do.
    let files = match tokio::task::spawn_blocking(move || recordings.list()).await {
        Ok(Ok(files)) => files,
        Ok(Err(error)) => return Reply::compat_error(error.to_string(), &[]),
        Err(error) => return Reply::compat_error(error.to_string(), &[]),
    };
    let wanted = |file: &&ArtifactFile| {
        given.phone_id.as_ref().is_none_or(|phone| file.phone.as_ref() == Some(phone))
            && given.call_id.is_none_or(|call| file.call == Some(call.0))
    };
    let narrowed = given.phone_id.is_some() || given.call_id.is_some();
    let wanted: Vec<&ArtifactFile> = files.iter().filter(wanted).collect();
    let shown = if narrowed { wanted.len() } else { SHOWN };
    let listed: Vec<Value> = wanted.iter().take(shown).map(|file| row(&services, file)).collect();
    let mut object = rows::object([("total_count", wanted.len().into()), ("recordings", listed.into())]);
    if let Some(hidden) = wanted.len().checked_sub(shown).filter(|hidden| *hidden > 0) {
        object.insert("more".into(), format!("{hidden} more; give phone_id or call_id").into());
    }
    // Recordings may come from an earlier process, so a phone that has some need not exist.
    if let Some(phone) = given.phone_id.as_deref().filter(|_| wanted.is_empty()) {
        object.extend(words::unknown_phone(&services, phone));
    }
    Reply::compat(Value::Object(object))
}

fn row(services: &Services, file: &ArtifactFile) -> Value {
    let shown = |path: &Path| services.recordings.shown(path).display().to_string();
    json!({
        "filename": file.path.file_name().map(|name| name.to_string_lossy()),
        "file_path": shown(&file.path),
        "file_size": file.size,
        "phone_id": file.phone,
        "call_id": file.call,
        "meta_path": file.sidecar.as_deref().map(shown),
    })
}

arguments! {
    /// Arguments of `analyze_capture`.
    AnalyzeCapture {
        /// Which phone.
        phone_id: String,
        /// Only the capture of this call.
        call_id: Option<CallId>,
    }
}

async fn analyze_capture(_: Arc<Services>, given: AnalyzeCapture, _: CallContext) -> Reply {
    Reply::compat(capture::none(&given.phone_id, given.call_id))
}
