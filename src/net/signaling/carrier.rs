//! A carrier transports messages over one transport; the table lists those that are implemented.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{Deliver, Witness, datagram, stream};
use crate::{
    event,
    net::{Flow, Network, Transport, admission::Admission},
};

/// Work that goes on until the user agent closes.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One transport of one user agent.
pub(super) trait Carrier: Send + Sync {
    /// Returns the address it is reached at.
    fn local(&self) -> SocketAddr;

    /// Sends one message without waiting; if this needs a task, the task is given to `spawn`.
    fn send(&self, flow: &Flow, bytes: &[u8], spawn: &mut dyn FnMut(Task)) -> io::Result<()>;

    /// Returns how many connections are open or being opened.
    fn connections(&self) -> usize;
}

/// What every carrier of a user agent is created from.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) network: Arc<dyn Network>,
    pub(super) deliver: Deliver,
    pub(super) admission: Admission,
    pub(super) witness: Witness,
    /// Nothing more will be given to `send`: tasks end once they have written what is queued.
    pub(super) closing: CancellationToken,
}

/// Opens a carrier at an address, where port 0 picks a free one; the task reads.
type Open = fn(Parts, SocketAddr) -> io::Result<(Box<dyn Carrier>, Task)>;

/// Every implemented transport.
pub(super) const CARRIERS: [(Transport, Open); 2] =
    [(Transport::Udp, datagram::open), (Transport::Tcp, stream::open)];

impl From<event::Transport> for Transport {
    fn from(named: event::Transport) -> Self {
        match named {
            event::Transport::Udp => Self::Udp,
            event::Transport::Tcp => Self::Tcp,
            event::Transport::Tls => Self::Tls,
            event::Transport::Ws => Self::Ws,
            event::Transport::Wss => Self::Wss,
        }
    }
}

impl From<Transport> for event::Transport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
            Transport::Tls => Self::Tls,
            Transport::Ws => Self::Ws,
            Transport::Wss => Self::Wss,
        }
    }
}

/// Returns whether messages can be sent and received over a transport.
#[must_use]
pub fn carries(transport: Transport) -> bool {
    CARRIERS.iter().any(|(carried, _)| *carried == transport)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_what_users_may_choose_and_names_agree() {
        for named in event::Transport::ALL {
            let transport = Transport::from(named);
            assert_eq!((transport.name(), event::Transport::from(transport)), (named.name(), named));
            assert_eq!(carries(transport), named.is_built(), "{named}");
        }
    }
}
