//! Legs on a hub: sockets that fail, and relays on real ones.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use offhook_media::{
    codec::Codec,
    negotiate::MediaPlan,
    session::{MediaSession, SessionConfig},
};
use tokio::time::Instant;

use super::{Kind, LegHandle, MediaHub, Notice, Noticed, Target};
use crate::net::{
    Batch, BoxFuture, BoxedStream, DatagramSocket, MediaPair, MediaSocket, Names, Network, StreamListener,
    SystemNetwork, Taps,
};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A socket that can be sent to and never read.
struct Deaf {
    port: u16,
    reads: Arc<AtomicU64>,
}

impl Deaf {
    fn refuse(&self) -> io::Error {
        self.reads.fetch_add(1, Ordering::Relaxed);
        io::Error::other("no ears")
    }
}

impl MediaSocket for Deaf {
    fn local(&self) -> SocketAddr {
        (LOCAL, self.port).into()
    }

    fn drain(&self, _batch: &mut Batch) -> io::Result<()> {
        Err(self.refuse())
    }

    fn poll_drain(&self, _cx: &mut Context<'_>, _batch: &mut Batch) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.refuse()))
    }

    fn try_send(&self, bytes: &[u8], _to: SocketAddr) -> io::Result<usize> {
        Ok(bytes.len())
    }
}

/// A network with deaf sockets only.
#[derive(Default)]
struct DeafNetwork {
    reads: Arc<AtomicU64>,
    names: Names,
    taps: Taps,
}

impl DeafNetwork {
    fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Network for DeafNetwork {
    fn bind_datagram(&self, _local: SocketAddr) -> io::Result<Arc<dyn DatagramSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn bind_media(&self, _ip: IpAddr) -> io::Result<MediaPair> {
        let socket = |port| Arc::new(Deaf { port, reads: Arc::clone(&self.reads) });
        Ok((socket(9000), socket(9001)))
    }

    fn listen_stream(&self, _local: SocketAddr) -> io::Result<Box<dyn StreamListener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_stream(&self, _local: IpAddr, _remote: SocketAddr) -> BoxFuture<'_, io::Result<BoxedStream>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn local_ip_towards(&self, _remote: SocketAddr) -> io::Result<IpAddr> {
        Ok(LOCAL)
    }

    fn taps(&self) -> &Taps {
        &self.taps
    }
}

/// Counts how often a leg says that a socket has failed.
fn count_failures(leg: &LegHandle) -> Arc<AtomicU64> {
    let told = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&told);
    leg.listen(move |Notice { noticed, .. }| {
        if let Noticed::SocketFailed { kind: Kind::Rtp, reason } = noticed {
            assert_eq!(reason, "no ears");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    told
}

#[tokio::test(start_paused = true)]
async fn a_voice_whose_socket_fails_tries_once_a_tick_and_says_so_once() {
    let (hub, network) = (MediaHub::start(1), DeafNetwork::default());
    let leg = hub.open(&network, LOCAL, None).unwrap();
    let told = count_failures(&leg);
    leg.speak(|now| MediaSession::new(SessionConfig::default(), now));
    let codec = Codec::from_name("PCMU").unwrap();
    leg.session(|voice, now| voice.set_plan(now, MediaPlan::direct(codec, (LOCAL, 9).into())));
    leg.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!((100..=104).contains(&network.reads()), "{} reads of two sockets in a second", network.reads());
    assert_eq!((told.load(Ordering::Relaxed), hub.load().socket_errors), (1, network.reads()));
    let sent = leg.session(|voice, _| voice.stats().packets_sent);
    assert!(matches!(sent, Some(50 | 51)), "the clock goes on: {sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_relay_whose_socket_fails_rests_before_it_tries_again_and_says_so_once() {
    let (hub, network) = (MediaHub::start(1), DeafNetwork::default());
    let (one, two) = (hub.open(&network, LOCAL, None).unwrap(), hub.open(&network, LOCAL, None).unwrap());
    let told = [count_failures(&one), count_failures(&two)];
    one.relay(&two);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!((90..=110).contains(&network.reads()), "{} reads by two legs in a second", network.reads());
    assert_eq!(told.map(|told| told.load(Ordering::Relaxed)), [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_passes_a_packet_on_within_two_milliseconds() {
    let (hub, network) = (MediaHub::start(1), SystemNetwork::default());
    let (one, two) = (hub.open(&network, LOCAL, None).unwrap(), hub.open(&network, LOCAL, None).unwrap());
    let peer = async || tokio::net::UdpSocket::bind((LOCAL, 0)).await.unwrap();
    let (from, to) = (peer().await, peer().await);
    one.aim(Target { rtp: from.local_addr().ok(), rtcp: None });
    two.aim(Target { rtp: to.local_addr().ok(), rtcp: None });
    one.relay(&two);
    let mut delays = Vec::new();
    for number in 0..100_u8 {
        let sent = Instant::now();
        from.send_to(&[number; 172], one.local()).await.unwrap();
        let mut packet = [0; 200];
        let (length, source) = to.recv_from(&mut packet).await.unwrap();
        delays.push(sent.elapsed());
        assert_eq!((&packet[..length], source), (&[number; 172][..], two.local()));
    }
    delays.sort_unstable();
    // The machine may be busy with other tests; half of the packets show what the relay itself takes.
    assert!(delays[50] < Duration::from_millis(2), "{delays:?}");
}
