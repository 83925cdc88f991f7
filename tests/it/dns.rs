//! Names from a real DNS server on loopback, with the program's own resolver: NAPTR, SRV, A;
//! circular aliases, zones too large for a datagram, names that no host has.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, CNAME, NAPTR, SOA, SRV},
    },
};
use offhook::{
    command::{Command, Execute},
    event::{Cause, Event, PhoneEvent, SipEvent, Surface, Transport},
    id::Seq,
    lab::{Lab, LabOptions},
    net::{Names, SystemNetwork, SystemOptions, SystemResolver, Transport as Way},
    secret::Secret,
    switchboard::{Options, Switchboard},
    wall::Wall,
};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout},
};

use crate::support::spec;

/// How long any of this may take: a loaded machine is slow, and a resolver that waits in vain is
/// slower.
const LONG: Duration = Duration::from_secs(7);

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// A name server with a fixed table; names that are not in it do not exist, with a TTL of one
/// minute.
#[derive(Default)]
struct Zone {
    records: BTreeMap<(Name, RecordType), Vec<Record>>,
}

impl Zone {
    fn with(mut self, owner: &str, data: RData) -> Self {
        let record = Record::from_rdata(name(owner), 300, data);
        self.records.entry((name(owner), record.record_type())).or_default().push(record);
        self
    }

    fn a(self, owner: &str) -> Self {
        self.with(owner, RData::A(A(Ipv4Addr::LOCALHOST)))
    }

    fn alias(self, owner: &str, of: &str) -> Self {
        self.with(owner, RData::CNAME(CNAME(name(of))))
    }

    fn srv(self, owner: &str, priority: u16, port: u16, target: &str) -> Self {
        self.with(owner, RData::SRV(SRV::new(priority, 0, port, name(target))))
    }

    fn naptr(self, owner: &str, order: u16, service: &str, to: &str) -> Self {
        let bytes = |text: &str| text.as_bytes().into();
        let data = NAPTR::new(order, 0, bytes("s"), bytes(service), bytes(""), name(to));
        self.with(owner, RData::NAPTR(data))
    }

    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.recursion_available = true;
        for query in &question.queries {
            answer.add_query(query.clone());
            let owner = name(&query.name().to_ascii().to_ascii_lowercase());
            let of = |kind| self.records.get(&(owner.clone(), kind));
            if let Some(records) = of(query.query_type()).or_else(|| of(RecordType::CNAME)) {
                answer.add_answers(records.iter().cloned());
            } else {
                answer.metadata.response_code = ResponseCode::NXDomain;
                let soa = SOA::new(name("ns.test."), name("root.test."), 1, 60, 60, 60, 60);
                answer.add_authority(Record::from_rdata(name("test."), 60, RData::SOA(soa)));
            }
        }
        answer
    }

    /// Serves on loopback until the test ends; returns a counter of the queries.
    async fn serve(self) -> (SocketAddr, Arc<AtomicUsize>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (local, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let mut answer = self.answer(&question);
                let mut bytes = answer.to_vec().unwrap();
                if bytes.len() > 1_200 {
                    // Nobody listens on TCP, where the rest would be.
                    answer.answers.truncate(20);
                    answer.metadata.truncation = true;
                    bytes = answer.to_vec().unwrap();
                }
                socket.send_to(&bytes, from).await.unwrap();
            }
        });
        (local, asked)
    }
}

async fn find(server: SocketAddr, uri: &str) -> Result<Vec<String>, String> {
    let names = Names::new(SystemResolver::new(vec![server]));
    let uri = uri.parse().unwrap();
    let found = names.find(&uri, &[Way::Udp, Way::Tcp], 1);
    let found = timeout(LONG, found).await.expect("no answer in time");
    let places = |places: Vec<(Way, SocketAddr)>| {
        places.into_iter().map(|(transport, address)| format!("{transport} {address}")).collect()
    };
    found.targets.map(places).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_phone_registers_at_the_lab_by_the_records_of_a_real_name_server() {
    let network = SystemNetwork::default();
    let lab = Lab::start(Arc::new(network), LabOptions::default()).unwrap();
    let port = lab.address().port();
    // Nobody listens on TCP at the first address, which a refused connection shows at once.
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let zone = Zone::default()
        .naptr("pbx.test.", 10, "SIP+D2T", "_sip._tcp.pbx.test.")
        .naptr("pbx.test.", 20, "SIP+D2U", "_sip._udp.pbx.test.")
        .srv("_sip._tcp.pbx.test.", 1, free, "dead.pbx.test.")
        .srv("_sip._udp.pbx.test.", 1, port, "one.pbx.test.")
        .alias("one.pbx.test.", "real.pbx.test.")
        .a("real.pbx.test.")
        .a("dead.pbx.test.");
    let (server, asked) = zone.serve().await;
    let options = SystemOptions { name_servers: vec![server], ..SystemOptions::default() };
    let wall = Wall::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    let options = Options::in_memory(Arc::new(SystemNetwork::new(options)), wall, 7);
    let board = Switchboard::start(options).await.unwrap();
    let add = Command::add("a".parse().unwrap(), spec("pbx.test", "6001"), Secret::new("secret6001".into()));
    board.execute(add, Cause::command(Surface::Library)).await.unwrap();
    let mut reader = board.journal().reader(Seq::default());
    let (mut targets, mut moves) = (Vec::new(), Vec::new());
    let registered = async {
        loop {
            let envelope = reader.next().await.unwrap();
            if let Event::Sip(SipEvent::Resolved { targets: found, .. }) = &envelope.event {
                targets.clone_from(found);
            } else if let Event::Sip(SipEvent::FailedOver { from, to, .. }) = &envelope.event {
                moves.push((from.transport, to.address));
            } else if matches!(envelope.event, Event::Phone(PhoneEvent::Registered { .. })) {
                return;
            }
        }
    };
    timeout(LONG, registered).await.expect("not registered in time");
    let to_lab = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let places: Vec<_> = targets.iter().map(|place| (place.transport, place.address.port())).collect();
    assert_eq!(places, [(Transport::Tcp, free), (Transport::Udp, port)]);
    assert_eq!(moves[0], (Transport::Tcp, to_lab));
    // NAPTR, two SRV, A and AAAA of two hosts; the REGISTER asks nothing that is already known. A
    // lost datagram is asked again.
    assert!((7..=14).contains(&asked.load(Ordering::Relaxed)), "{asked:?}");
    board.shutdown().await.unwrap();
    timeout(LONG, lab.stop()).await.unwrap();
}

#[tokio::test]
async fn aliases_that_lead_in_circles_lead_nowhere() {
    let zone = Zone::default().alias("one.test.", "two.test.").alias("two.test.", "one.test.");
    let (server, _) = zone.serve().await;
    let refused = find(server, "sip:a@one.test:5060").await.unwrap_err();
    assert!(!refused.is_empty());
    assert_eq!(find(server, "sip:a@none.test").await.unwrap_err(), "the name has no address");
}

#[tokio::test]
async fn a_zone_that_no_datagram_holds_gives_what_it_holds_or_nothing() {
    let mut zone = Zone::default().a("x.test.");
    for port in 1..2_000 {
        zone = zone.srv("_sip._udp.big.test.", port, port, "x.test.");
    }
    let (server, _) = zone.serve().await;
    // The rest is requested over TCP, which nobody answers: the part that came may be used, and
    // nothing waits forever.
    let begun = Instant::now();
    let found = find(server, "sip:a@big.test;transport=udp").await;
    assert!(found.as_ref().map_or(0, Vec::len) <= 8, "{found:?}");
    assert!(begun.elapsed() < LONG);
}

#[tokio::test]
async fn a_server_with_a_name_that_no_host_has_is_passed_over() {
    let odd = Name::from_labels([b"a\x07b\r\n".as_slice(), b"test"]).unwrap();
    let zone = Zone::default()
        .with("_sip._udp.odd.test.", RData::SRV(SRV::new(1, 0, 5070, odd)))
        .srv("_sip._udp.odd.test.", 2, 5080, "good.test.")
        .a("good.test.");
    let (server, _) = zone.serve().await;
    assert_eq!(find(server, "sip:a@odd.test").await, Ok(vec!["udp 127.0.0.1:5080".to_owned()]));
}

#[tokio::test]
async fn a_name_server_that_is_not_there_is_told_in_time() {
    let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = nobody.local_addr().unwrap();
    let refused = find(server, "sip:a@pbx.test:5060").await.unwrap_err();
    assert_eq!(refused, "no answer from the name servers in time");
}
