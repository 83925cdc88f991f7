//! Reads the datagram socket of one user agent.

use std::{io, sync::Arc, time::Duration};

use super::{Arrival, Deliver};
use crate::net::{Flow, Transport, admission::Admission, network::DatagramSocket};

/// Largest UDP payload.
const LARGEST: usize = 65_535;
/// Rest after an error that may come back at once, so that a broken socket does not occupy a core.
const REST: Duration = Duration::from_millis(50);

/// Delivers datagrams for ever; ends by being aborted.
pub(super) async fn read(socket: Arc<dyn DatagramSocket>, deliver: Deliver, admission: Admission) {
    let local = socket.local();
    let mut buffer = vec![0; LARGEST];
    loop {
        let (length, remote) = match socket.receive(&mut buffer).await {
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
        let Some(bytes) = buffer.get(..length) else { continue };
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            // A keep-alive of the peer: it has done its work on the way here.
            continue;
        }
        if let Some(permit) = admission.admit() {
            let flow = Flow { transport: Transport::Udp, local, remote };
            deliver(Arrival::Message { flow, bytes: bytes.to_vec(), permit });
        }
    }
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
