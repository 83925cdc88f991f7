//! The SIP sockets of one user agent: a datagram socket, a listener on the same port, connections to peers.
//!
//! RFC 3261 §18, RFC 5626 §3.5.1 (keep-alives on streams). Connections are reused per remote address; sending never
//! waits. Message content is not looked at, except to find where a message ends in a stream.

mod connection;
mod datagram;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use offhook_sip::framing::FramingError;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Flow, Sighting, Taps, Traffic, Transport, Way,
    admission::{Admission, Permit},
    network::{DatagramSocket, Network, StreamListener},
};
use crate::id::PhoneId;
use connection::Connections;

/// Attempts to find a port that is free for datagrams and streams alike.
const PORT_ATTEMPTS: usize = 32;
/// How long closing waits for peers to take what is queued for their streams.
const LAST_WRITES: Duration = Duration::from_millis(250);

/// What [`Signaling::open`] needs to know.
#[derive(Clone, Debug)]
pub struct SignalingOptions {
    /// Where to listen; port 0 takes one that is free for both transports.
    pub local: SocketAddr,
    /// Whether to listen for TCP on the same port. Outgoing connections are possible in any case.
    pub tcp: bool,
    /// How many delivered messages may be unhandled at a time.
    pub permits: usize,
    /// Whose sockets these are, for taps; none for the lab.
    pub phone: Option<PhoneId>,
}

/// What came in.
#[derive(Debug)]
pub enum Arrival {
    /// A datagram, or one whole message of a stream.
    Message {
        /// The path it came by.
        flow: Flow,
        /// Its bytes.
        bytes: Vec<u8>,
        /// To be dropped when the message is handled.
        permit: Permit,
    },
    /// Something given to [`Signaling::send`] could not be sent, or its connection broke.
    Failed {
        /// The path, as it was given to `send`.
        flow: Flow,
        /// What went wrong.
        error: io::Error,
    },
    /// The peer closed a connection in good order.
    Closed {
        /// The path.
        flow: Flow,
    },
    /// A stream in which no message boundary can be found; it was closed.
    Unframeable {
        /// The path.
        flow: Flow,
        /// Where and why.
        error: FramingError,
    },
}

/// The SIP sockets of one user agent; dropping it closes them and ends their tasks.
pub struct Signaling {
    local: SocketAddr,
    datagram: Arc<dyn DatagramSocket>,
    admission: Admission,
    witness: Witness,
    connections: Arc<Connections>,
    tasks: Mutex<JoinSet<()>>,
}

/// Where arrivals go.
pub(super) type Deliver = Arc<dyn Fn(Arrival) + Send + Sync>;

impl Signaling {
    /// Binds the sockets and starts reading; `deliver` is called from reader tasks and must not block.
    ///
    /// # Errors
    /// The address is in use or not ours.
    pub fn open(
        network: Arc<dyn Network>,
        options: SignalingOptions,
        deliver: impl Fn(Arrival) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (datagram, listener) = bind(&*network, &options)?;
        let witness = Witness { taps: network.taps().clone(), phone: options.phone };
        let deliver: Deliver = Arc::new(deliver);
        let admission = Admission::new(options.permits);
        let local = datagram.local();
        let connections =
            Arc::new(Connections::new(network, Arc::clone(&deliver), admission.clone(), witness.clone()));
        let mut tasks = JoinSet::new();
        let read = datagram::read(Arc::clone(&datagram), deliver, admission.clone(), witness.clone());
        let closing = connections.closing.clone();
        tasks.spawn(async move {
            closing.run_until_cancelled(read).await;
        });
        if let Some(listener) = listener {
            tasks.spawn(connection::accept(listener, Arc::clone(&connections)));
        }
        Ok(Self { local, datagram, admission, witness, connections, tasks: Mutex::new(tasks) })
    }

    /// Returns the bound address, the same for both transports.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends one message; a stream to `flow.remote` is opened when there is none.
    ///
    /// Never waits. What fails later comes back as [`Arrival::Failed`] with the same flow.
    ///
    /// # Errors
    /// The network refused it at once; [`io::ErrorKind::WouldBlock`] when the queue to that peer is full.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) -> io::Result<()> {
        match flow.transport {
            Transport::Udp => {
                self.datagram.try_send(bytes, flow.remote)?;
                self.witness.sent(flow, bytes);
                Ok(())
            }
            Transport::Tcp => self.connections.send(flow, bytes, |task| {
                let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
                while tasks.try_join_next().is_some() {}
                tasks.spawn(task);
            }),
        }
    }

    /// Closes the sockets; the port is free when this returns.
    ///
    /// What was given to [`send`](Self::send) is written before; peers have 250 ms to take it.
    pub async fn close(self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        self.connections.closing.cancel();
        let written = async { while tasks.join_next().await.is_some() {} };
        if timeout(LAST_WRITES, written).await.is_err() {
            tracing::debug!(local = %self.local, "closed before a peer took everything");
        }
        tasks.shutdown().await;
    }

    /// Returns how many datagrams were refused for lack of a permit.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.admission.refused()
    }

    /// Returns how many streams are open or being opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.count()
    }
}

type Bound = (Arc<dyn DatagramSocket>, Option<Box<dyn StreamListener>>);

/// Shows the taps what passes the sockets of one user agent.
#[derive(Clone)]
struct Witness {
    taps: Taps,
    phone: Option<PhoneId>,
}

impl Witness {
    fn sent(&self, flow: &Flow, bytes: &[u8]) {
        self.saw(Way::Sent, flow, bytes);
    }

    fn received(&self, flow: &Flow, bytes: &[u8]) {
        self.saw(Way::Received, flow, bytes);
    }

    fn saw(&self, way: Way, flow: &Flow, bytes: &[u8]) {
        self.taps.show(|| Sighting {
            way,
            traffic: Traffic::Sip(flow.transport),
            local: flow.local,
            remote: flow.remote,
            at: Instant::now().into_std(),
            phone: self.phone.as_ref(),
            bytes,
        });
    }
}

fn bind(network: &dyn Network, options: &SignalingOptions) -> io::Result<Bound> {
    let attempts = if options.local.port() == 0 { PORT_ATTEMPTS } else { 1 };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..attempts {
        let datagram = network.bind_datagram(options.local)?;
        if !options.tcp {
            return Ok((datagram, None));
        }
        match network.listen_stream(datagram.local()) {
            Ok(listener) => return Ok((datagram, Some(listener))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}
