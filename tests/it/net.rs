//! The network on real loopback sockets: real time, every wait bounded.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::net::{
    Arrival, Batch, Flow, Network, Signaling, SignalingOptions, SystemNetwork, SystemOptions, Transport,
    carries,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANY_PORT: SocketAddr = SocketAddr::new(LOCAL, 0);
const PATIENCE: Duration = Duration::from_secs(5);

const OPTIONS: &[u8] = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\n\
From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

fn open(permits: usize) -> (Signaling, mpsc::Receiver<Arrival>) {
    open_at(LOCAL, permits)
}

fn open_at(local: IpAddr, permits: usize) -> (Signaling, mpsc::Receiver<Arrival>) {
    let (arrived, arrivals) = mpsc::channel(permits.max(64));
    let options = SignalingOptions { local: SocketAddr::new(local, 0), permits, phone: None };
    let deliver = move |arrival| arrived.try_send(arrival).unwrap();
    (Signaling::open(Arc::new(SystemNetwork::default()), options, deliver).unwrap(), arrivals)
}

async fn next(arrivals: &mut mpsc::Receiver<Arrival>) -> Arrival {
    timeout(PATIENCE, arrivals.recv()).await.unwrap().unwrap()
}

fn flow(transport: Transport, from: &Signaling, to: SocketAddr) -> Flow {
    Flow { transport, local: from.local(), remote: to }
}

#[tokio::test]
async fn the_first_datagram_of_a_fresh_socket_leaves() {
    let (a, _) = open(8);
    let (b, mut at_b) = open(8);
    a.send(&flow(Transport::Udp, &a, b.local()), OPTIONS).unwrap();
    let Arrival::Message { flow, message, .. } = next(&mut at_b).await else { panic!("not a message") };
    assert_eq!((flow.transport, flow.remote, flow.local), (Transport::Udp, a.local(), b.local()));
    assert_eq!(message.bytes(), OPTIONS);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_does_not_end_the_reader() {
    let (a, mut at_a) = open(8);
    let closed = closed("127.0.0.1:0");
    for _ in 0..3 {
        a.send(&flow(Transport::Udp, &a, closed), OPTIONS).unwrap();
    }
    a.send(&flow(Transport::Udp, &a, a.local()), OPTIONS).unwrap();
    loop {
        let came = next(&mut at_a).await;
        if let Arrival::Returned { flow, .. } = &came {
            assert_eq!(flow.remote, closed);
        } else {
            break assert!(matches!(came, Arrival::Message { .. }), "{came:?}");
        }
    }
}

/// Returns an address where somebody listened a moment ago.
fn closed(at: &str) -> SocketAddr {
    std::net::UdpSocket::bind(at).unwrap().local_addr().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_datagram_for_a_closed_port_comes_back_with_its_beginning_and_the_reason() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(probe) = std::net::UdpSocket::bind(host) else { continue };
        let (a, mut at_a) = open_at(probe.local_addr().unwrap().ip(), 8);
        let gone = flow(Transport::Udp, &a, closed(host));
        let long = [OPTIONS, &[b'x'; 4000]].concat();
        let since = Instant::now();
        a.send(&gone, &long).unwrap();
        let Arrival::Returned { flow, sent, error, .. } = next(&mut at_a).await else { panic!("{host}") };
        assert!(since.elapsed() < Duration::from_secs(1));
        assert_eq!((flow, error.kind()), (gone, std::io::ErrorKind::ConnectionRefused));
        assert!(long.starts_with(&sent) && sent.len() > OPTIONS.len(), "{} bytes", sent.len());
    }
}

/// In both directions: the kernel reports an error again with the next call on the socket, whatever
/// that call is about.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_live_peer_beside_dead_ones_loses_nothing() {
    const ROUNDS: usize = 300;
    let (a, mut at_a) = open(4 * ROUNDS);
    let (b, mut at_b) = open(4 * ROUNDS);
    let dead = [(); 4].map(|()| closed("127.0.0.1:0"));
    let (mut came, mut back, mut answered) = (0, 0, 0);
    for _ in 0..ROUNDS {
        for dead in dead {
            a.send(&flow(Transport::Udp, &a, dead), OPTIONS).unwrap();
        }
        a.send(&flow(Transport::Udp, &a, b.local()), OPTIONS).unwrap();
        b.send(&flow(Transport::Udp, &b, a.local()), OPTIONS).unwrap();
        let Arrival::Message { flow, .. } = next(&mut at_b).await else { panic!("not a message") };
        assert_eq!(flow.remote, a.local());
        came += 1;
        while answered < came {
            let arrival = next(&mut at_a).await;
            if let Arrival::Returned { flow, .. } = &arrival {
                assert!(dead.contains(&flow.remote), "{flow:?}");
                back += 1;
            } else {
                let ours = matches!(&arrival, Arrival::Message { flow, .. } if flow.remote == b.local());
                assert!(ours, "{arrival:?}");
                answered += 1;
            }
        }
    }
    assert_eq!((came, answered), (ROUNDS, ROUNDS));
    assert!(back >= 100, "{back}");
    assert_eq!((a.refused(), b.refused()), (0, 0));
}

/// Anybody can forge such a report.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn of_datagrams_that_come_back_so_many_a_second_are_looked_at() {
    const SENT: usize = 2000;
    let (a, mut at_a) = open(SENT);
    let gone = flow(Transport::Udp, &a, closed("127.0.0.1:0"));
    let since = Instant::now();
    let mut back = 0;
    for _ in 0..SENT / 20 {
        for _ in 0..20 {
            a.send(&gone, OPTIONS).unwrap();
        }
        while let Ok(Some(_)) = timeout(Duration::from_millis(2), at_a.recv()).await {
            back += 1;
        }
    }
    let seconds = usize::try_from(since.elapsed().as_secs()).unwrap() + 1;
    assert!((200..=200 * (seconds + 1)).contains(&back) && back < SENT, "{back} in {seconds} s");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    a.send(&gone, OPTIONS).unwrap();
    assert!(matches!(next(&mut at_a).await, Arrival::Returned { .. }), "the next second has its own");
}

#[tokio::test]
async fn datagrams_without_a_permit_are_refused_and_counted() {
    let (a, _) = open(8);
    let (b, mut at_b) = open(2);
    for _ in 0..5 {
        a.send(&flow(Transport::Udp, &a, b.local()), OPTIONS).unwrap();
    }
    let held = (next(&mut at_b).await, next(&mut at_b).await);
    timeout(PATIENCE, async {
        while b.refused() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    drop(held);
    a.send(&flow(Transport::Udp, &a, b.local()), OPTIONS).unwrap();
    assert!(matches!(next(&mut at_b).await, Arrival::Message { .. }));
    assert_eq!(b.refused(), 3);
}

#[tokio::test]
async fn a_stream_is_opened_once_and_carries_both_ways() {
    let (a, mut at_a) = open(8);
    let (b, mut at_b) = open(8);
    let there = flow(Transport::Tcp, &a, b.local());
    a.send(&there, OPTIONS).unwrap();
    a.send(&there, OPTIONS).unwrap();
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let Arrival::Message { flow, message, .. } = next(&mut at_b).await else { panic!("not a message") };
        assert_eq!((flow.transport, message.bytes()), (Transport::Tcp, OPTIONS));
        seen.insert(flow);
    }
    assert_eq!((seen.len(), a.connections(), b.connections()), (1, 1, 1));
    b.send(seen.iter().next().unwrap(), OPTIONS).unwrap();
    let Arrival::Message { flow, .. } = next(&mut at_a).await else { panic!("not a message") };
    assert_eq!(flow, there, "an answer comes back by the flow that was asked for");
    drop(b);
    assert!(matches!(next(&mut at_a).await, Arrival::Closed { .. } | Arrival::Failed { .. }));
    assert_eq!(a.connections(), 0);
}

#[tokio::test]
async fn word_of_connections_waits_for_a_permit_like_a_message() {
    let (a, mut at_a) = open(2);
    for _ in 0..5 {
        drop(TcpStream::connect(a.local()).await.unwrap());
    }
    let mut held = vec![next(&mut at_a).await, next(&mut at_a).await];
    let third = timeout(Duration::from_millis(200), at_a.recv()).await;
    assert!(third.is_err(), "two permits, and a third arrival: {third:?}");
    for _ in 2..5 {
        held.remove(0);
        held.push(next(&mut at_a).await);
    }
    assert!(held.iter().all(|it| matches!(it, Arrival::Closed { .. } | Arrival::Failed { .. })), "{held:?}");
}

#[tokio::test]
async fn what_is_not_built_is_refused() {
    let (a, _at_a) = open(8);
    for transport in Transport::ALL {
        let carried = matches!(transport, Transport::Udp | Transport::Tcp);
        let sent = a.send(&flow(transport, &a, a.local()), OPTIONS);
        assert_eq!((carries(transport), sent.is_ok()), (carried, carried), "{transport}");
    }
}

#[tokio::test]
async fn a_refused_connection_comes_back_as_a_failure_of_its_flow() {
    let (a, mut at_a) = open(8);
    let closed = std::net::TcpListener::bind(ANY_PORT).unwrap().local_addr().unwrap();
    let there = flow(Transport::Tcp, &a, closed);
    a.send(&there, OPTIONS).unwrap();
    let Arrival::Failed { flow, .. } = next(&mut at_a).await else { panic!("not a failure") };
    assert_eq!((flow, a.connections()), (there, 0));
}

#[tokio::test]
async fn a_ping_on_a_stream_is_answered_and_garbage_closes_it() {
    let (a, mut at_a) = open(8);
    let mut peer = TcpStream::connect(a.local()).await.unwrap();
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    timeout(PATIENCE, peer.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(matches!(next(&mut at_a).await, Arrival::Unframeable { .. }));
    assert_eq!(timeout(PATIENCE, peer.read(&mut pong)).await.unwrap().unwrap_or(0), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_a_bounded_queue() {
    let (a, _at_a) = open(8);
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let there = flow(Transport::Tcp, &a, listener.local_addr().unwrap());
    let large = vec![b'x'; 1 << 20];
    let refused = (0..400).find_map(|_| a.send(&there, &large).err()).expect("the queue is bounded");
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_was_sent_leaves_before_a_close_also_on_a_stream_that_is_not_open_yet() {
    let (a, _at_a) = open(8);
    let (b, mut at_b) = open(8);
    for _ in 0..200 {
        a.send(&flow(Transport::Tcp, &a, b.local()), OPTIONS).unwrap();
    }
    a.close().await;
    for nth in 0..200 {
        assert!(matches!(next(&mut at_b).await, Arrival::Message { .. }), "message {nth}");
    }
    assert!(matches!(next(&mut at_b).await, Arrival::Closed { .. }));
}

#[tokio::test]
async fn what_was_sent_leaves_before_a_close_on_streams_of_either_direction() {
    let (a, mut at_a) = open(8);
    let (b, mut at_b) = open(8);
    a.send(&flow(Transport::Tcp, &a, b.local()), OPTIONS).unwrap();
    let Arrival::Message { flow: back, .. } = next(&mut at_b).await else { panic!("not a message") };
    b.send(&back, OPTIONS).unwrap();
    b.close().await;
    assert!(matches!(next(&mut at_a).await, Arrival::Message { .. }), "an accepted stream");

    let (c, mut at_c) = open(8);
    let there = flow(Transport::Tcp, &a, c.local());
    a.send(&there, OPTIONS).unwrap();
    assert!(matches!(next(&mut at_c).await, Arrival::Message { .. }));
    a.send(&there, OPTIONS).unwrap();
    a.close().await;
    assert!(matches!(next(&mut at_c).await, Arrival::Message { .. }), "an opened stream");
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_a_close_for_a_moment_only() {
    let (a, _at_a) = open(8);
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let there = flow(Transport::Tcp, &a, listener.local_addr().unwrap());
    let large = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        a.send(&there, &large).unwrap();
    }
    let (local, since) = (a.local(), Instant::now());
    a.close().await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    std::net::UdpSocket::bind(local).unwrap();
    TcpListener::bind(local).await.unwrap();
}

#[tokio::test]
async fn media_ports_are_neighbors_and_return_when_both_sockets_are_closed() {
    let network =
        SystemNetwork::new(SystemOptions { media_ports: 21_000..=21_199, ..SystemOptions::default() });
    let free = network.free_media_pairs();
    let (rtp, rtcp) = network.bind_media(LOCAL).unwrap();
    assert_eq!((rtp.local().port() % 2, rtp.local().port() + 1), (0, rtcp.local().port()));
    drop(rtp);
    assert_eq!(network.free_media_pairs(), free - 1);
    drop(rtcp);
    assert_eq!(network.free_media_pairs(), free);
}

#[tokio::test]
async fn a_datagram_has_the_time_of_its_arrival_however_late_it_is_read() {
    let network = SystemNetwork::default();
    let (rtp, rtcp) = network.bind_media(LOCAL).unwrap();
    let mut batch = Batch::new();
    // The kernel starts timestamping a moment after the machine's first socket has asked for it.
    let mut stamped = false;
    for _ in 0..200 {
        let sent = Instant::now();
        rtcp.try_send(b"0", rtp.local()).unwrap();
        while sent.elapsed() < Duration::from_millis(20) {
            tokio::task::yield_now().await;
        }
        rtp.drain(&mut batch).unwrap();
        stamped = batch.datagrams().all(|arrived| arrived.at < sent + Duration::from_millis(10));
        if stamped {
            break;
        }
    }
    assert!(stamped, "no stamp of the kernel in 200 datagrams");
    rtcp.try_send(b"1", rtp.local()).unwrap();
    let between = Instant::now();
    rtcp.try_send(b"2", rtp.local()).unwrap();
    while between.elapsed() < Duration::from_millis(30) {
        tokio::task::yield_now().await;
    }
    rtp.drain(&mut batch).unwrap();
    let found: Vec<_> = batch.datagrams().map(|arrived| (arrived.bytes, arrived.from, arrived.at)).collect();
    let [(b"1", from, first), (b"2", _, second)] = found[..] else { panic!("{batch:?}") };
    assert_eq!(from, rtcp.local());
    // The two clocks being compared are not read at the same instant.
    let slack = Duration::from_millis(10);
    assert!(first < between + slack && second + slack > between && first <= second, "{found:?}");
    rtp.drain(&mut batch).unwrap();
    assert_eq!(batch.datagrams().count(), 0, "nothing more is no error");
}

#[tokio::test]
async fn a_media_port_in_use_elsewhere_is_passed_over() {
    let taken = std::net::UdpSocket::bind((LOCAL, 21_211)).unwrap();
    let network =
        SystemNetwork::new(SystemOptions { media_ports: 21_210..=21_213, ..SystemOptions::default() });
    let (rtp, _rtcp) = network.bind_media(LOCAL).unwrap();
    assert_eq!(rtp.local().port(), 21_212);
    assert!(network.bind_media(LOCAL).is_err(), "no pair is left");
    drop(taken);
    assert_eq!(network.bind_media(LOCAL).unwrap().0.local().port(), 21_210);
}

#[tokio::test]
async fn literals_and_localhost_need_no_name_server_and_loopback_is_reached_from_loopback() {
    // Nobody answers there.
    let name_servers = vec!["127.0.0.1:9".parse().unwrap()];
    let network = SystemNetwork::new(SystemOptions { name_servers, ..SystemOptions::default() });
    for (uri, address) in [
        ("sip:[::1]", "[::1]:5060"),
        ("sip:127.0.0.9:5070", "127.0.0.9:5070"),
        ("sip:localhost", "127.0.0.1:5060"),
        ("sip:pbx.LOCALHOST:5080;transport=tcp", "127.0.0.1:5080"),
    ] {
        let found = network.names().find(&uri.parse().unwrap(), &[Transport::Udp, Transport::Tcp], 1).await;
        let addresses: Vec<_> = found.places().iter().map(|(_, address)| *address).collect();
        assert_eq!(addresses, [address.parse::<SocketAddr>().unwrap()], "{uri}");
        assert!(found.took < Duration::from_secs(1), "{uri}: {:?}", found.took);
    }
    assert_eq!(network.local_ip_towards((LOCAL, 5060).into()).unwrap(), LOCAL);
}
