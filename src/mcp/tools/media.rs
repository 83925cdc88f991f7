//! Actions on a call's sound: playing and recording.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use super::{
    inspection::running_call,
    select::{call_of, done, echo, execute, merge},
};
use crate::{
    command::{CallCommand, Command, Sound},
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
    vec![
        action(
            label("play_audio", "Play audio", "Play a WAV file of this machine into a call.", Hints::Dials),
            play_audio,
        ),
        action(
            label("stop_audio", "Stop audio", "Stop what is being played into a call.", Hints::Settles),
            stop_audio,
        ),
        action(
            label(
                "get_recording",
                "Recording",
                "Show the recording (WAV file) that a running call is being written to.",
                Hints::Reads,
            ),
            get_recording,
        ),
    ]
}

arguments! {
    /// Arguments of `play_audio`.
    PlayAudio {
        /// Path of a WAV file.
        file_path: String,
        /// Which call; the oldest active one by default.
        call_id: Option<CallId>,
        /// Repeat until stopped.
        r#loop: bool = false,
    }
}

async fn play_audio(
    services: Arc<Services>,
    phone: PhoneId,
    given: PlayAudio,
    context: CallContext,
) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, given.call_id)?;
            let command = Command::Call(
                call,
                CallCommand::Play { sound: Sound::File(given.file_path.clone()), repeat: given.r#loop },
            );
            let outcome = execute(&services, &phone, command, &context).await?;
            let more = [
                ("call_id", echo(given.call_id)),
                ("playing_file", given.file_path.into()),
                ("loop", given.r#loop.into()),
            ];
            Ok(done(&phone, &more, &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of `stop_audio`.
    StopAudio {
        /// Which call; the oldest active one by default.
        call_id: Option<CallId>,
    }
}

async fn stop_audio(
    services: Arc<Services>,
    phone: PhoneId,
    given: StopAudio,
    context: CallContext,
) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, given.call_id)?;
            let outcome =
                execute(&services, &phone, Command::Call(call, CallCommand::StopPlaying), &context).await?;
            Ok(done(&phone, &[("call_id", echo(given.call_id))], &outcome))
        }
        .await,
    )
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
        ("meta_path", json!(services.shown_sidecar(recording))),
    ])))
}
