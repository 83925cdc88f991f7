//! What the program needs of a network, real or simulated.

use std::{
    future::{Future, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Admission, Batch, Names, Taps};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An RTP socket on an even port and its RTCP socket on the next port (RFC 3550 §11).
pub type MediaPair = (Arc<dyn MediaSocket>, Arc<dyn MediaSocket>);

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connected byte stream of some network.
pub type BoxedStream = Box<dyn Stream>;

/// A network: the machine's or an in-memory one.
///
/// The methods that bind or listen must be called inside a tokio runtime.
pub trait Network: Send + Sync + 'static {
    /// Opens a datagram socket; port 0 picks a free one.
    ///
    /// # Errors
    /// The address is in use or not local.
    fn bind_datagram(&self, local: SocketAddr) -> io::Result<Arc<dyn DatagramSocket>>;

    /// Opens an RTP socket on an even port and an RTCP socket on the next port.
    ///
    /// # Errors
    /// No pair in the range is free, or the address is not local.
    fn bind_media(&self, ip: IpAddr) -> io::Result<MediaPair>;

    /// Listens for streams; port 0 picks a free one.
    ///
    /// # Errors
    /// The address is in use or not local.
    fn listen_stream(&self, local: SocketAddr) -> io::Result<Box<dyn StreamListener>>;

    /// Connects a stream from `local` (an unspecified address leaves the choice to the network) to `remote`.
    fn connect_stream(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<BoxedStream>>;

    /// Returns the names of this network.
    fn names(&self) -> &Names;

    /// Returns the local address used to reach `remote`: the one to advertise.
    ///
    /// # Errors
    /// There is no route.
    fn local_ip_towards(&self, remote: SocketAddr) -> io::Result<IpAddr>;

    /// Returns the admission for streams that peers open, shared by all listeners: fewer than the
    /// machine has, so that there is room for our own calls.
    fn accepted(&self) -> &Admission;

    /// Returns the taps that are shown everything that passes the sockets of this network.
    fn taps(&self) -> &Taps;
}

/// A bound datagram socket; closed when its last handle is dropped.
pub trait DatagramSocket: Send + Sync + 'static {
    /// Returns the bound address.
    fn local(&self) -> SocketAddr;

    /// Receives one datagram into `buffer`, truncated to its length.
    ///
    /// Only the task that polled last is woken: one reader per socket. After an error the socket
    /// stays usable.
    fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;

    /// Waits for a report that a datagram of ours was not delivered; cancel-safe.
    ///
    /// On systems that do not report this, it never returns. One reader per socket.
    ///
    /// # Errors
    /// The socket cannot be queried.
    fn returned(&self) -> BoxFuture<'_, io::Result<Returned>>;

    /// Sends one datagram without waiting.
    ///
    /// # Errors
    /// The network refused it; [`io::ErrorKind::WouldBlock`] if its queue is full. Errors of
    /// earlier datagrams are not reported here.
    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
}

/// A datagram that was not delivered, according to an ICMP message that quotes its beginning
/// (RFC 792, RFC 4443).
#[derive(Debug)]
pub struct Returned {
    /// The address it was sent to.
    pub to: SocketAddr,
    /// Its beginning, as far as quoted: anything from nothing to all of it. Anybody can forge this.
    pub sent: Vec<u8>,
    /// Why it did not arrive.
    pub error: io::Error,
}

/// A bound socket for RTP or RTCP, which is read in batches; closed when its last handle is dropped.
pub trait MediaSocket: Send + Sync + 'static {
    /// Returns the bound address.
    fn local(&self) -> SocketAddr;

    /// Reads what has arrived into `batch`, without waiting; reading nothing is not an error.
    ///
    /// # Errors
    /// The socket cannot be read.
    fn drain(&self, batch: &mut Batch) -> io::Result<()>;

    /// Waits until something has arrived, and reads it.
    ///
    /// Only the task that polled last is woken: one reader per socket. Must be called inside a
    /// tokio runtime.
    fn poll_drain(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>>;

    /// Sends one datagram without waiting.
    ///
    /// # Errors
    /// The network refused it; [`io::ErrorKind::WouldBlock`] if its queue is full.
    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
}

impl dyn MediaSocket {
    /// Waits until something has arrived, and reads it; cancel-safe.
    ///
    /// # Errors
    /// The socket cannot be read.
    pub async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        poll_fn(|cx| self.poll_drain(cx, batch)).await
    }
}

impl dyn DatagramSocket {
    /// Waits for one datagram; cancel-safe.
    pub fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Receive<'a> {
        Receive { socket: self, buffer }
    }
}

/// Future of [`receive`](trait.DatagramSocket.html#method.receive).
#[must_use = "a future does nothing unless it is awaited"]
pub struct Receive<'a> {
    socket: &'a dyn DatagramSocket,
    buffer: &'a mut [u8],
}

impl Future for Receive<'_> {
    type Output = io::Result<(usize, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.socket.poll_receive(cx, this.buffer)
    }
}

/// A listening stream socket; closed when dropped.
pub trait StreamListener: Send + 'static {
    /// Returns the bound address.
    fn local(&self) -> SocketAddr;

    /// Accepts one connection and returns its peer.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(BoxedStream, SocketAddr)>>;
}
