//! The SIP sockets of one user agent: a carrier for each transport, all on one port.
//!
//! RFC 3261 §18, RFC 5626 §3.5.1 (keep-alives on streams). Connections are reused per remote
//! address; sending never waits. Messages are parsed once, by the tasks that read; their content is
//! not examined.

mod carrier;
mod datagram;
mod stream;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use offhook_sip::{framing::FramingError, message::Message};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Flow, Sighting, Taps, Traffic, Transport, Way,
    admission::{Admission, Permit},
    network::Network,
};
use crate::id::PhoneId;
pub use carrier::carries;
use carrier::{CARRIERS, Carrier, Parts, Task};

/// Attempts to find a port that is free for both datagrams and streams.
const PORT_ATTEMPTS: usize = 32;
/// How long closing waits for peers to accept what is queued for their streams.
const LAST_WRITES: Duration = Duration::from_millis(250);

/// Options for [`Signaling::open`].
#[derive(Clone, Debug)]
pub struct SignalingOptions {
    /// Where to listen; port 0 picks one that is free for all transports.
    pub local: SocketAddr,
    /// How many arrivals of each transport may be unhandled at a time; one of more than 4 KiB
    /// counts several times.
    pub permits: usize,
    /// The phone that owns the sockets, for taps; `None` for the lab.
    pub phone: Option<PhoneId>,
}

/// What arrived.
///
/// Each has a permit, to be dropped when it has been handled: the mailboxes in which they wait have
/// no bound of their own.
#[derive(Debug)]
pub enum Arrival {
    /// A datagram, or one complete message of a stream.
    Message {
        /// The flow it came by.
        flow: Flow,
        /// The message, parsed once for everybody.
        message: Message,
        /// Its place in the mailbox.
        permit: Permit,
    },
    /// A datagram that is not a SIP message.
    Unparsable {
        /// The flow it came by.
        flow: Flow,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its place in the mailbox.
        permit: Permit,
    },
    /// Something given to [`Signaling::send`] could not be sent, or its connection broke.
    Failed {
        /// The flow, as given to `send`.
        flow: Flow,
        /// The error.
        error: io::Error,
        /// Its place in the mailbox.
        permit: Permit,
    },
    /// A datagram given to [`Signaling::send`] was reported as undelivered. The report may be
    /// forged: check that `sent` matches the beginning of what was sent.
    Returned {
        /// The flow, as given to `send`.
        flow: Flow,
        /// Its beginning, as far as quoted.
        sent: Vec<u8>,
        /// The error.
        error: io::Error,
        /// Its place in the mailbox.
        permit: Permit,
    },
    /// The peer closed a connection in an orderly way.
    Closed {
        /// The flow.
        flow: Flow,
        /// Its place in the mailbox.
        permit: Permit,
    },
    /// A stream in which no message boundary could be found; it was closed.
    Unframeable {
        /// The flow.
        flow: Flow,
        /// Where and why.
        error: FramingError,
        /// Its place in the mailbox.
        permit: Permit,
    },
}

/// The SIP sockets of one user agent; dropping it closes them and ends their tasks.
pub struct Signaling {
    local: SocketAddr,
    carriers: BTreeMap<Transport, (Box<dyn Carrier>, Admission)>,
    closing: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

/// Where arrivals go.
pub(super) type Deliver = Arc<dyn Fn(Arrival) + Send + Sync>;

impl Signaling {
    /// Binds the sockets and starts reading; `deliver` is called from reader tasks and must not
    /// block.
    ///
    /// # Errors
    /// The address is in use or not local.
    pub fn open(
        network: Arc<dyn Network>,
        options: SignalingOptions,
        deliver: impl Fn(Arrival) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let closing = CancellationToken::new();
        let parts = Parts {
            witness: Witness { taps: network.taps().clone(), phone: options.phone.clone() },
            network,
            deliver: Arc::new(deliver),
            admission: Admission::new(options.permits),
            closing: closing.clone(),
        };
        let opened = open_all(&parts, &options)?;
        let local = opened.first().map_or(options.local, |opened| opened.carrier.local());
        let mut tasks = JoinSet::new();
        let mut carriers = BTreeMap::new();
        for Opened { transport, carrier, admission, task } in opened {
            tasks.spawn(task);
            carriers.insert(transport, (carrier, admission));
        }
        Ok(Self { local, carriers, closing, tasks: Mutex::new(tasks) })
    }

    /// Returns the bound address, the same for all transports.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Returns our address on each transport.
    pub fn locals(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + '_ {
        self.carriers.iter().map(|(transport, (carrier, _))| (*transport, carrier.local()))
    }

    /// Sends one message; opens a connection to `flow.remote` if the transport has connections and
    /// there is none.
    ///
    /// Never waits. Later failures come back as [`Arrival::Failed`] or [`Arrival::Returned`] with
    /// the same flow.
    ///
    /// # Errors
    /// The network refused it at once; [`io::ErrorKind::WouldBlock`] if the queue to that peer is
    /// full, [`io::ErrorKind::Unsupported`] for a transport that is not implemented.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) -> io::Result<()> {
        let (carrier, _) = self.carriers.get(&flow.transport).ok_or(io::ErrorKind::Unsupported)?;
        carrier.send(flow, bytes, &mut |task| {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        })
    }

    /// Returns the arrival that reports a failed [`send`](Self::send), unless the mailbox for
    /// arrivals is full.
    #[must_use]
    pub fn failure(&self, flow: Flow, error: io::Error) -> Option<Arrival> {
        let (_, admission) = self.carriers.get(&flow.transport)?;
        admission.admit().map(|permit| Arrival::Failed { flow, error, permit })
    }

    /// Closes the sockets; the port is free when this returns.
    ///
    /// What was given to [`send`](Self::send) is written first; peers have 250 ms to accept it.
    pub async fn close(self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        self.closing.cancel();
        let written = async { while tasks.join_next().await.is_some() {} };
        if timeout(LAST_WRITES, written).await.is_err() {
            tracing::debug!(local = %self.local, "closed before a peer took everything");
        }
        tasks.shutdown().await;
    }

    /// Returns how many datagrams and failure reports were refused for lack of a permit.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.carriers.values().map(|(_, admission)| admission.refused()).sum()
    }

    /// Returns how many connections are open or being opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.carriers.values().map(|(carrier, _)| carrier.connections()).sum()
    }
}

/// Shows the taps what passes the sockets of one user agent.
#[derive(Clone)]
struct Witness {
    taps: Taps,
    phone: Option<PhoneId>,
}

impl Witness {
    /// Returns the time, if anybody wants it: something is sent before its answer is received, even
    /// if both are shown afterwards.
    fn before_sending(&self) -> Option<Instant> {
        self.taps.is_listening().then(Instant::now)
    }

    fn sent(&self, before: Option<Instant>, flow: &Flow, bytes: &[u8]) {
        if let Some(at) = before {
            self.saw(Way::Sent, at, flow, bytes);
        }
    }

    fn received(&self, flow: &Flow, bytes: &[u8]) {
        if self.taps.is_listening() {
            self.saw(Way::Received, Instant::now(), flow, bytes);
        }
    }

    fn saw(&self, way: Way, at: Instant, flow: &Flow, bytes: &[u8]) {
        self.taps.show(|| Sighting {
            way,
            traffic: Traffic::Sip(flow.transport),
            local: flow.local,
            remote: flow.remote,
            at: at.into_std(),
            phone: self.phone.as_ref(),
            bytes,
        });
    }
}

/// An open carrier. It has places of its own, so that an endless stream leaves the datagrams
/// theirs.
struct Opened {
    transport: Transport,
    carrier: Box<dyn Carrier>,
    admission: Admission,
    task: Task,
}

/// Opens every carrier, all on one port.
fn open_all(parts: &Parts, options: &SignalingOptions) -> io::Result<Vec<Opened>> {
    let attempts = if options.local.port() == 0 { PORT_ATTEMPTS } else { 1 };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..attempts {
        match open_at(parts, options) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            done => return done,
        }
    }
    Err(last)
}

fn open_at(parts: &Parts, options: &SignalingOptions) -> io::Result<Vec<Opened>> {
    let mut opened: Vec<Opened> = Vec::new();
    for (transport, open) in CARRIERS {
        // The first picks a free port if necessary, the others use the same one.
        let at = opened.first().map_or(options.local, |first| first.carrier.local());
        let admission = Admission::new(options.permits);
        let (carrier, task) = open(Parts { admission: admission.clone(), ..parts.clone() }, at)?;
        opened.push(Opened { transport, carrier, admission, task });
    }
    Ok(opened)
}
