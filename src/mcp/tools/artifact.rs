//! Tools that show files: recordings and captures.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use serde_json::{Value, json};

use crate::{
    artifact::{ArtifactFile, Sidecar},
    capture::analysis::analyze,
    id::CallId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{
            capture::{self, Owner},
            rows, words,
        },
        context::CallContext,
        result::Reply,
        services::Services,
    },
    view::CallView,
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
                "Show the calls, RTP flows and codecs in the newest packet capture (pcap) of a phone.",
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

async fn analyze_capture(services: Arc<Services>, given: AnalyzeCapture, _: CallContext) -> Reply {
    let working = Arc::clone(&services);
    let (phone, call) = (given.phone_id.clone(), given.call_id);
    // Walking folders and reading files block.
    let analyzed =
        tokio::task::spawn_blocking(move || analyzed(&working, &given.phone_id, given.call_id)).await;
    let refuse = |error: String| {
        Reply::compat_error(error, &[("phone_id", phone.as_str().into()), ("call_id", json!(call))])
    };
    match analyzed {
        Ok(Ok(Some(answer))) => Reply::compat(answer),
        Ok(Ok(None)) => {
            let known = phone.parse().ok().and_then(|phone| services.views.phone(&phone));
            let captured = known.as_ref().is_some_and(|phone| phone.spec.capture_enabled);
            let mut none = capture::none(&phone, call, captured);
            if let (Value::Object(none), None) = (&mut none, known) {
                none.extend(words::unknown_phone(&services, &phone));
            }
            Reply::compat(none)
        }
        Ok(Err(error)) => refuse(error.to_string()),
        Err(error) => refuse(error.to_string()),
    }
}

/// Finds and analyzes the capture that was meant; `None` if there is none.
fn analyzed(services: &Services, phone: &str, call: Option<CallId>) -> io::Result<Option<Value>> {
    let holds = |call: CallId, path: &Path| {
        services.views.call(call).is_some_and(|call| call.captures.iter().any(|held| Path::new(held) == path))
    };
    let meant = |file: &ArtifactFile| {
        file.phone.as_deref() == Some(phone)
            && call.is_none_or(|call| file.call == Some(call.0) || holds(call, &file.path))
    };
    let best = |file: &ArtifactFile| {
        let written = std::fs::metadata(&file.path).and_then(|known| known.modified()).ok();
        // An earlier process may have had a call of the same number; and what a phone says between
        // its calls is rarely what is looked for.
        let held = file.call.or(call.map(|call| call.0)).is_some_and(|call| holds(CallId(call), &file.path));
        (call.is_some() && held, file.call.is_some(), written)
    };
    let files = services.captures.list()?;
    let Some(file) = files.into_iter().filter(meant).max_by_key(best) else { return Ok(None) };
    let (call, rtp_port) = owner_of(services, phone, call.or(file.call.map(CallId)), &file.path);
    let known = phone.parse().ok().and_then(|phone| services.views.phone(&phone));
    let owner = Owner {
        phone: phone.to_owned(),
        call,
        path: services.captures.shown(&file.path).display().to_string(),
        rtp_port,
        codecs: known.and_then(|phone| phone.spec.codecs.clone()),
    };
    Ok(Some(capture::told(&owner, &analyze(&file.path)?)))
}

/// Returns the call that a capture is about and our RTP port in it: from the journal if it knows
/// the file, else from the description of a recording that was made at the same time.
fn owner_of(
    services: &Services,
    phone: &str,
    call: Option<CallId>,
    capture: &Path,
) -> (Option<CallId>, Option<u16>) {
    let is_of = |view: &Arc<CallView>| {
        view.phone.as_str() == phone && view.captures.iter().any(|held| Path::new(held) == capture)
    };
    let view = call.and_then(|call| services.views.call(call)).filter(is_of);
    let local = view.and_then(|view| view.media_local.clone());
    if let Some(port) = local.and_then(|local| local.parse::<SocketAddr>().ok()).map(|local| local.port()) {
        return (call, Some(port));
    }
    let recordings = services.recordings.list().unwrap_or_default();
    let described = recordings.iter().filter(|file| file.phone.as_deref() == Some(phone));
    let mut sidecars = described.filter_map(|file| Sidecar::read(&file.path).ok());
    let beside = sidecars.find(|sidecar| sidecar.pcap.as_deref().map(Path::new) == Some(capture));
    match beside {
        Some(sidecar) => (call.or(sidecar.call_id.map(CallId)), sidecar.local_rtp_port),
        None => (call, None),
    }
}
