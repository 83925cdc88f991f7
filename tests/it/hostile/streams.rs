//! Streams that are held open, half finished, or never end.

use std::{
    future::poll_fn,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use offhook::{
    net::{
        Arrival, BoxedStream, Flow, Network, Signaling, SignalingOptions, SystemNetwork, SystemOptions,
        Transport,
    },
    sim,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    time::{Instant, timeout},
};

use super::tell;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PHONE: SocketAddr = SocketAddr::new(LOCAL, 5060);
const PATIENCE: Duration = Duration::from_secs(5);
const OPTIONS: &[u8] = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\n\
From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

fn open(
    network: Arc<dyn Network>,
    local: SocketAddr,
    permits: usize,
) -> (Signaling, mpsc::Receiver<Arrival>) {
    let (arrived, arrivals) = mpsc::channel(4096);
    let options = SignalingOptions { local, permits, phone: None };
    let deliver = move |arrival| arrived.try_send(arrival).unwrap();
    (Signaling::open(network, options, deliver).unwrap(), arrivals)
}

/// Returns how long it takes until the other end closes a stream, or two hours; in the meantime
/// pings are sent at this interval, if any.
async fn closes(stream: &mut BoxedStream, ping: Option<Duration>) -> Duration {
    let since = Instant::now();
    let mut byte = [0];
    while since.elapsed() < Duration::from_secs(7200) {
        match timeout(ping.unwrap_or(Duration::from_secs(3600)), stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => return since.elapsed(),
            Ok(Ok(_)) => {}
            Err(_) if ping.is_none() => {}
            Err(_) => drop(stream.write_all(b"\r\n\r\n").await),
        }
    }
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_brings_no_message_or_half_of_one_or_nothing_more_is_closed() {
    let network = sim::Network::new(7);
    let (phone, mut arrivals) = open(Arc::new(network.clone()), PHONE, 8);
    tokio::spawn(async move { while arrivals.recv().await.is_some() {} });
    let connect = async || network.connect_stream(LOCAL, PHONE).await.unwrap();

    let mut silent = connect().await;
    assert_eq!(closes(&mut silent, None).await.as_secs(), 30);
    let mut pinging = connect().await;
    let pinged = closes(&mut pinging, Some(Duration::from_secs(7))).await;
    assert_eq!(pinged.as_secs(), 30, "pings are no message");

    // Every second one byte of a second message.
    let mut slow = connect().await;
    slow.write_all(OPTIONS).await.unwrap();
    let since = Instant::now();
    for byte in OPTIONS {
        if slow.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((30..33).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());

    let mut idle = connect().await;
    idle.write_all(OPTIONS).await.unwrap();
    assert_eq!(closes(&mut idle, None).await.as_secs(), 600);
    let mut kept = connect().await;
    kept.write_all(OPTIONS).await.unwrap();
    let ended = timeout(Duration::from_secs(1800), closes(&mut kept, Some(Duration::from_secs(120)))).await;
    assert!(ended.is_err(), "keep-alives keep a stream: {ended:?}");
    assert_eq!(phone.connections(), 1);

    // Whoever opens a stream decides how long it may be silent.
    let mut listener = network.listen_stream(SocketAddr::new(LOCAL, 0)).unwrap();
    let remote = listener.local();
    phone.send(&Flow { transport: Transport::Tcp, local: PHONE, remote }, OPTIONS).unwrap();
    let (mut ours, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    let mut came = vec![0; OPTIONS.len()];
    ours.read_exact(&mut came).await.unwrap();
    let ended = timeout(Duration::from_secs(1800), closes(&mut ours, None)).await;
    assert!(ended.is_err(), "a stream of our own is not closed: {ended:?}");
    assert_eq!(phone.connections(), 1, "and nobody has kept the other alive meanwhile");
    tell("6 streams, 4 closed, 1 that is kept alive and 1 of our own are open");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_written_on_is_in_use_and_one_that_is_idle_closes_in_good_order() {
    let network = sim::Network::new(7);
    let (phone, mut arrivals) = open(Arc::new(network.clone()), PHONE, 8);
    let mut peer = network.connect_stream(LOCAL, PHONE).await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    let Some(Arrival::Message { flow, .. }) = arrivals.recv().await else { panic!("no message") };
    let since = Instant::now();
    let minute = Duration::from_secs(60);
    for _ in 0..15 {
        tokio::time::sleep(minute).await;
        phone.send(&flow, OPTIONS).unwrap();
        let mut came = vec![0; OPTIONS.len()];
        timeout(PATIENCE, peer.read_exact(&mut came)).await.unwrap().unwrap();
    }
    assert_eq!(phone.connections(), 1);
    let end = timeout(Duration::from_secs(3600), arrivals.recv()).await.unwrap();
    assert!(matches!(end, Some(Arrival::Closed { .. })), "{end:?}");
    assert_eq!(since.elapsed().as_secs(), 15 * 60 + 600);
    tell("1 stream, written on for 15 minutes, closed 10 minutes after");
}

#[tokio::test]
async fn strangers_hold_no_more_streams_open_than_a_quarter_of_the_descriptors() {
    let options = SystemOptions { descriptors: 64, ..SystemOptions::default() };
    let network = Arc::new(SystemNetwork::new(options));
    let (phone, mut arrivals) = open(Arc::clone(&network) as _, SocketAddr::new(LOCAL, 0), 64);
    // Another phone of the same process has no places of its own.
    let (other, _arrivals) = open(Arc::clone(&network) as _, SocketAddr::new(LOCAL, 0), 64);
    let mut streams = Vec::new();
    for nth in 0..40 {
        let to = if nth % 2 == 0 { phone.local() } else { other.local() };
        streams.push(TcpStream::connect(to).await.unwrap());
    }
    let settled = async {
        while network.accepted().refused() < 24 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, settled).await.unwrap();
    assert_eq!(phone.connections() + other.connections(), 16);
    let listener = TcpListener::bind(SocketAddr::new(LOCAL, 0)).await.unwrap();
    let flow =
        Flow { transport: Transport::Tcp, local: phone.local(), remote: listener.local_addr().unwrap() };
    phone.send(&flow, OPTIONS).unwrap();
    let (mut ours, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut came = vec![0; OPTIONS.len()];
    timeout(PATIENCE, ours.read_exact(&mut came)).await.unwrap().unwrap();

    streams.clear();
    while !matches!(timeout(PATIENCE, arrivals.recv()).await.unwrap(), Some(Arrival::Closed { .. })) {}
    let mut later = TcpStream::connect(phone.local()).await.unwrap();
    later.write_all(OPTIONS).await.unwrap();
    while !matches!(timeout(PATIENCE, arrivals.recv()).await.unwrap(), Some(Arrival::Message { .. })) {}
    tell("40 streams of strangers, 16 held, 24 refused, 1 of our own opened");
}

#[tokio::test]
async fn a_stream_that_never_ends_leaves_datagrams_their_places() {
    let (phone, mut arrivals) = open(Arc::new(SystemNetwork::default()), SocketAddr::new(LOCAL, 0), 4);
    let mut stream = TcpStream::connect(phone.local()).await.unwrap();
    stream.write_all(&OPTIONS.repeat(100)).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(timeout(PATIENCE, arrivals.recv()).await.unwrap());
    }
    let peer = UdpSocket::bind(SocketAddr::new(LOCAL, 0)).await.unwrap();
    for _ in 0..4 {
        peer.send_to(OPTIONS, phone.local()).await.unwrap();
        let arrival = timeout(PATIENCE, arrivals.recv()).await.unwrap();
        assert!(matches!(&arrival, Some(Arrival::Message { flow, .. }) if flow.transport == Transport::Udp));
        held.push(arrival);
    }
    assert_eq!(phone.refused(), 0);
    tell("100 messages of one stream, 4 datagrams beside it, none lost");
}
