//! A tap sees what passes between this process and the network: SIP without encryption, RTP and
//! RTCP, as sent and as read.
//!
//! Every [`Network`](super::Network) has its [`Taps`]; sockets that carry SIP or media show them
//! what they send and receive, including retransmissions and garbage. While nobody listens, that
//! costs one relaxed load per message.

use std::{
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::Transport;
use crate::id::PhoneId;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// The network accepted it for sending.
    Sent,
    /// It came from the network.
    Received,
}

/// What kind of socket carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// SIP over this transport: a datagram, one message or keep-alive of a stream, or stream data
    /// that is not SIP.
    Sip(Transport),
    /// The RTP socket of a media stream.
    Rtp,
    /// The RTCP socket of a media stream.
    Rtcp,
}

/// One datagram or message that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// Sent or received.
    pub way: Way,
    /// What kind of socket carried it.
    pub traffic: Traffic,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// When it arrived, or just before it was sent, on tokio's clock;
    /// [`Wall::at`](crate::wall::Wall::at) converts it to wall time.
    pub at: Instant,
    /// The phone that owns the socket; `None` for the lab.
    pub phone: Option<&'a PhoneId>,
    /// What passed, before encryption or after decryption.
    pub bytes: &'a [u8],
}

/// A listener.
///
/// It is called by the tasks that send and read, so it must neither block nor send anything itself.
pub trait Tap: Send + Sync + 'static {
    /// Is shown one datagram or message.
    fn see(&self, sighting: &Sighting<'_>);
}

/// The taps of one network, shared by clones.
#[derive(Clone, Default)]
pub struct Taps {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many are listening. Read without the lock, which is only taken if there are any.
    count: AtomicUsize,
    listeners: RwLock<Vec<Arc<dyn Tap>>>,
}

/// Keeps a tap attached until it is dropped.
#[must_use = "dropping it ends the listening"]
pub struct Attached {
    shared: Arc<Shared>,
    tap: Arc<dyn Tap>,
}

impl Taps {
    /// Shows `tap` everything from now on.
    pub fn attach(&self, tap: Arc<dyn Tap>) -> Attached {
        self.shared.change(|listeners| listeners.push(Arc::clone(&tap)));
        Attached { shared: Arc::clone(&self.shared), tap }
    }

    /// Returns whether anybody is listening.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.shared.count.load(Ordering::Relaxed) > 0
    }

    /// Shows listeners what passed; `sighting` is called only if there are any.
    #[inline]
    pub fn show<'a>(&self, sighting: impl FnOnce() -> Sighting<'a>) {
        if self.is_listening() {
            self.shared.show(&sighting());
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Vec<Arc<dyn Tap>>)) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut listeners);
        self.count.store(listeners.len(), Ordering::Relaxed);
    }

    #[cold]
    fn show(&self, sighting: &Sighting<'_>) {
        for tap in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            tap.see(sighting);
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let Self { shared, tap } = self;
        shared.change(|listeners| {
            if let Some(place) = listeners.iter().position(|other| Arc::ptr_eq(other, tap)) {
                listeners.remove(place);
            }
        });
    }
}

impl std::fmt::Debug for Taps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.shared.count.load(Ordering::Relaxed);
        f.debug_struct("Taps").field("listeners", &count).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Notes(Mutex<Vec<Vec<u8>>>);

    impl Tap for Notes {
        fn see(&self, sighting: &Sighting<'_>) {
            self.0.lock().unwrap().push(sighting.bytes.to_vec());
        }
    }

    fn sighting(bytes: &[u8]) -> Sighting<'_> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let (way, traffic, at) = (Way::Sent, Traffic::Rtp, Instant::now());
        Sighting { way, traffic, local: anywhere, remote: anywhere, at, phone: None, bytes }
    }

    #[test]
    fn each_listener_sees_what_passes_while_it_is_attached_and_nothing_is_made_for_nobody() {
        let taps = Taps::default();
        taps.show(|| unreachable!("nobody listens"));
        let (first, second) = (Arc::new(Notes::default()), Arc::new(Notes::default()));
        let attached = taps.attach(first.clone());
        taps.show(|| sighting(b"1"));
        let also = taps.clone().attach(second.clone());
        taps.show(|| sighting(b"2"));
        drop(attached);
        taps.show(|| sighting(b"3"));
        drop(also);
        taps.show(|| unreachable!("nobody listens any more"));
        assert_eq!(*first.0.lock().unwrap(), [b"1", b"2"]);
        assert_eq!(*second.0.lock().unwrap(), [b"2", b"3"]);
    }
}
