//! Datagram sockets in memory: a mailbox ordered by time of arrival.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::network::Wires;
use crate::net::{Batch, BoxFuture, DatagramSocket, MediaSocket, Returned, media_ports::PortPair};

/// Datagrams that may wait in one socket, as in a kernel buffer of a few megabytes.
const CAPACITY: usize = 4096;
/// Largest UDP payload.
const LARGEST: usize = 65_507;

/// Where the datagrams of one socket wait.
#[derive(Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    due: BinaryHeap<Waiting>,
    count: u64,
    reader: Option<Waker>,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// Ordered so that the earliest is the greatest; equal times keep the order of sending.
#[derive(PartialEq, Eq)]
struct Waiting {
    at: Instant,
    number: u64,
    from: SocketAddr,
    bytes: Vec<u8>,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, at: Instant, from: SocketAddr, bytes: &[u8]) {
        let mut inside = self.lock();
        if inside.due.len() >= CAPACITY {
            return;
        }
        let number = inside.count;
        inside.count += 1;
        inside.due.push(Waiting { at, number, from, bytes: bytes.to_vec() });
        let reader = inside.reader.take();
        drop(inside);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Waiting> {
        let mut inside = self.lock();
        loop {
            let Some(at) = inside.due.peek().map(|first| first.at) else {
                inside.alarm = None;
                inside.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            if at <= Instant::now() {
                if let Some(first) = inside.due.pop() {
                    return Poll::Ready(first);
                }
                continue;
            }
            inside.reader = Some(cx.waker().clone());
            let alarm = inside.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.deadline() != at {
                alarm.as_mut().reset(at);
            }
            ready!(alarm.as_mut().poll(cx));
            inside.alarm = None;
        }
    }
}

impl Mailbox {
    /// Takes the next datagram that has arrived.
    fn take(&self) -> Option<Waiting> {
        let mut inside = self.lock();
        let due = inside.due.peek().is_some_and(|first| first.at <= Instant::now());
        due.then(|| inside.due.pop()).flatten()
    }
}

pub(super) struct SimDatagram {
    local: SocketAddr,
    mailbox: Arc<Mailbox>,
    /// Sent datagrams that were returned as undelivered.
    returned: Arc<Mailbox>,
    wires: Arc<Wires>,
    /// Returns the ports when both sockets of a pair are closed.
    _ports: Option<Arc<PortPair>>,
}

impl SimDatagram {
    pub(super) fn new(
        local: SocketAddr,
        (mailbox, returned): (Arc<Mailbox>, Arc<Mailbox>),
        wires: Arc<Wires>,
        ports: Option<Arc<PortPair>>,
    ) -> Self {
        Self { local, mailbox, returned, wires, _ports: ports }
    }
}

impl Drop for SimDatagram {
    fn drop(&mut self) {
        self.wires.close_mailbox(self.local);
    }
}

impl DatagramSocket for SimDatagram {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let waiting = ready!(self.mailbox.poll_take(cx));
        let length = waiting.bytes.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(&waiting.bytes) {
            *to = *from;
        }
        Poll::Ready(Ok((length, waiting.from)))
    }

    fn returned(&self) -> BoxFuture<'_, io::Result<Returned>> {
        Box::pin(async {
            let Waiting { from: to, bytes: sent, .. } = poll_fn(|cx| self.returned.poll_take(cx)).await;
            Ok(Returned { to, sent, error: io::ErrorKind::ConnectionRefused.into() })
        })
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send(bytes, to)
    }
}

impl MediaSocket for SimDatagram {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn drain(&self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        self.fill(batch);
        Ok(())
    }

    fn poll_drain(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        batch.clear();
        let first = ready!(self.mailbox.poll_take(cx));
        batch.put(first.from, first.at.into_std(), &first.bytes);
        self.fill(batch);
        Poll::Ready(Ok(()))
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send(bytes, to)
    }
}

impl SimDatagram {
    /// Reads what has arrived, as far as there is room; each datagram arrived when it was due, not
    /// when it is read.
    fn fill(&self, batch: &mut Batch) {
        while !batch.is_full()
            && let Some(waiting) = self.mailbox.take()
        {
            batch.put(waiting.from, waiting.at.into_std(), &waiting.bytes);
        }
    }

    fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        if bytes.len() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long"));
        }
        self.wires.carry(self.local, to, bytes);
        Ok(bytes.len())
    }
}
