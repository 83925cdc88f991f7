//! A lab and its phones on one simulated network, and what must hold when a test is over.

use std::{net::IpAddr, sync::Arc, time::Duration};

use offhook::{
    lab::{Lab, LabOptions, LiveCounts},
    net::Transport,
    sim,
};
use offhook_sip::user_agent::SessionId;

use super::phone::{Phone, Setup};

/// Longer than any timer of RFC 3261 that absorbs retransmissions.
const QUIET: Duration = Duration::from_secs(75);

pub(super) struct World {
    pub(super) network: sim::Network,
    pub(super) lab: Lab,
    seeds: std::cell::Cell<u64>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(LabOptions::default())
    }

    pub(super) fn with(options: LabOptions) -> Self {
        let network = sim::Network::new(1);
        let host = network.host("10.0.0.1".parse().unwrap());
        let bind = "10.0.0.1:5060".parse().unwrap();
        let options = LabOptions { bind, seed: Some(7), ..options };
        let lab = Lab::start(Arc::new(host), options).unwrap();
        Self { network, lab, seeds: std::cell::Cell::new(100) }
    }

    pub(super) fn phone(&self, user: &str) -> Phone {
        self.phone_with(user, &format!("secret{user}"), Transport::Udp)
    }

    pub(super) fn phone_with(&self, user: &str, password: &str, transport: Transport) -> Phone {
        let last = u8::try_from(self.seeds.get() - 99).unwrap();
        self.make(user, password, IpAddr::from([10, 0, 1, last]), transport)
    }

    /// Returns a phone on a host of its own.
    pub(super) fn phone_at(&self, user: &str, ip: IpAddr) -> Phone {
        self.make(user, &format!("secret{user}"), ip, Transport::Udp)
    }

    fn make(&self, user: &str, password: &str, ip: IpAddr, transport: Transport) -> Phone {
        self.seeds.set(self.seeds.get() + 1);
        let seed = self.seeds.get();
        let setup = Setup { user, password, ip, lab: self.lab.address(), transport, seed };
        Phone::new(Arc::new(self.network.host(ip)), &setup)
    }

    /// Returns a registered phone.
    pub(super) async fn registered(&self, user: &str) -> Phone {
        let phone = self.phone(user);
        phone.register().await;
        phone
    }

    /// Lets the lab's absorbing timers run out, and checks that nothing is left but registrations.
    pub(super) async fn settle(&self, phones: &[&Phone]) {
        phones.iter().for_each(|phone| phone.rest());
        tokio::time::sleep(QUIET).await;
        let live = self.lab.live();
        let nothing =
            LiveCounts { bindings: live.bindings, connections: live.connections, ..LiveCounts::default() };
        assert_eq!(live, nothing, "something of a call is left at the lab");
        for phone in phones {
            let left = phone.leftovers();
            let left: Vec<_> = left.iter().filter(|line| !line.contains("Registration")).collect();
            assert!(left.is_empty(), "{} has something left: {left:?}", phone.user);
        }
    }
}

/// Connects two registered phones, and checks that each hears the other.
pub(super) async fn connected(a: &Phone, b: &Phone) -> (SessionId, SessionId) {
    let at_a = a.call(&b.user);
    let (at_b, _, offer) = b.incoming().await;
    b.accept(at_b, &offer.unwrap());
    a.answered(at_a).await;
    a.hears(10).await;
    b.hears(10).await;
    (at_a, at_b)
}
