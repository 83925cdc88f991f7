//! Streams in memory: tokio's duplex pipes behind a listener.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::network::Wires;
use crate::net::{BoxedStream, StreamListener};

/// Bytes in flight in one direction.
const WINDOW: usize = 64 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: usize = 256;

/// Where connections wait for a listener.
#[derive(Default)]
pub(super) struct Door {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    waiting: VecDeque<(BoxedStream, SocketAddr)>,
    listener: Option<Waker>,
    closed: bool,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts one end of a new stream behind `door` and returns the other.
pub(super) fn connect(
    door: &Door,
    local: SocketAddr,
    remote: SocketAddr,
    wires: &Arc<Wires>,
) -> io::Result<BoxedStream> {
    let (here, there) = tokio::io::duplex(WINDOW);
    let mut inside = door.lock();
    if inside.closed || inside.waiting.len() >= BACKLOG {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let theirs = Tapped { pipe: there, local: remote, remote: local, wires: Arc::clone(wires) };
    inside.waiting.push_back((Box::new(theirs), local));
    let listener = inside.listener.take();
    drop(inside);
    if let Some(listener) = listener {
        listener.wake();
    }
    Ok(Box::new(Tapped { pipe: here, local, remote, wires: Arc::clone(wires) }))
}

pub(super) struct SimListener {
    local: SocketAddr,
    door: Arc<Door>,
    wires: Arc<Wires>,
}

impl SimListener {
    pub(super) fn new(local: SocketAddr, door: Arc<Door>, wires: Arc<Wires>) -> Self {
        Self { local, door, wires }
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let waiting = {
            let mut inside = self.door.lock();
            inside.closed = true;
            std::mem::take(&mut inside.waiting)
        };
        drop(waiting);
        self.wires.close_door(self.local);
    }
}

impl StreamListener for SimListener {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(BoxedStream, SocketAddr)>> {
        let mut inside = self.door.lock();
        if let Some(first) = inside.waiting.pop_front() {
            return Poll::Ready(Ok(first));
        }
        inside.listener = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A pipe whose writes are recorded.
struct Tapped {
    pipe: DuplexStream,
    local: SocketAddr,
    remote: SocketAddr,
    wires: Arc<Wires>,
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.pipe).poll_write(cx, bytes))?;
        self.wires.note_stream(self.local, self.remote, bytes.get(..written).unwrap_or(bytes));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
