//! The carrier over UDP: one socket, one reader.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use offhook_sip::message::Message;
use tokio::time::Instant;

use super::{
    Arrival, Witness,
    carrier::{Carrier, Parts, Task},
};
use crate::{
    net::{
        Flow, Transport,
        network::{DatagramSocket, Returned},
    },
    telemetry::Seldom,
};

/// Largest UDP payload.
const LARGEST: usize = 65_535;
/// Pause after an error that may recur at once, so that a broken socket does not occupy a core.
const REST: Duration = Duration::from_millis(50);

/// Most reports of undelivered datagrams handled per second: as many as a phone has requests
/// pending at a time, which is few.
const MOST_RETURNED: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    /// One buffer per thread serves all readers, because none keeps it across a wait; an idle phone
    /// holds none.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]);
}

struct Datagrams {
    socket: Arc<dyn DatagramSocket>,
    witness: Witness,
}

impl Carrier for Datagrams {
    fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    fn send(&self, flow: &Flow, bytes: &[u8], _spawn: &mut dyn FnMut(Task)) -> io::Result<()> {
        let before = self.witness.before_sending();
        self.socket.try_send(bytes, flow.remote)?;
        self.witness.sent(before, flow, bytes);
        Ok(())
    }

    fn connections(&self) -> usize {
        0
    }
}

/// Binds the socket.
pub(super) fn open(parts: Parts, local: SocketAddr) -> io::Result<(Box<dyn Carrier>, Task)> {
    let socket = parts.network.bind_datagram(local)?;
    let carrier = Datagrams { socket: Arc::clone(&socket), witness: parts.witness.clone() };
    let closing = parts.closing.clone();
    let task = async move {
        let both = async { tokio::join!(read(&*socket, &parts), watch(&*socket, &parts)) };
        closing.run_until_cancelled(both).await;
    };
    Ok((Box::new(carrier), Box::pin(task)))
}

/// Delivers datagrams forever.
async fn read(socket: &dyn DatagramSocket, parts: &Parts) {
    let local = socket.local();
    loop {
        let (bytes, remote) = match receive(socket).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%local, %error, "receive error on the signaling socket");
                if !is_about_a_peer(&error) {
                    tokio::time::sleep(REST).await;
                }
                continue;
            }
        };
        let flow = Flow { transport: Transport::Udp, local, remote };
        parts.witness.received(&flow, &bytes);
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            // A keep-alive of the peer: it did its work on the way here.
            continue;
        }
        if let Some(permit) = parts.admission.admit_bytes(bytes.len()) {
            (parts.deliver)(match Message::parse(&bytes) {
                Ok(message) => Arrival::Message { flow, message, permit },
                Err(_) => Arrival::Unparsable { flow, bytes, permit },
            });
        }
    }
}

/// Delivers reports of undelivered datagrams forever, up to a rate: anybody can forge them
/// (RFC 5927).
async fn watch(socket: &dyn DatagramSocket, parts: &Parts) {
    let local = socket.local();
    let (mut heard, mut left_out) = (Heard::begin(), Seldom::default());
    loop {
        match socket.returned().await {
            Ok(Returned { to, sent, error }) => {
                let flow = Flow { transport: Transport::Udp, local, remote: to };
                if !heard.takes_one_more() {
                    if let Some(more) = left_out.turn() {
                        tracing::warn!(%local, remote = %to, more, "more datagrams come back than are looked at");
                    }
                } else if let Some(permit) = parts.admission.admit_bytes(sent.len()) {
                    (parts.deliver)(Arrival::Returned { flow, sent, error, permit });
                }
            }
            Err(error) => {
                tracing::debug!(%local, %error, "cannot ask the signaling socket what came back");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// The reports within the current second.
struct Heard {
    since: Instant,
    count: u32,
}

impl Heard {
    fn begin() -> Self {
        Self { since: Instant::now(), count: 0 }
    }

    fn takes_one_more(&mut self) -> bool {
        if self.since.elapsed() >= SECOND {
            *self = Self::begin();
        }
        self.count = self.count.saturating_add(1);
        self.count <= MOST_RETURNED
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
