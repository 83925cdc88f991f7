//! Reads the datagram socket of one user agent.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use super::{Arrival, Deliver, Witness};
use crate::net::{Flow, Transport, admission::Admission, network::DatagramSocket};

/// Largest UDP payload.
const LARGEST: usize = 65_535;
/// Rest after an error that may come back at once, so that a broken socket does not occupy a core.
const REST: Duration = Duration::from_millis(50);

thread_local! {
    /// One buffer a thread serves all readers, because none keeps it across a wait; a phone that idles holds none.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]);
}

/// Delivers datagrams for ever; ends by being aborted.
pub(super) async fn read(
    socket: Arc<dyn DatagramSocket>,
    deliver: Deliver,
    admission: Admission,
    witness: Witness,
) {
    let local = socket.local();
    loop {
        let (bytes, remote) = match receive(&*socket).await {
            Ok(received) => received,
            Err(error) => {
                // An ICMP message about something sent earlier; the socket itself is fine.
                tracing::debug!(%local, %error, "receive error on the signaling socket");
                if !is_about_a_peer(&error) {
                    tokio::time::sleep(REST).await;
                }
                continue;
            }
        };
        let flow = Flow { transport: Transport::Udp, local, remote };
        witness.received(&flow, &bytes);
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            // A keep-alive of the peer: it has done its work on the way here.
            continue;
        }
        if let Some(permit) = admission.admit() {
            deliver(Arrival::Message { flow, bytes, permit });
        }
    }
}

/// Waits for one datagram; cancel-safe.
async fn receive(socket: &dyn DatagramSocket) -> io::Result<(Vec<u8>, SocketAddr)> {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            let (length, remote) = ready!(socket.poll_receive(cx, buffer))?;
            Poll::Ready(Ok((buffer.get(..length).unwrap_or_default().to_vec(), remote)))
        })
    })
    .await
}

fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}
