//! The machine's media sockets: read in batches (`recvmmsg`), with the time at which the kernel
//! received each datagram (`SO_TIMESTAMPNS`).
//!
//! The reactor does not know such a socket until somebody waits for it, so a packet wakes nobody
//! who reads by the clock.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use tokio::{io::Interest, time::Instant};

use super::{
    arrived::{Batch, ROOM},
    media_ports::PortPair,
    network::MediaSocket,
};

/// A kernel timestamp older than this was made before the wall clock was set; then the time of
/// reading is more accurate.
const OLDEST: Duration = Duration::from_secs(60);

pub(super) struct SystemMedia {
    socket: UdpSocket,
    state: UdpSocketState,
    /// The same socket, as the reactor knows it.
    awaited: OnceLock<tokio::net::UdpSocket>,
    local: SocketAddr,
    /// Returns the ports after both sockets are closed: declared last, so dropped last.
    _ports: Arc<PortPair>,
}

impl SystemMedia {
    /// Wraps a socket that is bound to `local`.
    pub(super) fn new(socket: UdpSocket, local: SocketAddr, ports: Arc<PortPair>) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { socket, state, awaited: OnceLock::new(), local, _ports: ports })
    }

    fn awaited(&self) -> io::Result<&tokio::net::UdpSocket> {
        if let Some(known) = self.awaited.get() {
            return Ok(known);
        }
        let socket = tokio::net::UdpSocket::from_std(self.socket.try_clone()?)?;
        Ok(self.awaited.get_or_init(|| socket))
    }

    /// Reads what has arrived; [`io::ErrorKind::WouldBlock`] if nothing has.
    fn fill(&self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        let mut found = [RecvMeta::default(); ROOM];
        let count = {
            let mut slots = batch.slots();
            let mut room: [IoSliceMut<'_>; ROOM] =
                std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
            self.state.recv(UdpSockRef::from(&self.socket), &mut room, &mut found)?
        };
        let clocks = Clocks::read();
        for (slot, meta) in found.iter().enumerate().take(count) {
            batch.note(slot, meta.addr, clocks.moment(meta.timestamp), meta.len, meta.stride);
        }
        Ok(())
    }
}

impl MediaSocket for SystemMedia {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn drain(&self, batch: &mut Batch) -> io::Result<()> {
        match self.fill(batch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            done => done,
        }
    }

    fn poll_drain(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let awaited = self.awaited()?;
        loop {
            ready!(awaited.poll_recv_ready(cx))?;
            match awaited.try_io(Interest::READABLE, || self.fill(batch)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(bytes, to)
    }
}

/// Two clocks count as read at the same time if it took less than this.
const TOGETHER: Duration = Duration::from_micros(100);

/// How often to try reading the clocks that fast.
const READINGS: usize = 3;

/// The kernel's timestamps use the wall clock, everything else tokio's: both, read at the same
/// time.
struct Clocks {
    now: Instant,
    wall: Duration,
}

impl Clocks {
    fn read() -> Self {
        let mut best = Self::pair();
        // A pause between the two readings would shift every timestamp by as much.
        for _ in 0..READINGS {
            if best.0 < TOGETHER {
                break;
            }
            let next = Self::pair();
            best = if next.0 < best.0 { next } else { best };
        }
        best.1
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "compared with stamps of the kernel, which are real whatever time is here"
    )]
    fn pair() -> (Duration, Self) {
        let before = std::time::Instant::now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Instant::now();
        (before.elapsed(), Self { now, wall })
    }

    fn moment(&self, stamp: Option<Duration>) -> std::time::Instant {
        let age = stamp.and_then(|stamp| self.wall.checked_sub(stamp)).filter(|age| *age < OLDEST);
        let moment = self.now.checked_sub(age.unwrap_or_default()).unwrap_or(self.now);
        moment.into_std()
    }
}
