//! Reports that a datagram of ours was not delivered: ICMP messages, read from the socket's error
//! queue.
//!
//! Linux keeps such messages, with what they quote, for sockets that ask (`IP_RECVERR`). Other
//! systems report them only to connected sockets; there a request that reaches nobody ends by its
//! timer.

use std::io;

pub(super) use system::{ask, next};

/// How often one call is retried at most. Each error is reported once, and others come at the pace
/// of the network.
const ATTEMPTS: usize = 32;

/// Makes a call on a socket that has asked for its errors.
///
/// The kernel reports each error twice: in the queue, and as the result of the next call, whatever
/// that call is about. So an error counts only if it is still there the next time, or if it can be
/// about nothing else.
///
/// # Errors
/// The call's own; [`io::ErrorKind::WouldBlock`] if it could not be told from those of others.
pub(super) fn past_words_of_others<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..ATTEMPTS {
        match call() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
    match call() {
        // Sending does not check whether anybody listens: this is about an earlier datagram.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        done => done,
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        io::{self, IoSliceMut},
        net::{SocketAddr, SocketAddrV4, SocketAddrV6},
        os::fd::AsRawFd,
    };

    use nix::{
        libc,
        sys::socket::{
            ControlMessageOwned, MsgFlags, SockaddrIn6, SockaddrStorage, recvmsg, setsockopt, sockopt,
        },
    };
    use tokio::{io::Interest, net::UdpSocket};

    use super::super::network::Returned;

    /// The most that routers and hosts quote (RFC 1812 §4.3.2.3, RFC 4443 §2.4).
    const QUOTE: usize = 1280;

    /// Asks for the errors of a socket.
    pub(in crate::net) fn ask(socket: &std::net::UdpSocket) -> io::Result<()> {
        let asked = if socket.local_addr()?.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)
        } else {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)
        };
        asked.map_err(io::Error::from)
    }

    /// Waits for the next error that says that a datagram was not delivered.
    pub(in crate::net) async fn next(socket: &UdpSocket) -> io::Result<Returned> {
        loop {
            let taken = socket.async_io(Interest::ERROR, || take(socket)).await?;
            if let Some(returned) = taken {
                return Ok(returned);
            }
            // Many errors may be queued that do not say so.
            tokio::task::consume_budget().await;
        }
    }

    /// Takes one error from the queue; `None` if it does not say so.
    fn take(socket: &UdpSocket) -> io::Result<Option<Returned>> {
        let mut sent = vec![0; QUOTE];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, SockaddrIn6);
        let (to, error, length) = {
            let mut room = [IoSliceMut::new(&mut sent)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let message =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut room, Some(&mut control), flags)?;
            let error = message.cmsgs()?.find_map(error_of);
            (message.address.as_ref().and_then(address), error, message.bytes)
        };
        sent.truncate(length);
        let (Some(to), Some(error)) = (to, error) else { return Ok(None) };
        Ok(says_unreachable(&error).then(|| Returned { to, sent, error: raised(&error) }))
    }

    fn error_of(control: ControlMessageOwned) -> Option<libc::sock_extended_err> {
        if let ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) =
            control
        {
            Some(error)
        } else {
            None
        }
    }

    fn address(found: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = found.as_sockaddr_in().map(|it| SocketAddr::V4(SocketAddrV4::from(*it)));
        v4.or_else(|| found.as_sockaddr_in6().map(|it| SocketAddr::V6(SocketAddrV6::from(*it))))
    }

    fn raised(error: &libc::sock_extended_err) -> io::Error {
        i32::try_from(error.ee_errno).map_or(io::ErrorKind::Other.into(), io::Error::from_raw_os_error)
    }

    /// RFC 3261 §18.4: host, network, port or protocol unreachable, and parameter problems; nothing
    /// else.
    fn says_unreachable(error: &libc::sock_extended_err) -> bool {
        /// Destination unreachable, except "fragmentation needed" (RFC 792), and parameter problem.
        const ICMP: [u8; 2] = [3, 12];
        const FRAGMENTATION_NEEDED: u8 = 4;
        /// The same in RFC 4443, where a packet that is too big has a type of its own.
        const ICMP6: [u8; 2] = [1, 4];
        match error.ee_origin {
            libc::SO_EE_ORIGIN_ICMP => {
                ICMP.contains(&error.ee_type)
                    && (error.ee_type, error.ee_code) != (ICMP[0], FRAGMENTATION_NEEDED)
            }
            libc::SO_EE_ORIGIN_ICMP6 => ICMP6.contains(&error.ee_type),
            _ => false,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use tokio::net::UdpSocket;

    use super::super::network::Returned;

    /// Does nothing: this system does not report such errors.
    pub(in crate::net) fn ask(_socket: &std::net::UdpSocket) -> io::Result<()> {
        Ok(())
    }

    /// Waits forever.
    pub(in crate::net) async fn next(_socket: &UdpSocket) -> io::Result<Returned> {
        std::future::pending().await
    }
}
