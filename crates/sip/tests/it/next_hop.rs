//! RFC 3263: which questions are asked, and in which order servers are tried.

use std::collections::BTreeMap;
use std::net::IpAddr;

use offhook_sip::message::Uri;
use offhook_sip::next_hop::{NextHop, NextHopError, Question, Record, Step};
use offhook_sip::user_agent::Transport;

use Transport::{Tcp, Tls, Udp, Ws, Wss};

/// Answers from a fixed zone and keeps the questions.
#[derive(Default)]
struct Zone(BTreeMap<String, Vec<Record>>);

impl Zone {
    fn with(mut self, name: &str, record: Record) -> Self {
        self.0.entry(name.to_owned()).or_default().push(record);
        self
    }

    fn naptr(self, name: &str, order: u16, preference: u16, service: &str, to: &str) -> Self {
        let (service, replacement) = (service.to_owned(), to.to_owned());
        self.with(name, Record::Naptr { order, preference, flags: "s".to_owned(), service, replacement })
    }

    fn srv(self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        self.with(name, Record::Srv { priority, weight, port, target: target.to_owned() })
    }

    fn address(self, name: &str, address: &str) -> Self {
        self.with(name, Record::Address(address.parse::<IpAddr>().unwrap()))
    }

    /// Resolves `uri` and returns the questions and the targets, as text.
    fn resolve(&self, uri: &str, offered: &[Transport], random: u64) -> (Vec<String>, Vec<String>) {
        let mut hop = NextHop::new(&Uri::parse(uri).unwrap(), offered, random).unwrap();
        let mut questions = Vec::new();
        for _ in 0..50 {
            let name = match hop.poll() {
                Step::Done(targets) => {
                    let text = |target: &offhook_sip::next_hop::Target| {
                        format!("{} {}", target.transport.via_name(), target.address)
                    };
                    return (questions, targets.iter().map(text).collect());
                }
                Step::Ask(question) => {
                    let (kind, name) = match question {
                        Question::Naptr(name) => ("NAPTR", name),
                        Question::Srv(name) => ("SRV", name),
                        Question::Address(name) => ("A", name),
                    };
                    questions.push(format!("{kind} {name}"));
                    name
                }
            };
            hop.answer(self.0.get(&name).cloned().unwrap_or_default());
        }
        panic!("it asks for ever: {questions:?}");
    }
}

const ALL: [Transport; 3] = [Udp, Tcp, Tls];

#[test]
fn an_address_needs_no_dns() {
    let none: Vec<String> = Vec::new();
    let zone = Zone::default();
    let cases = [
        ("sip:a@192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:a@192.0.2.1:5080;transport=tcp", "TCP 192.0.2.1:5080"),
        ("sips:a@192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sips:a@192.0.2.1;transport=tcp", "TLS 192.0.2.1:5061"),
        ("sip:a@192.0.2.1;transport=TLS", "TLS 192.0.2.1:5061"),
        ("sip:a@[2001:db8::1]:5070", "UDP [2001:db8::1]:5070"),
        ("sip:a@example.com;maddr=192.0.2.9", "UDP 192.0.2.9:5060"),
    ];
    for (uri, target) in cases {
        assert_eq!(zone.resolve(uri, &ALL, 0), (none.clone(), vec![target.to_owned()]), "{uri}");
    }
}

#[test]
fn a_port_is_asked_for_by_address_alone() {
    let zone = Zone::default().address("example.com", "192.0.2.1").address("example.com", "2001:db8::1");
    let (questions, targets) = zone.resolve("sip:a@example.com:5080", &ALL, 0);
    assert_eq!(questions, ["A example.com"]);
    assert_eq!(targets, ["UDP 192.0.2.1:5080", "UDP [2001:db8::1]:5080"]);
}

#[test]
fn naptr_chooses_the_transport_and_srv_the_server() {
    // The example of RFC 3263 §4.1, with UDP as the least preferred.
    let zone = Zone::default()
        .naptr("example.com", 90, 50, "SIP+D2T", "_sip._tcp.example.com.")
        .naptr("example.com", 100, 50, "SIP+D2U", "_sip._udp.example.com")
        .naptr("example.com", 50, 50, "SIPS+D2T", "_sips._tcp.example.com")
        .srv("_sip._tcp.example.com", 0, 1, 5060, "server1.example.com")
        .srv("_sip._tcp.example.com", 1, 2, 5070, "server2.example.com.")
        .srv("_sip._udp.example.com", 0, 0, 5060, "server2.example.com")
        .address("server1.example.com", "192.0.2.1")
        .address("server2.example.com", "192.0.2.2");
    let (questions, targets) = zone.resolve("sip:user@example.com", &[Udp, Tcp], 7);
    assert_eq!(
        questions,
        [
            "NAPTR example.com",
            "SRV _sip._tcp.example.com",
            "A server1.example.com",
            "A server2.example.com",
            "SRV _sip._udp.example.com",
            "A server2.example.com",
        ]
    );
    assert_eq!(targets, ["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070", "UDP 192.0.2.2:5060"]);
}

#[test]
fn without_naptr_every_usable_service_is_asked_for() {
    let zone = Zone::default()
        .srv("_sip._tcp.example.com", 0, 0, 5062, "s.example.com")
        .address("s.example.com", "192.0.2.3")
        .address("example.com", "192.0.2.99");
    let (questions, targets) = zone.resolve("sip:user@example.com", &ALL, 0);
    assert_eq!(
        questions,
        [
            "NAPTR example.com",
            "SRV _sip._udp.example.com",
            "SRV _sip._tcp.example.com",
            "A s.example.com",
            "SRV _sips._tcp.example.com",
        ]
    );
    assert_eq!(targets, ["TCP 192.0.2.3:5062"]);
}

#[test]
fn without_any_record_the_host_itself_is_used() {
    let zone = Zone::default().address("pbx.example.com", "192.0.2.4");
    assert_eq!(zone.resolve("sip:u@pbx.example.com", &ALL, 0).1, ["UDP 192.0.2.4:5060"]);
    assert_eq!(zone.resolve("sips:u@pbx.example.com", &ALL, 0).1, ["TLS 192.0.2.4:5061"]);
    let (questions, targets) = zone.resolve("sip:u@pbx.example.com;transport=tcp", &ALL, 0);
    assert_eq!(questions, ["SRV _sip._tcp.pbx.example.com", "A pbx.example.com"]);
    assert_eq!(targets, ["TCP 192.0.2.4:5060"]);
    assert_eq!(Zone::default().resolve("sip:u@nowhere.example", &ALL, 0).1, Vec::<String>::new());
}

#[test]
fn a_service_that_is_declared_absent_is_not_replaced_by_the_host() {
    let zone = Zone::default().srv("_sip._udp.example.com", 0, 0, 0, ".").address("example.com", "192.0.2.1");
    assert_eq!(zone.resolve("sip:u@example.com;transport=udp", &ALL, 0).1, Vec::<String>::new());
}

#[test]
fn websocket_hosts_are_looked_up_directly() {
    let zone = Zone::default().address("ws.example.com", "192.0.2.5");
    assert_eq!(zone.resolve("sip:u@ws.example.com;transport=ws", &[Ws, Wss], 0).1, ["WS 192.0.2.5:80"]);
    assert_eq!(zone.resolve("sips:u@ws.example.com;transport=ws", &[Ws, Wss], 0).1, ["WSS 192.0.2.5:443"]);
}

#[test]
fn weight_shares_the_load_and_priority_comes_first() {
    let name = "_sip._udp.example.com";
    let zone = Zone::default()
        .srv(name, 20, 100, 5060, "late.example.com")
        .srv(name, 10, 75, 5060, "big.example.com")
        .srv(name, 10, 25, 5060, "small.example.com")
        .srv(name, 10, 0, 5060, "spare.example.com")
        .address("late.example.com", "192.0.2.1")
        .address("big.example.com", "192.0.2.2")
        .address("small.example.com", "192.0.2.3")
        .address("spare.example.com", "192.0.2.4");
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for random in 0..10_000 {
        let (_, targets) = zone.resolve("sip:u@example.com;transport=udp", &[Udp], random);
        assert_eq!(targets.len(), 4);
        assert_eq!(targets[3], "UDP 192.0.2.1:5060");
        *first.entry(targets[0].clone()).or_default() += 1;
    }
    let share = |address: &str| first.get(&format!("UDP {address}:5060")).copied().unwrap_or(0);
    assert!((7200..7700).contains(&share("192.0.2.2")), "{first:?}");
    assert!((2250..2750).contains(&share("192.0.2.3")), "{first:?}");
    assert!((50..200).contains(&share("192.0.2.4")), "{first:?}");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let start = |uri: &str, offered: &[Transport]| {
        NextHop::new(&Uri::parse(uri).unwrap(), offered, 0).map(|hop| hop.poll())
    };
    assert_eq!(start("tel:+15551234567", &ALL), Err(NextHopError::NoHost));
    assert_eq!(start("sip:a@example.com;transport=sctp", &ALL), Err(NextHopError::NoTransport));
    assert_eq!(start("sips:a@example.com;transport=udp", &ALL), Err(NextHopError::NoTransport));
    assert_eq!(start("sips:a@example.com", &[Udp, Tcp]), Err(NextHopError::NoTransport));
    assert_eq!(start("sip:a@192.0.2.1", &[Tcp]), Err(NextHopError::NoTransport));
}

#[test]
fn a_zone_of_ten_thousand_servers_costs_eight_questions_and_gives_eight_places() {
    let mut zone = Zone::default();
    for number in (0..10_000_u16).rev() {
        let target = format!("s{number}.example.com");
        zone = zone.srv("_sip._udp.example.com", number, 1, 5060, &target);
        if number < 20 {
            zone = zone.address(&target, &format!("192.0.2.{number}"));
        }
    }
    let (questions, targets) = zone.resolve("sip:a@example.com;transport=udp", &[Udp], 1);
    assert_eq!(questions.len(), 9, "{questions:?}");
    let first: Vec<String> = (0..8).map(|n| format!("UDP 192.0.2.{n}:5060")).collect();
    assert_eq!(targets, first, "the best priorities");
}

#[test]
fn a_zone_that_leads_in_circles_is_left_after_so_many_questions() {
    let mut zone = Zone::default();
    for number in 0..200_u16 {
        let to = format!("_sip._udp.{number}.example.com");
        zone = zone.naptr("example.com", number, 0, "SIP+D2U", &to);
        for server in 0..8 {
            zone = zone.srv(&to, server, 0, 5060, "nowhere.example.com");
        }
    }
    let (questions, targets) = zone.resolve("sip:a@example.com", &[Udp], 1);
    assert_eq!((questions.len(), targets.len()), (offhook_sip::next_hop::MOST_QUESTIONS, 0));
}

#[test]
fn a_record_that_names_no_host_is_not_followed() {
    let long = "a".repeat(254);
    for bad in
        ["a\r\nVia: x", "a b.example.com", "\u{7}.example.com", "..", "x\\007.example.com", long.as_str()]
    {
        let zone = Zone::default()
            .naptr("example.com", 1, 1, "SIP+D2U", bad)
            .srv("_sip._udp.example.com", 1, 1, 5060, bad)
            .srv("_sip._udp.example.com", 2, 1, 5070, "good.example.com")
            .address(bad, "192.0.2.66")
            .address("good.example.com", "192.0.2.1");
        let (questions, targets) = zone.resolve("sip:a@example.com", &[Udp], 1);
        assert_eq!(targets, ["UDP 192.0.2.1:5070"], "{bad:?}");
        assert_eq!(questions.len(), 3, "{questions:?}");
    }
}
