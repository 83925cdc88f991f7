//! Writes a file with a description next to each finished recording, from what the journal knows of
//! its call.

use std::{net::SocketAddr, time::Duration};

use crate::{
    artifact::Sidecar,
    event::{Envelope, Event, MediaEvent},
    journal::{Gone, Interest, Journal},
    view::Views,
};

/// Writes a sidecar for every recording that finishes from now on, until aborted.
pub(super) async fn describe_recordings(journal: Journal, views: Views) {
    let finished = Interest::of_kinds(&["media.recording_stopped"]);
    let mut reader = journal.reader_of(journal.head(), finished);
    loop {
        let envelope = match reader.next().await {
            Ok(envelope) => envelope,
            Err(Gone { oldest }) => {
                tracing::warn!(%oldest, "recordings may be without description");
                continue;
            }
        };
        let Some(sidecar) = sidecar(&envelope, &views) else { continue };
        let written = tokio::task::spawn_blocking(move || sidecar.write()).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "recording stays without description");
        }
    }
}

fn sidecar(envelope: &Envelope, views: &Views) -> Option<Sidecar> {
    let Event::Media(MediaEvent::RecordingStopped { path, duration_ms, .. }) = &envelope.event else {
        return None;
    };
    let call = views.call(envelope.subject.call?)?;
    let port = |address: &Option<String>| {
        address.as_ref().and_then(|text| text.parse::<SocketAddr>().ok()).map(|address| address.port())
    };
    let started = envelope.at.checked_sub(Duration::from_millis(*duration_ms)).unwrap_or(envelope.at);
    Some(Sidecar {
        phone_id: call.phone.to_string(),
        call_id: Some(call.id.0),
        direction: call.direction,
        started_at: started.to_string(),
        ended_at: envelope.at.to_string(),
        duration: duration_ms / 1000,
        codec: call.codec.clone().unwrap_or_default(),
        remote_uri: call.remote.clone(),
        last_status: call.status.unwrap_or(0),
        last_status_text: call.reason.clone().unwrap_or_default(),
        recording: path.clone(),
        pcap: call.captures.last().cloned(),
        local_rtp_port: port(&call.media_local),
        remote_rtp_port: port(&call.media_remote),
    })
}
