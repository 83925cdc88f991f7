//! A tap sees what passes between this process and the network: SIP above encryption, RTP and RTCP, as sent and as read.
//!
//! Every [`Network`](super::Network) has its [`Taps`]; sockets that carry SIP or media show them what they send and receive,
//! repeats and rubbish included. While nobody listens, that costs one relaxed load a message.

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

/// Whether something left or came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// It was given to the network, which took it.
    Sent,
    /// It came from the network.
    Received,
}

/// What kind of socket carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// SIP over this transport: a datagram, one message or keep-alive of a stream, or what of a stream is no SIP.
    Sip(Transport),
    /// The RTP socket of a stream of media.
    Rtp,
    /// The RTCP socket of a stream of media.
    Rtcp,
}

/// One datagram or message that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// Out or in.
    pub way: Way,
    /// What kind of socket carried it.
    pub traffic: Traffic,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// When, on tokio's clock; [`Wall::at`](crate::wall::Wall::at) tells the wall time.
    pub at: Instant,
    /// The phone whose socket it is; none for the lab.
    pub phone: Option<&'a PhoneId>,
    /// What passed, before encryption or after decryption.
    pub bytes: &'a [u8],
}

/// A listener.
///
/// It is called by the tasks that send and read, and must neither block nor send anything itself.
pub trait Tap: Send + Sync + 'static {
    /// Takes note of what passed.
    fn see(&self, sighting: &Sighting<'_>);
}

/// The taps of one network; clones share them.
#[derive(Clone, Default)]
pub struct Taps {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many listen; read without the lock, which only a listener's presence makes worth taking.
    count: AtomicUsize,
    listeners: RwLock<Vec<Arc<dyn Tap>>>,
}

/// Keeps a tap listening until it is dropped.
#[must_use = "dropping it ends the listening"]
pub struct Attached {
    shared: Arc<Shared>,
    tap: Arc<dyn Tap>,
}

impl Taps {
    /// Lets `tap` see everything from now on.
    pub fn attach(&self, tap: Arc<dyn Tap>) -> Attached {
        self.shared.change(|listeners| listeners.push(Arc::clone(&tap)));
        Attached { shared: Arc::clone(&self.shared), tap }
    }

    /// Tells whether anybody listens.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.shared.count.load(Ordering::Relaxed) > 0
    }

    /// Shows listeners what passed; `sighting` is made only if there are any.
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
