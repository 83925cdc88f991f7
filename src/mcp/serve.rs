//! Serving a client over two byte streams until the input ends, then cleaning up after it.

use std::{sync::Arc, time::Duration};

use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio_pipes};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{McpServer, client::Client, server::Connection, transport::LineTransport};

/// How long calls in progress may take to finish once the input has ended.
const DRAIN: Duration = Duration::from_millis(2000);

/// The connection could not be established.
#[derive(Debug, thiserror::Error)]
#[error("the client could not be served")]
pub struct ServeError(#[source] Box<ServerInitializeError>);

impl McpServer {
    /// Serves the client at standard input and output, like [`McpServer::serve`], except for its
    /// phones: they end with the process, which ends with this client, and a journal on disk brings
    /// them back.
    ///
    /// # Errors
    /// The handshake was refused.
    pub async fn serve_stdio(self) -> Result<(), ServeError> {
        let (input, output) = stdio_pipes();
        let client = self.enter();
        let served = self.attend(&client, input, output).await;
        client.stop_work();
        served
    }

    /// Serves one client until its input ends or the services' `closing` token is canceled; then
    /// its runs are canceled and its phones dropped. The server's other clients, and what they
    /// created, go on.
    ///
    /// # Errors
    /// The handshake was refused; a client that leaves before it is not an error.
    pub async fn serve(
        self,
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), ServeError> {
        let client = self.enter();
        let served = self.attend(&client, input, output).await;
        client.leave().await;
        served
    }

    async fn attend(
        self,
        client: &Arc<Client>,
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), ServeError> {
        let gone = client.services.closing.clone();
        let connection = Connection::new(self, Arc::clone(client));
        let transport = LineTransport::new(input, output, gone.clone());
        match connection.clone().serve_with_ct(transport, Default::default()).await {
            Ok(running) => {
                let peer = running.peer().clone();
                let waiting = running.waiting();
                tokio::pin!(waiting);
                tokio::select! {
                    ended = &mut waiting => drop(ended),
                    () = connection.tell_of_others(peer) => {}
                    () = gone.cancelled() => drop(timeout(DRAIN, waiting).await),
                }
                Ok(())
            }
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
            // Asked to end, or left by a client that reads no answer.
            Err(_) if gone.is_cancelled() => Ok(()),
            Err(error) => Err(ServeError(Box::new(error))),
        }
    }
}
