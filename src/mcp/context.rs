//! What a tool knows about the request that called it.

use rmcp::{
    RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
    service::{Peer, RequestContext},
};
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Cause, Surface},
    id::ClientId,
};

/// One call of a tool.
pub(super) struct CallContext {
    /// The cause of everything that the call makes happen.
    pub(super) cause: Cause,
    /// Canceled when the client gives up; tools that wait must then stop.
    pub(super) canceled: CancellationToken,
    /// Where to report progress, if the client asked for it.
    pub(super) progress: Option<Progress>,
}

impl CallContext {
    /// Reads the context of a request.
    pub(super) fn of(
        request: &RequestContext<RoleServer>,
        client: ClientId,
        closing: &CancellationToken,
    ) -> Self {
        let progress = request.meta.get_progress_token().map(|token| Progress {
            token,
            peer: request.peer.clone(),
            closing: closing.clone(),
            count: 0,
        });
        Self {
            cause: Cause::Command {
                surface: Surface::Mcp,
                client: Some(client),
                request: Some(request.id.to_string()),
            },
            canceled: request.ct.clone(),
            progress,
        }
    }
}

/// Reports the progress of a call.
pub(super) struct Progress {
    token: ProgressToken,
    peer: Peer<RoleServer>,
    /// Once this is canceled the SDK no longer sends notifications.
    closing: CancellationToken,
    count: u32,
}

impl Progress {
    /// Tells the client that one more thing has happened.
    pub(super) async fn report(&mut self, message: String) {
        self.count += 1;
        let progress = ProgressNotificationParam::new(self.token.clone(), f64::from(self.count));
        tokio::select! {
            // A client that no longer listens misses nothing but the progress.
            told = self.peer.notify_progress(progress.with_message(message)) => drop(told),
            () = self.closing.cancelled() => {}
        }
    }
}
