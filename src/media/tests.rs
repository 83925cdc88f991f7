//! Legs on a hub: sockets that fail, and relays on real ones.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
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
    Admission, Batch, BoxFuture, BoxedStream, DatagramSocket, MediaPair, MediaSocket, Names, Network,
    StreamListener, SystemNetwork, Taps,
};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A socket that can be sent to but never read.
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

/// A socket that nothing ever reaches, and that notes what is done with it.
struct Noting {
    port: u16,
    notes: Arc<Mutex<Notes>>,
    /// Sending fails.
    mute: bool,
}

/// What was done with the sockets of a network, by port.
#[derive(Default)]
struct Notes {
    reads: BTreeMap<u16, u32>,
    sent: BTreeMap<u16, Vec<Instant>>,
}

impl MediaSocket for Noting {
    fn local(&self) -> SocketAddr {
        (LOCAL, self.port).into()
    }

    fn drain(&self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        *self.notes.lock().unwrap().reads.entry(self.port).or_default() += 1;
        Ok(())
    }

    fn poll_drain(&self, _cx: &mut Context<'_>, _batch: &mut Batch) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn try_send(&self, bytes: &[u8], _to: SocketAddr) -> io::Result<usize> {
        self.notes.lock().unwrap().sent.entry(self.port).or_default().push(Instant::now());
        if self.mute { Err(io::Error::other("no voice")) } else { Ok(bytes.len()) }
    }
}

/// A network that only has the media sockets that `make` creates.
struct MediaOnly {
    make: Box<dyn Fn() -> MediaPair + Send + Sync>,
    names: Names,
    accepted: Admission,
    taps: Taps,
}

impl MediaOnly {
    fn new(make: impl Fn() -> MediaPair + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            names: Names::default(),
            accepted: Admission::new(0),
            taps: Taps::default(),
        }
    }
}

/// Returns a network of deaf sockets, and a counter of their reads.
fn deaf() -> (MediaOnly, Arc<AtomicU64>) {
    let reads = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&reads);
    let make = move || -> MediaPair {
        let socket = |port| Arc::new(Deaf { port, reads: Arc::clone(&counted) });
        (socket(9000), socket(9001))
    };
    (MediaOnly::new(make), reads)
}

/// Returns a network of noting sockets, `mute` or not, and their notes.
fn noting(mute: bool) -> (MediaOnly, Arc<Mutex<Notes>>) {
    let notes = Arc::<Mutex<Notes>>::default();
    let (kept, next) = (Arc::clone(&notes), AtomicU16::new(9000));
    let make = move || -> MediaPair {
        let socket = || {
            Arc::new(Noting { port: next.fetch_add(1, Ordering::Relaxed), notes: Arc::clone(&kept), mute })
        };
        (socket(), socket())
    };
    (MediaOnly::new(make), notes)
}

impl Network for MediaOnly {
    fn bind_datagram(&self, _local: SocketAddr) -> io::Result<Arc<dyn DatagramSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn bind_media(&self, _ip: IpAddr) -> io::Result<MediaPair> {
        Ok((self.make)())
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

    fn accepted(&self) -> &Admission {
        &self.accepted
    }

    fn taps(&self) -> &Taps {
        &self.taps
    }
}

/// Counts how often a leg reports that a socket has failed.
fn count_failures(leg: &LegHandle, expected: &'static str) -> Arc<AtomicU64> {
    let told = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&told);
    leg.listen(move |Notice { noticed, .. }| {
        if let Noticed::SocketFailed { kind: Kind::Rtp, reason } = noticed {
            assert_eq!(reason, expected);
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    told
}

#[tokio::test(start_paused = true)]
async fn a_voice_whose_socket_fails_tries_once_a_tick_and_says_so_once() {
    let (hub, (network, reads)) = (MediaHub::start(1), deaf());
    let reads = move || reads.load(Ordering::Relaxed);
    let leg = hub.open(&network, LOCAL, None).unwrap();
    let told = count_failures(&leg, "no ears");
    leg.speak(|now| MediaSession::new(SessionConfig::default(), now));
    let codec = Codec::from_name("PCMU").unwrap();
    leg.session(|voice, now| voice.set_plan(now, MediaPlan::direct(codec, (LOCAL, 9).into())));
    leg.start();
    tokio::time::sleep(Duration::from_millis(990)).await;
    assert_eq!(reads(), 50 + 10, "of the RTP socket every 20 ms, of the other every 100");
    assert_eq!((told.load(Ordering::Relaxed), hub.load().socket_errors), (1, reads()));
    let sent = leg.session(|voice, _| voice.stats().packets_sent);
    assert_eq!(sent, Some(50), "the clock goes on");
}

/// Starts a leg that sends packets of this many milliseconds to nobody.
fn speaking(hub: &MediaHub, network: &MediaOnly, milliseconds: u64) -> LegHandle {
    let leg = hub.open(network, LOCAL, None).unwrap();
    leg.speak(|now| MediaSession::new(SessionConfig::default(), now));
    let packet_time = Duration::from_millis(milliseconds);
    leg.follow(MediaPlan { packet_time, ..MediaPlan::direct(Codec::PCMU, (LOCAL, 9).into()) }, 1);
    leg.start();
    leg
}

#[tokio::test(start_paused = true)]
async fn packets_of_every_length_leave_evenly_and_only_those_between_ticks_cost_more() {
    let (hub, (network, notes)) = (MediaHub::start(1), noting(false));
    let mut legs = Vec::new();
    for milliseconds in [20, 10, 30, 40, 60] {
        // None is in step with the clock, which the first one started.
        tokio::time::sleep(Duration::from_millis(7)).await;
        legs.push((milliseconds, speaking(&hub, &network, milliseconds)));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    *notes.lock().unwrap() = Notes::default();
    tokio::time::sleep(Duration::from_secs(12)).await;
    let notes = notes.lock().unwrap();
    for (milliseconds, leg) in &legs {
        let port = leg.local().port();
        let sent = &notes.sent[&port];
        let apart = sent.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(
            apart.clone().all(|apart| apart == Duration::from_millis(*milliseconds)),
            "{milliseconds} ms: {:?}",
            apart.collect::<Vec<_>>()
        );
        assert_eq!(sent.len() as u64, 12_000 / milliseconds, "{milliseconds} ms");
        // A tick every 20 ms, and a half tick for every other packet of 10 or 30 ms.
        let half_ticks = match milliseconds {
            10 => 600,
            30 => 200,
            _ => 0,
        };
        assert_eq!(notes.reads[&port], 600 + half_ticks, "{milliseconds} ms");
    }
}

/// Returns for each leg how many packets it has sent since the last look, and the gaps between
/// them.
fn paces(notes: &Mutex<Notes>, legs: &[LegHandle]) -> Vec<(usize, Vec<Duration>)> {
    let mut notes = notes.lock().unwrap();
    let sent = std::mem::take(&mut notes.sent);
    let pace = |leg: &LegHandle| {
        let sent = sent.get(&leg.local().port()).cloned().unwrap_or_default();
        let mut apart: Vec<_> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
        apart.dedup();
        (sent.len(), apart)
    };
    legs.iter().map(pace).collect()
}

#[tokio::test(start_paused = true)]
async fn voices_keep_their_pace_in_a_bridge_in_another_and_alone_again() {
    let (hub, (network, notes)) = (MediaHub::start(2), noting(false));
    let lengths = [20, 10, 30].map(Duration::from_millis);
    let mut legs = Vec::new();
    for length in lengths {
        tokio::time::sleep(Duration::from_millis(7)).await;
        legs.push(speaking(&hub, &network, length.as_millis() as u64));
    }
    let second = Duration::from_millis(990);
    let steady = async |what: &str| {
        // A voice that has moved to another clock may be late once.
        tokio::time::sleep(second).await;
        paces(&notes, &legs);
        tokio::time::sleep(6 * second).await;
        for ((count, apart), length) in paces(&notes, &legs).into_iter().zip(lengths) {
            assert_eq!(apart, [length], "{what}");
            assert_eq!(count as u128, (6 * second).as_millis() / length.as_millis(), "{what}");
        }
        assert_eq!(hub.load().legs, 3, "{what}");
    };
    steady("alone").await;
    let (one, two) = (hub.bridge(), hub.bridge());
    legs.iter().for_each(|leg| one.join(leg));
    steady("in a bridge").await;
    legs.iter().for_each(|leg| two.join(leg));
    steady("in another").await;
    drop(one);
    steady("in another, without the first").await;
    drop(two);
    steady("alone again").await;
}

#[tokio::test(start_paused = true)]
async fn a_voice_whose_packets_are_refused_goes_on_and_says_so_once() {
    let (hub, (network, notes)) = (MediaHub::start(1), noting(true));
    let leg = speaking(&hub, &network, 20);
    let told = count_failures(&leg, "no voice");
    tokio::time::sleep(Duration::from_millis(990)).await;
    let tried = notes.lock().unwrap().sent.values().map(Vec::len).sum::<usize>();
    assert_eq!((tried, told.load(Ordering::Relaxed), hub.load().socket_errors), (50, 1, 50));
}

#[tokio::test(start_paused = true)]
async fn reports_are_read_ten_times_a_second_and_before_every_change() {
    let (hub, (network, notes)) = (MediaHub::start(1), noting(false));
    let leg = speaking(&hub, &network, 20);
    let (rtp, rtcp) = (leg.local().port(), leg.local().port() + 1);
    let reads = || {
        let notes = notes.lock().unwrap();
        [rtp, rtcp].map(|port| notes.reads.get(&port).copied().unwrap_or_default())
    };
    tokio::time::sleep(Duration::from_millis(990)).await;
    assert_eq!(reads(), [50, 10]);
    leg.session(|voice, now| voice.close(now));
    assert_eq!(reads(), [51, 11], "what came before an end is heard before it");
}

#[tokio::test(start_paused = true)]
async fn a_relay_whose_socket_fails_rests_before_it_tries_again_and_says_so_once() {
    let (hub, (network, reads)) = (MediaHub::start(1), deaf());
    let reads = move || reads.load(Ordering::Relaxed);
    let (one, two) = (hub.open(&network, LOCAL, None).unwrap(), hub.open(&network, LOCAL, None).unwrap());
    let told = [&one, &two].map(|leg| count_failures(leg, "no ears"));
    one.relay(&two);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!((90..=110).contains(&reads()), "{} reads by two legs in a second", reads());
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
    // The machine may be busy with other tests; the median shows what the relay itself takes.
    assert!(delays[50] < Duration::from_millis(2), "{delays:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_neither_passes_a_relay_nor_moves_its_aim() {
    let (hub, network) = (MediaHub::start(1), SystemNetwork::default());
    let (one, two) = (hub.open(&network, LOCAL, None).unwrap(), hub.open(&network, LOCAL, None).unwrap());
    let socket = async || tokio::net::UdpSocket::bind((LOCAL, 0)).await.unwrap();
    let (from, to, stranger) = (socket().await, socket().await, socket().await);
    let target = Target { rtp: from.local_addr().ok(), rtcp: None };
    one.aim(target);
    two.aim(Target { rtp: to.local_addr().ok(), rtcp: None });
    one.relay(&two);
    let packet =
        |ssrc: u8, number: u8| [[0x80, 8, 0, number, 0, 0, 0, 0, 0, 0, 0, ssrc], [0xD5; 12]].concat();
    let received = async |socket: &tokio::net::UdpSocket| {
        let mut bytes = [0; 200];
        let length = socket.recv(&mut bytes).await.unwrap();
        bytes[..length].to_vec()
    };
    from.send_to(&packet(1, 0), one.local()).await.unwrap();
    assert_eq!(received(&to).await, packet(1, 0));
    for number in 0..100 {
        stranger.send_to(&packet(9, number), one.local()).await.unwrap();
    }
    // The same description again changes nothing.
    one.aim(target);
    from.send_to(&packet(1, 1), one.local()).await.unwrap();
    assert_eq!(received(&to).await, packet(1, 1), "a socket keeps the order");
    to.send_to(&packet(2, 7), two.local()).await.unwrap();
    assert_eq!(received(&from).await, packet(2, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_finds_a_phone_behind_address_translation() {
    let (hub, network) = (MediaHub::start(1), SystemNetwork::default());
    let (one, two) = (hub.open(&network, LOCAL, None).unwrap(), hub.open(&network, LOCAL, None).unwrap());
    let socket = async || tokio::net::UdpSocket::bind((LOCAL, 0)).await.unwrap();
    let (said, from, to) = (socket().await, socket().await, socket().await);
    one.aim(Target { rtp: said.local_addr().ok(), rtcp: None });
    two.aim(Target { rtp: to.local_addr().ok(), rtcp: None });
    one.relay(&two);
    for number in 0..5 {
        from.send_to(&[0x80, 8, 0, number, 0, 0, 0, 0, 0, 0, 0, 1, 0xD5], one.local()).await.unwrap();
    }
    let mut bytes = [0; 200];
    for number in 3..5 {
        let length = to.recv(&mut bytes).await.unwrap();
        assert_eq!(bytes[..length], [0x80, 8, 0, number, 0, 0, 0, 0, 0, 0, 0, 1, 0xD5]);
    }
    to.send_to(b"\x80back, to where it sends from", two.local()).await.unwrap();
    let length = from.recv(&mut bytes).await.unwrap();
    assert_eq!(&bytes[..length], b"\x80back, to where it sends from");
}
