//! Serving a client over two byte streams until the input ends, and leaving nothing behind.

use std::{future::Future, time::Duration};

use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio_pipes};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::timeout,
};

use super::{McpServer, transport::LineTransport};
use crate::{
    command::{Command, NodeCommand, PhoneCommand},
    event::{Cause, Surface},
};

/// How long calls that are under way may take to finish once the input has ended.
const DRAIN: Duration = Duration::from_millis(2000);

/// How long hanging up and unregistering may take after that.
const CLEAN_UP: Duration = Duration::from_millis(2500);

/// The connection did not come about.
#[derive(Debug, thiserror::Error)]
#[error("the client could not be served")]
pub struct ServeError(#[source] Box<ServerInitializeError>);

impl McpServer {
    /// Serves the client at standard input and output, as [`McpServer::serve`] does.
    ///
    /// # Errors
    /// When the handshake is refused.
    pub async fn serve_stdio(self) -> Result<(), ServeError> {
        let (input, output) = stdio_pipes();
        self.serve(input, output).await
    }

    /// Serves a client until its input ends or the services' `closing` token is canceled; then every call is hung up
    /// and every phone unregistered.
    ///
    /// # Errors
    /// When the handshake is refused; a client that leaves before it is no error.
    pub async fn serve(
        self,
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), ServeError> {
        let closing = self.services().closing.clone();
        let transport = LineTransport::new(input, output, closing.clone());
        let served = match self.clone().serve_with_ct(transport, Default::default()).await {
            Ok(running) => {
                let waiting = running.waiting();
                tokio::pin!(waiting);
                tokio::select! {
                    ended = &mut waiting => drop(ended),
                    () = closing.cancelled() => drop(timeout(DRAIN, waiting).await),
                }
                Ok(())
            }
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
            Err(error) => Err(ServeError(Box::new(error))),
        };
        closing.cancel();
        self.leave().await;
        served
    }

    /// Hangs up and unregisters everything, within a bounded time.
    async fn leave(&self) {
        let cause = Cause::command(Surface::Mcp);
        let services = self.services();
        bounded(services.execute.execute(Command::Node(NodeCommand::HangUpAll), cause.clone())).await;
        let mut farewells = JoinSet::new();
        for phone in services.registered_phones() {
            let (execute, cause) = (services.execute.clone(), cause.clone());
            farewells.spawn(async move {
                bounded(execute.execute(Command::Phone(phone, PhoneCommand::Unregister), cause)).await;
            });
        }
        while farewells.join_next().await.is_some() {}
    }
}

async fn bounded<T, E: std::fmt::Display>(farewell: impl Future<Output = Result<T, E>>) {
    match timeout(CLEAN_UP / 2, farewell).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "refused while leaving"),
        Err(_) => tracing::warn!("left without an answer"),
    }
}
