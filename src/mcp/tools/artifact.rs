//! Tools that show files: recordings and captures.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    id::CallId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{capture, rows},
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
    let root = services.recordings.clone();
    // Walking a folder blocks; the executor's threads are for those that do not.
    let files = tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        collect(&root, &mut files);
        files.into_iter().filter_map(|path| row(&root, &path)).collect::<Vec<_>>()
    });
    let mut recordings = match files.await {
        Ok(recordings) => recordings,
        Err(error) => return Reply::compat_error(error.to_string(), &[]),
    };
    let wanted = |row: &Value| {
        let phone = given.phone_id.as_ref().is_none_or(|phone| row.get("phone_id") == Some(&json!(phone)));
        let call = given.call_id.is_none_or(|call| row.get("call_id") == Some(&json!(call.0)));
        phone && call
    };
    recordings.retain(wanted);
    let path = |row: &Value| row.get("file_path").and_then(Value::as_str).map(str::to_owned);
    recordings.sort_by_key(|row| std::cmp::Reverse(path(row)));
    Reply::compat(json!({ "total_count": recordings.len(), "recordings": recordings }))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // Symbolic links are not followed: they could lead outside or in a circle.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, files),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|ext| ext == "wav") => {
                files.push(path);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

fn row(root: &Path, path: &Path) -> Option<Value> {
    let size = std::fs::metadata(path).ok()?.len();
    let (phone, call) = owner(root, path);
    let file = path.display().to_string();
    Some(json!({
        "filename": path.file_name()?.to_string_lossy(),
        "file_path": file,
        "file_size": size,
        "phone_id": phone,
        "call_id": call,
        "meta_path": rows::sidecar(&file),
    }))
}

/// Reads phone and call out of `<phone>/call_<n>_….wav`, or `call_<phone>_<n>_….wav` directly in the root.
fn owner(root: &Path, path: &Path) -> (Option<String>, Option<u64>) {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let tokens: Vec<&str> = stem.split('_').collect();
    let number = |token: &&str| token.parse().ok();
    match (path.parent(), tokens.as_slice()) {
        (Some(parent), ["call", rest @ ..]) if parent == root => {
            (rest.first().map(|phone| (*phone).to_owned()), rest.get(1).and_then(number))
        }
        (Some(parent), ["call", rest @ ..]) if !rest.is_empty() => (
            parent.file_name().map(|name| name.to_string_lossy().into_owned()),
            rest.first().and_then(number),
        ),
        _ => (None, None),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_recording_is_in_its_name() {
        let root = Path::new("/recordings");
        for (path, phone, call) in [
            ("/recordings/a/call_7_20260102_030405_000001.wav", Some("a"), Some(7)),
            ("/recordings/a/call_x.wav", Some("a"), None),
            ("/recordings/call_b_9_20260102.wav", Some("b"), Some(9)),
            ("/recordings/a/other_7.wav", None, None),
            ("/recordings/a/call.wav", None, None),
        ] {
            assert_eq!(owner(root, Path::new(path)), (phone.map(str::to_owned), call), "{path}");
        }
    }
}
