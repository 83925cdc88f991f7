//! A tap sees everything that passes the sockets for SIP and media, whatever becomes of it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use offhook::net::{
    Arrival, Flow, Network, Sighting, Signaling, SignalingOptions, Tap, Traffic, Transport, Way,
};
use offhook::sim::Link;
use tokio::sync::mpsc;

use crate::support::{World, peer::Peer};

#[derive(Default)]
struct Notes(Mutex<Vec<Note>>);

#[derive(Clone)]
struct Note {
    way: Way,
    traffic: Traffic,
    ends: (SocketAddr, SocketAddr),
    phone: Option<String>,
    text: String,
    at: Instant,
    bytes: Vec<u8>,
}

impl Tap for Notes {
    fn see(&self, seen: &Sighting<'_>) {
        self.0.lock().unwrap().push(Note {
            way: seen.way,
            traffic: seen.traffic,
            ends: (seen.local, seen.remote),
            phone: seen.phone.map(ToString::to_string),
            text: String::from_utf8_lossy(seen.bytes).into_owned(),
            at: seen.at,
            bytes: seen.bytes.to_vec(),
        });
    }
}

impl Notes {
    /// Returns the first words of what one phone sent or received over SIP.
    fn of(&self, phone: &str, way: Way) -> Vec<String> {
        let notes = self.0.lock().unwrap();
        let mine = notes.iter().filter(|note| {
            note.way == way && note.phone.as_deref() == Some(phone) && matches!(note.traffic, Traffic::Sip(_))
        });
        mine.map(|note| note.text.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    }
}

/// A datagram: our address, the peer's address, when, and its content.
type Datagram = (SocketAddr, SocketAddr, Instant, Vec<u8>);

impl Notes {
    fn datagrams(&self, phone: &str, way: Way, traffic: Traffic) -> Vec<Datagram> {
        let notes = self.0.lock().unwrap();
        let mine = notes
            .iter()
            .filter(|note| (note.way, note.traffic, note.phone.as_deref()) == (way, traffic, Some(phone)));
        mine.map(|note| (note.ends.0, note.ends.1, note.at, note.bytes.clone())).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn media_is_seen_as_it_is_sent_and_with_the_time_at_which_it_arrived() {
    const TRIP: Duration = Duration::from_millis(33);
    let mut world = World::new().await;
    world.network.set_default_link(Link { latency: TRIP, ..Link::default() });
    let notes = Arc::new(Notes::default());
    let attached = world.network.taps().attach(notes.clone());
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (call, to) = world.called_by(&peer, &a).await;
    let rtp: SocketAddr =
        world.board.views().call(call).unwrap().media_local.as_deref().unwrap().parse().unwrap();
    let rtcp = at(rtp.port() + 1);
    let theirs = world.network.bind_datagram(at(9000)).unwrap();
    let mut sent = Vec::new();
    for number in 0..10 {
        theirs.try_send(&[number; 3], rtp).unwrap();
        theirs.try_send(&[number; 2], rtcp).unwrap();
        sent.push((number, tokio::time::Instant::now().into_std()));
        // Never in step with the clock that reads.
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (traffic, ours, length) in [(Traffic::Rtp, rtp, 3), (Traffic::Rtcp, rtcp, 2)] {
        let seen = |(number, at_theirs)| (ours, at(9000), at_theirs + TRIP, vec![number; length]);
        let expected: Vec<Datagram> = sent.iter().copied().map(seen).collect();
        assert_eq!(notes.datagrams("a", Way::Received, traffic), expected);
    }
    let said = notes.datagrams("a", Way::Sent, Traffic::Rtp);
    assert!(said.len() > 5 && said.iter().all(|(from, to, ..)| (*from, *to) == (rtp, at(9000))));
    let mut packet = [0; 2048];
    let (length, _) = theirs.receive(&mut packet).await.unwrap();
    assert!(said.iter().any(|(.., bytes)| *bytes == packet[..length]), "what was seen is what came");
    peer.request("BYE", 2, &to, "");
    world.next(&a, "call.ended").await;
    drop((attached, peer, theirs));
    world.end().await;
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test(start_paused = true)]
async fn repeats_rubbish_and_keep_alives_are_seen_like_any_message() {
    let mut world = World::new().await;
    let notes = Arc::new(Notes::default());
    let attached = world.network.taps().attach(notes.clone());
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    world.call(&a, "sip:b@127.0.0.1:5070").await;
    // Nobody answers: timer A retransmits the INVITE after 0.5 s, 1.5 s and 3.5 s.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(notes.of("a", Way::Sent), ["INVITE sip:b@127.0.0.1:5070"; 4]);
    let invite = peer.next("INVITE").await;
    for rubbish in ["rubbish that is no SIP", "\r\n\r\n"] {
        peer.send(rubbish);
    }
    peer.answer(&invite, "486 Busy Here", "", "");
    world.next(&a, "call.ended").await;
    assert_eq!(notes.of("a", Way::Received), ["rubbish that", "\r\n\r\n", "SIP/2.0 486"]);
    assert_eq!(notes.of("a", Way::Sent).last().unwrap(), "ACK sip:b@127.0.0.1:5070");
    assert_eq!(notes.0.lock().unwrap()[0].ends, (at(5061), at(5070)));
    drop(attached);
    peer.send("more rubbish");
    world.next(&a, "sip.anomaly").await;
    assert_eq!(notes.of("a", Way::Received).len(), 3, "a tap that was taken away sees nothing");
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_datagram_that_finds_no_permit_is_seen() {
    let network = offhook::sim::Network::new(1);
    let notes = Arc::new(Notes::default());
    let _attached = network.taps().attach(notes.clone());
    let options = |port| SignalingOptions {
        local: at(port),
        permits: 1,
        phone: Some(format!("p{port}").parse().unwrap()),
    };
    let (arrived, mut arrivals) = mpsc::channel::<Arrival>(8);
    let a = Signaling::open(Arc::new(network.clone()), options(5061), drop).unwrap();
    let deliver = move |arrival| arrived.try_send(arrival).unwrap();
    let b = Signaling::open(Arc::new(network.clone()), options(5062), deliver).unwrap();
    let udp = Flow { transport: Transport::Udp, local: a.local(), remote: b.local() };
    for _ in 0..3 {
        a.send(&udp, b"OPTIONS sip:b SIP/2.0\r\n\r\n").unwrap();
    }
    let held = arrivals.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!((b.refused(), notes.of("p5062", Way::Received).len()), (2, 3));
    drop(held);

    let tcp = Flow { transport: Transport::Tcp, ..udp };
    a.send(&tcp, b"OPTIONS sip:c SIP/2.0\r\nContent-Length: 0\r\n\r\n").unwrap();
    drop(arrivals.recv().await.unwrap());
    a.send(&tcp, b"\r\n\r\n").unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    a.send(&tcp, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let stream: Vec<_> = notes.0.lock().unwrap().iter().skip(6).cloned().collect();
    let stream: Vec<_> = stream
        .iter()
        .map(|note| {
            assert_eq!(note.traffic, Traffic::Sip(Transport::Tcp));
            (note.way, note.phone.as_deref().unwrap(), note.text.split('\r').next().unwrap())
        })
        .collect();
    let (sent, received) = (Way::Sent, Way::Received);
    assert_eq!(
        stream,
        [
            (sent, "p5061", "OPTIONS sip:c SIP/2.0"),
            (received, "p5062", "OPTIONS sip:c SIP/2.0"),
            (sent, "p5061", ""),
            (received, "p5062", ""),
            (sent, "p5062", ""),
            (received, "p5061", ""),
            (sent, "p5061", "GET / HTTP/1.1"),
            (received, "p5062", "GET / HTTP/1.1"),
        ]
    );
}
