//! The machine's network on tokio.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
    task::{Context, Poll, ready},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::ReadBuf,
    net::{TcpListener, TcpSocket, UdpSocket},
};

use super::{
    Admission, Names, SystemResolver, Taps,
    media_ports::MediaPorts,
    media_socket::SystemMedia,
    network::{BoxFuture, BoxedStream, DatagramSocket, MediaPair, Network, Returned, StreamListener},
    returned,
};

/// Kernel buffers of a signaling socket: bursts of a few thousand messages must fit.
const SIGNALING_BUFFER: usize = 2 << 20;
/// Streams that peers may hold open at a time, however many descriptors there are.
const MOST_ACCEPTED: usize = 4096;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 256;

/// Settings of a [`SystemNetwork`].
#[derive(Clone, Debug)]
pub struct SystemOptions {
    /// Ports for RTP and RTCP; below the range that Linux uses for ephemeral ports.
    pub media_ports: RangeInclusive<u16>,
    /// Name servers to ask; empty means the machine's.
    pub name_servers: Vec<SocketAddr>,
    /// Files and sockets that this process may have open; peers may hold a quarter of them.
    pub descriptors: usize,
}

impl Default for SystemOptions {
    fn default() -> Self {
        Self { media_ports: 21_000..=32_767, name_servers: Vec::new(), descriptors: descriptors() }
    }
}

/// The machine's network.
#[derive(Clone, Debug)]
pub struct SystemNetwork {
    ports: MediaPorts,
    names: Names,
    accepted: Admission,
    taps: Taps,
}

impl SystemNetwork {
    /// Returns the machine's network.
    #[must_use]
    pub fn new(options: SystemOptions) -> Self {
        // Two programs on one machine should not start at the same port.
        let ports = MediaPorts::new(options.media_ports, u64::from(std::process::id()));
        let names = Names::new(SystemResolver::new(options.name_servers));
        let accepted = Admission::new(most_accepted(options.descriptors));
        Self { ports, names, accepted, taps: Taps::default() }
    }

    /// Returns how many RTP/RTCP port pairs are free.
    #[must_use]
    pub fn free_media_pairs(&self) -> usize {
        self.ports.free()
    }
}

/// Returns how many files and sockets this process may have open.
fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Returns how many streams peers may hold open: a quarter of the descriptors, because a call takes
/// two sockets for its media.
fn most_accepted(descriptors: usize) -> usize {
    (descriptors / 4).clamp(1, MOST_ACCEPTED)
}

impl Default for SystemNetwork {
    fn default() -> Self {
        Self::new(SystemOptions::default())
    }
}

struct SystemDatagram {
    socket: UdpSocket,
    local: SocketAddr,
}

/// Opens a socket that never blocks. The kernel's default buffers hold a second of a call's
/// packets.
fn udp(local: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&local.into())?;
    let socket = std::net::UdpSocket::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Network for SystemNetwork {
    fn bind_datagram(&self, local: SocketAddr) -> io::Result<Arc<dyn DatagramSocket>> {
        let socket = udp(local)?;
        // A smaller buffer than requested is no reason to fail: the kernel's limit is the
        // operator's choice.
        let options = SockRef::from(&socket);
        if let Err(error) = options
            .set_recv_buffer_size(SIGNALING_BUFFER)
            .and_then(|()| options.set_send_buffer_size(SIGNALING_BUFFER))
        {
            tracing::debug!(%local, %error, "socket keeps its default buffers");
        }
        returned::ask(&socket)?;
        let socket = UdpSocket::from_std(socket)?;
        let local = socket.local_addr()?;
        Ok(Arc::new(SystemDatagram { socket, local }))
    }

    fn bind_media(&self, ip: IpAddr) -> io::Result<MediaPair> {
        // Pairs in use by other programs are held until the search ends, so that each is tried
        // once.
        let mut taken = Vec::new();
        while let Some(pair) = self.ports.take() {
            let pair = Arc::new(pair);
            let open = |port| -> io::Result<Arc<SystemMedia>> {
                let local = SocketAddr::new(ip, port);
                Ok(Arc::new(SystemMedia::new(udp(local)?, local, Arc::clone(&pair))?))
            };
            match open(pair.even()).and_then(|rtp| Ok((rtp as _, open(pair.odd())? as _))) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken.push(pair),
                done => return done,
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no free pair of media ports"))
    }

    fn listen_stream(&self, local: SocketAddr) -> io::Result<Box<dyn StreamListener>> {
        let socket = tcp_socket(local.ip())?;
        socket.set_reuseaddr(true)?;
        socket.bind(local)?;
        let listener = socket.listen(BACKLOG)?;
        let local = listener.local_addr()?;
        Ok(Box::new(SystemListener { listener, local }))
    }

    fn connect_stream(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<BoxedStream>> {
        Box::pin(async move {
            let socket = tcp_socket(remote.ip())?;
            if !local.is_unspecified() {
                socket.bind(SocketAddr::new(local, 0))?;
            }
            let stream = socket.connect(remote).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn local_ip_towards(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        let any: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // Connecting a datagram socket sends nothing; it only makes the kernel choose a route.
        let probe = std::net::UdpSocket::bind((any, 0))?;
        probe.connect(remote)?;
        Ok(probe.local_addr()?.ip())
    }

    fn accepted(&self) -> &Admission {
        &self.accepted
    }

    fn taps(&self) -> &Taps {
        &self.taps
    }
}

fn tcp_socket(ip: IpAddr) -> io::Result<TcpSocket> {
    if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

impl DatagramSocket for SystemDatagram {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        let receive = || match self.socket.poll_recv_from(cx, &mut buffer) {
            Poll::Ready(received) => received.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        };
        let from = ready!(returned::past_words_of_others(receive)?);
        Poll::Ready(Ok((buffer.filled().len(), from)))
    }

    fn returned(&self) -> BoxFuture<'_, io::Result<Returned>> {
        Box::pin(returned::next(&self.socket))
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let to = to.into();
        // Bypasses tokio's readiness cache, which says "not writable" for a socket that was never
        // polled.
        returned::past_words_of_others(|| SockRef::from(&self.socket).send_to(bytes, &to))
    }
}

struct SystemListener {
    listener: TcpListener,
    local: SocketAddr,
}

impl StreamListener for SystemListener {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(BoxedStream, SocketAddr)>> {
        let (stream, remote) = ready!(self.listener.poll_accept(cx))?;
        stream.set_nodelay(true)?;
        Poll::Ready(Ok((Box::new(stream), remote)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_get_a_part_of_the_descriptors_only() {
        assert_eq!([64, 1024, 1 << 20].map(most_accepted), [16, 256, MOST_ACCEPTED]);
        assert!(descriptors() > 0);
    }
}
