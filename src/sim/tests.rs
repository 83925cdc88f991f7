//! The simulated network keeps its promises, in paused time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};

use super::{Fate, Link, Network, Recording};
use crate::net::{Arrival, Batch, Flow, Network as _, Signaling, SignalingOptions, Transport};

const MS: Duration = Duration::from_millis(1);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_datagram_takes_exactly_its_latency() {
    let network = Network::new(1);
    network.set_default_link(Link { latency: 35 * MS, ..Link::default() });
    let a = network.bind_datagram(at("127.0.0.1:0")).unwrap();
    let b = network.bind_datagram(at("127.0.0.1:5060")).unwrap();
    let started = Instant::now();
    a.try_send(b"hello", b.local()).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = b.receive(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..length], from, started.elapsed()), (&b"hello"[..], a.local(), 35 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_drained_datagram_arrived_when_it_was_due() {
    let network = Network::new(1);
    network.set_default_link(Link { latency: 35 * MS, ..Link::default() });
    let (rtp, rtcp) = network.bind_media(at("127.0.0.1:0").ip()).unwrap();
    let started = Instant::now();
    for byte in 0..10 {
        rtcp.try_send(&[byte], rtp.local()).unwrap();
    }
    let mut batch = Batch::new();
    rtp.drain(&mut batch).unwrap();
    assert_eq!(batch.datagrams().count(), 0, "nothing has arrived yet");
    tokio::time::sleep(100 * MS).await;
    let mut found = Vec::new();
    while found.is_empty() || batch.is_full() {
        rtp.drain(&mut batch).unwrap();
        found.extend(batch.datagrams().map(|arrived| (arrived.bytes[0], arrived.at)));
    }
    let due = (started + 35 * MS).into_std();
    assert_eq!(found, (0..10).map(|byte| (byte, due)).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_arrival_overtakes_and_wakes_a_waiting_reader() {
    let network = Network::new(1);
    network.set_filter(|datagram| if datagram.number == 0 { Fate::Late(50 * MS) } else { Fate::Arrives });
    let a = network.bind_datagram(at("127.0.0.1:0")).unwrap();
    let b = network.bind_datagram(at("127.0.0.1:5060")).unwrap();
    a.try_send(b"1", b.local()).unwrap();
    let reader = tokio::spawn(async move {
        let mut buffer = [0; 4];
        let mut order = Vec::new();
        for _ in 0..2 {
            b.receive(&mut buffer).await.unwrap();
            order.push(buffer[0]);
        }
        order
    });
    tokio::time::sleep(10 * MS).await;
    a.try_send(b"2", at("127.0.0.1:5060")).unwrap();
    assert_eq!(reader.await.unwrap(), b"21");
}

#[tokio::test(start_paused = true)]
async fn a_datagram_for_a_closed_port_comes_back_after_a_round_trip_and_from_an_unreachable_host_never() {
    let network = Network::new(1);
    network.set_default_link(Link { latency: 35 * MS, ..Link::default() });
    let a = network.bind_datagram(at("127.0.0.1:0")).unwrap();
    network.set_link(a.local().ip(), at("10.0.0.9:0").ip(), Link { loss: 1.0, ..Link::default() });
    let started = Instant::now();
    a.try_send(b"into the dark", at("10.0.0.9:5060")).unwrap();
    a.try_send(&[7; 600], at("10.0.0.2:5060")).unwrap();
    let back = tokio::time::timeout(Duration::from_secs(1), a.returned()).await.unwrap().unwrap();
    assert_eq!((back.to, started.elapsed()), (at("10.0.0.2:5060"), 70 * MS));
    assert_eq!((back.error.kind(), &back.sent[..]), (std::io::ErrorKind::ConnectionRefused, &[7; 520][..]));
    assert!(tokio::time::timeout(Duration::from_secs(60), a.returned()).await.is_err());
}

async fn received(seed: u64) -> Vec<u8> {
    let network = Network::new(seed);
    let (from, to) = (at("10.0.0.1:9"), at("10.0.0.2:9"));
    let link = Link { jitter: 40 * MS, loss: 0.3, duplication: 0.2, ..Link::default() };
    network.set_link(from.ip(), to.ip(), link);
    let a = network.bind_datagram(from).unwrap();
    let b = network.bind_datagram(to).unwrap();
    for number in 0..100 {
        a.try_send(&[number], to).unwrap();
    }
    let mut order = Vec::new();
    let mut buffer = [0; 4];
    while tokio::time::timeout(200 * MS, b.receive(&mut buffer)).await.is_ok() {
        order.push(buffer[0]);
    }
    order
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_lose_duplicate_and_reorder_alike() {
    let (first, again, other) = (received(7).await, received(7).await, received(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    let distinct: std::collections::HashSet<_> = first.iter().collect();
    assert!((50..90).contains(&distinct.len()), "about 70 of 100 arrive: {}", distinct.len());
    assert!(first.len() > distinct.len(), "some arrive twice");
    assert!(!first.is_sorted(), "some overtake");
}

#[tokio::test(start_paused = true)]
async fn closed_sockets_are_gone_and_their_media_ports_come_back() {
    let network = Network::new(1);
    let (rtp, rtcp) = network.bind_media(at("127.0.0.1:0").ip()).unwrap();
    assert_eq!((rtp.local().port() % 2, rtcp.local().port()), (0, rtp.local().port() + 1));
    assert!(network.bind_datagram(rtp.local()).is_err());
    assert_eq!(network.sockets(), 2);
    drop((rtp, rtcp));
    assert_eq!(network.sockets(), 0);
}

#[tokio::test(start_paused = true)]
async fn signaling_runs_on_it_over_both_transports() {
    const OPTIONS: &[u8] = b"OPTIONS sip:b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";
    let network = Network::new(1);
    network.record(Recording::Signaling);
    let open = |ip: &str| {
        let (arrived, arrivals) = mpsc::channel(8);
        let host = Arc::new(network.host(ip.parse().unwrap()));
        let options = SignalingOptions { local: at("0.0.0.0:5060"), permits: 4, phone: None };
        (Signaling::open(host, options, move |it| arrived.try_send(it).unwrap()).unwrap(), arrivals)
    };
    let (a, _at_a) = open("10.0.0.1");
    let (b, mut at_b) = open("10.0.0.2");
    assert_eq!(b.local(), at("10.0.0.2:5060"));
    for transport in [Transport::Udp, Transport::Tcp] {
        a.send(&Flow { transport, local: a.local(), remote: b.local() }, OPTIONS).unwrap();
        let Some(Arrival::Message { flow, message, .. }) = at_b.recv().await else { panic!("no message") };
        assert_eq!((flow.transport, message.bytes()), (transport, OPTIONS));
    }
    assert_eq!(
        network.crossed().iter().map(|c| c.transport).collect::<Vec<_>>(),
        [Transport::Udp, Transport::Tcp]
    );
    let nobody = Flow { transport: Transport::Tcp, local: b.local(), remote: at("10.0.0.9:1") };
    b.send(&nobody, OPTIONS).unwrap();
    let Some(Arrival::Failed { flow, error, .. }) = at_b.recv().await else { panic!("no failure") };
    assert_eq!((flow, error.kind()), (nobody, std::io::ErrorKind::ConnectionRefused));
    drop((a, b));
    tokio::task::yield_now().await;
    assert_eq!(network.sockets(), 0);
}

#[tokio::test(start_paused = true)]
async fn names_are_found_where_they_were_added() {
    let network = Network::new(1);
    network.add_name("PBX.test", vec![at("10.0.0.2:0").ip()]);
    let names = crate::net::Network::names(&network).clone();
    let find = async |uri: &str| {
        let found = names.find(&uri.parse().unwrap(), &[Transport::Udp], 1).await;
        found.targets.map(|places| places.into_iter().map(|(_, address)| address).collect::<Vec<_>>())
    };
    assert_eq!(find("sip:pbx.TEST").await.unwrap(), [at("10.0.0.2:5060")]);
    assert_eq!(find("sip:localhost:5070").await.unwrap(), [at("127.0.0.1:5070")]);
    assert_eq!(network.asked().len(), 3, "NAPTR, SRV, address; and nothing about localhost");
    assert_eq!(find("sip:[::1]").await.unwrap(), [at("[::1]:5060")]);
    assert_eq!(find("sip:other.test").await.unwrap_err().to_string(), "the name has no address");
}
