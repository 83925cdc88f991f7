//! The carrier over TCP: streams opened on demand, accepted from the listener, reused per remote address.
//!
//! ```text
//! send ──► queue (bounded) ──► task: connect ─► write ─► …
//!                                    └─ read ─► framer ─► Arrival
//! ```

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offhook_sip::framing::{DEFAULT_LIMIT, Frame, StreamFramer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::{self, error::TrySendError},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Arrival,
    carrier::{Carrier, Parts, Task},
};
use crate::{
    net::{
        Flow, Permit, Transport,
        network::{BoxedStream, StreamListener},
    },
    telemetry::Seldom,
};

/// Messages that may wait for one peer.
const QUEUE: usize = 256;
/// Well under timer B, so that a request can still be tried elsewhere.
const CONNECT_LIMIT: Duration = Duration::from_secs(8);
/// How long one write may stall.
const WRITE_LIMIT: Duration = Duration::from_secs(16);
/// How long a peer may take to complete a message that it has begun, and to send its first one.
const HALF_A_MESSAGE: Duration = Duration::from_secs(30);
/// How long a stream that a peer opened may be idle in both directions: five times the longest
/// interval between keep-alives in RFC 5626 §4.4.1.
const IDLE: Duration = Duration::from_secs(600);
/// Pause after a failed accept, which would recur at once when out of file descriptors.
const REST: Duration = Duration::from_millis(50);
const CHUNK: usize = 16 << 10;

/// Answer to a keep-alive, RFC 5626 §3.5.1.
const PONG: &[u8] = b"\r\n";
/// The keep-alive that it answers.
const PING: &[u8] = b"\r\n\r\n";

type Queue = mpsc::Sender<Vec<u8>>;

/// Every stream of one user agent.
struct Connections {
    parts: Parts,
    local: SocketAddr,
    open: Mutex<Open>,
}

struct Streams {
    connections: Arc<Connections>,
}

#[derive(Default)]
struct Open {
    by_remote: HashMap<SocketAddr, (u64, Queue)>,
    /// Distinguishes a connection from a later one to the same peer.
    count: u64,
}

/// Starts listening.
pub(super) fn open(parts: Parts, local: SocketAddr) -> io::Result<(Box<dyn Carrier>, Task)> {
    let listener = parts.network.listen_stream(local)?;
    let connections = Arc::new(Connections { parts, local: listener.local(), open: Mutex::default() });
    let carrier = Streams { connections: Arc::clone(&connections) };
    Ok((Box::new(carrier), Box::pin(accept(listener, connections))))
}

impl Carrier for Streams {
    fn local(&self) -> SocketAddr {
        self.connections.local
    }

    fn send(&self, flow: &Flow, bytes: &[u8], spawn: &mut dyn FnMut(Task)) -> io::Result<()> {
        self.connections.send(flow, bytes, spawn)
    }

    fn connections(&self) -> usize {
        self.connections.lock().by_remote.len()
    }
}

/// Who opened a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    Us,
    Peer,
}

impl Opener {
    fn framer(self) -> StreamFramer {
        match self {
            Self::Us => StreamFramer::opened(DEFAULT_LIMIT),
            Self::Peer => StreamFramer::accepted(DEFAULT_LIMIT),
        }
    }
}

/// How long to wait for a stream: one that is held open and silent takes somebody else's place.
struct Patience<'a> {
    opener: Opener,
    used: &'a Used,
    /// When the incomplete message began.
    half: Option<Instant>,
}

/// When something last passed a stream, in either direction.
struct Used(Mutex<Instant>);

impl Used {
    fn now() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of reading a stream.
enum Read {
    Bytes(usize),
    /// Nothing has passed for so long that its place goes to somebody else.
    Idle,
    /// The peer has not completed a message that it began.
    Half,
}

impl<'a> Patience<'a> {
    fn begin(opener: Opener, used: &'a Used) -> Self {
        // Whoever opens a stream is about to send a message.
        Self { opener, used, half: (opener == Opener::Peer).then(Instant::now) }
    }

    /// A message is complete; what follows it has only just begun.
    const fn message_came(&mut self) {
        self.half = None;
    }

    /// Bytes arrived; `half` if part of a message waits for the rest.
    fn heard(&mut self, half: bool) {
        self.used.again();
        if half {
            self.half.get_or_insert_with(|| self.used.last());
        }
    }

    /// Reads once, while there is time.
    async fn read(
        &self,
        reader: &mut tokio::io::ReadHalf<BoxedStream>,
        chunk: &mut [u8],
    ) -> io::Result<Read> {
        loop {
            let idle = (self.opener == Opener::Peer).then(|| self.used.last() + IDLE);
            let half = self.half.map(|since| since + HALF_A_MESSAGE);
            let Some(end) = idle.into_iter().chain(half).min() else {
                return reader.read(chunk).await.map(Read::Bytes);
            };
            match timeout_at(end, reader.read(chunk)).await {
                Ok(read) => return read.map(Read::Bytes),
                Err(_) if half.is_some_and(|half| half <= Instant::now()) => return Ok(Read::Half),
                // Something may have been written meanwhile.
                Err(_) if self.used.last() + IDLE <= Instant::now() => return Ok(Read::Idle),
                Err(_) => {}
            }
        }
    }
}

impl Connections {
    /// Queues `bytes` for the stream to `flow.remote`; if there is none, a task that opens it is
    /// given to `spawn`.
    fn send(self: &Arc<Self>, flow: &Flow, bytes: &[u8], spawn: &mut dyn FnMut(Task)) -> io::Result<()> {
        let mut bytes = bytes.to_vec();
        let known = self.lock().by_remote.get(&flow.remote).map(|(_, queue)| queue.clone());
        if let Some(queue) = known {
            match queue.try_send(bytes) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TrySendError::Closed(back)) => bytes = back,
            }
        }
        let (serial, queue, waiting) = self.enter(flow.remote);
        if queue.try_send(bytes).is_err() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let connections = Arc::clone(self);
        let flow = *flow;
        spawn(Box::pin(async move {
            let stream = connections.parts.network.connect_stream(flow.local.ip(), flow.remote);
            match timeout(CONNECT_LIMIT, stream).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            {
                Ok(stream) => connections.carry(stream, flow, serial, waiting, Opener::Us).await,
                Err(error) => connections.end(flow, serial, Err(error)).await,
            }
        }));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `remote` reachable through a queue; for sending, a later connection replaces an
    /// earlier one.
    fn enter(&self, remote: SocketAddr) -> (u64, Queue, mpsc::Receiver<Vec<u8>>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let mut open = self.lock();
        open.count += 1;
        let serial = open.count;
        open.by_remote.insert(remote, (serial, queue.clone()));
        (serial, queue, waiting)
    }

    /// Carries messages in both directions until the stream ends, then reports how it ended.
    async fn carry(
        &self,
        stream: BoxedStream,
        flow: Flow,
        serial: u64,
        waiting: mpsc::Receiver<Vec<u8>>,
        opener: Opener,
    ) {
        let (reader, writer) = tokio::io::split(stream);
        let (pong, pongs) = mpsc::channel(1);
        let used = Used::now();
        let ended = tokio::select! {
            read = self.read(reader, flow, Patience::begin(opener, &used), pong) => read,
            written = self.write(writer, flow, (waiting, pongs), &used) => written,
        };
        self.end(flow, serial, ended).await;
    }

    async fn read(
        &self,
        mut reader: tokio::io::ReadHalf<BoxedStream>,
        flow: Flow,
        mut patience: Patience<'_>,
        pong: mpsc::Sender<()>,
    ) -> io::Result<()> {
        let mut framer = patience.opener.framer();
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = match patience.read(&mut reader, &mut chunk).await? {
                Read::Bytes(length) => length,
                Read::Idle => return Ok(()),
                Read::Half => return Err(io::ErrorKind::TimedOut.into()),
            };
            if length == 0 {
                let cut = framer.buffered() > 0;
                return if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) };
            }
            let read = chunk.get(..length).unwrap_or_default();
            framer.push(read);
            loop {
                match framer.poll_frame() {
                    Ok(None) => break,
                    Ok(Some(Frame::Pong)) => self.parts.witness.received(&flow, PONG),
                    // One pong waiting to be written answers every ping before it.
                    Ok(Some(Frame::Ping)) => {
                        self.parts.witness.received(&flow, PING);
                        let _one_waits_already = pong.try_send(());
                    }
                    Ok(Some(Frame::Message(message))) => {
                        self.parts.witness.received(&flow, message.bytes());
                        patience.message_came();
                        let Some(permit) = self.permit(message.bytes().len()).await else { return Ok(()) };
                        (self.parts.deliver)(Arrival::Message { flow, message, permit });
                    }
                    Err(error) => {
                        self.parts.witness.received(&flow, read);
                        if let Some(permit) = self.permit(0).await {
                            (self.parts.deliver)(Arrival::Unframeable { flow, error, permit });
                        }
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                }
            }
            patience.heard(framer.has_begun());
        }
    }

    /// Writes what is queued; ends without error when the queue is empty and the user agent closes.
    async fn write(
        &self,
        mut writer: tokio::io::WriteHalf<BoxedStream>,
        flow: Flow,
        (mut waiting, mut pongs): (mpsc::Receiver<Vec<u8>>, mpsc::Receiver<()>),
        used: &Used,
    ) -> io::Result<()> {
        // The queue ends when a newer connection to this peer replaces it in the table; reading
        // goes on.
        let mut fed = true;
        loop {
            let message;
            let bytes: &[u8] = tokio::select! {
                Some(()) = pongs.recv() => PONG,
                next = waiting.recv(), if fed => if let Some(next) = next {
                    message = next;
                    &message
                } else {
                    fed = false;
                    continue;
                },
                // The queue then yields what it still holds, and ends.
                () = self.parts.closing.cancelled(), if fed && !waiting.is_closed() => {
                    waiting.close();
                    continue;
                },
                () = self.parts.closing.cancelled(), if !fed => return Ok(()),
            };
            let before = self.parts.witness.before_sending();
            timeout(WRITE_LIMIT, writer.write_all(bytes)).await.map_err(|_| io::ErrorKind::TimedOut)??;
            used.again();
            self.parts.witness.sent(before, &flow, bytes);
        }
    }

    async fn end(&self, flow: Flow, serial: u64, how: io::Result<()>) {
        {
            let mut open = self.lock();
            if open.by_remote.get(&flow.remote).is_some_and(|(current, _)| *current == serial) {
                open.by_remote.remove(&flow.remote);
            }
        }
        if let Some(permit) = self.permit(0).await {
            (self.parts.deliver)(match how {
                Ok(()) => Arrival::Closed { flow, permit },
                Err(error) => Arrival::Failed { flow, error, permit },
            });
        }
    }

    /// Waits for a place in the mailbox: a stream can be slowed down, so nothing is refused here.
    /// `None` once the user agent closes, because then nobody empties the mailbox.
    async fn permit(&self, bytes: usize) -> Option<Permit> {
        self.parts.closing.run_until_cancelled(self.parts.admission.wait(bytes)).await.flatten()
    }
}

/// Accepts connections until the user agent closes, then waits until all of them have ended.
async fn accept(mut listener: Box<dyn StreamListener>, connections: Arc<Connections>) {
    let local = listener.local();
    let (mut carried, mut refusals, mut failures) = (JoinSet::new(), Seldom::default(), Seldom::default());
    loop {
        let accept = poll_fn(|cx| listener.poll_accept(cx));
        let Some(accepted) = connections.parts.closing.run_until_cancelled(accept).await else { break };
        while carried.try_join_next().is_some() {}
        match accepted {
            Ok((stream, remote)) => {
                let Some(place) = connections.parts.network.accepted().admit() else {
                    if let Some(more) = refusals.turn() {
                        tracing::warn!(%remote, more, "connection refused: too many are open");
                    }
                    continue;
                };
                let connections = Arc::clone(&connections);
                let flow = Flow { transport: Transport::Tcp, local, remote };
                carried.spawn(async move {
                    let (serial, queue, waiting) = connections.enter(remote);
                    drop(queue);
                    connections.carry(stream, flow, serial, waiting, Opener::Peer).await;
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(more) = failures.turn() {
                    tracing::warn!(%local, %error, more, "cannot accept a connection");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop(listener);
    while carried.join_next().await.is_some() {}
}
