//! The lab on real loopback sockets: one call in real time, every wait bounded.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use offhook::{
    lab::{Lab, LabOptions},
    net::{SystemNetwork, SystemOptions, Transport},
};
use offhook_sip::registration::RegistrationEvent;

use super::phone::{Phone, Setup};

#[tokio::test]
async fn a_phone_registers_and_hears_the_echo_over_real_sockets() {
    let network = Arc::new(SystemNetwork::new(SystemOptions {
        media_ports: 21_300..=21_399,
        ..SystemOptions::default()
    }));
    let free = network.free_media_pairs();
    let lab = Lab::start(network.clone(), LabOptions::default()).unwrap();
    for (seed, transport) in [(1, Transport::Udp), (2, Transport::Tcp)] {
        let setup = Setup {
            user: "6001",
            password: "secret6001",
            ip: Ipv4Addr::LOCALHOST.into(),
            lab: lab.address(),
            transport,
            seed,
        };
        let phone = Phone::new(network.clone(), &setup);
        let registered = phone.register().await;
        assert!(matches!(registered, RegistrationEvent::Registered { .. }), "{registered:?}");
        let call = phone.call("600");
        phone.answered(call).await;
        phone.play_tone();
        phone.hears(25).await;
        phone.hang_up(call);
        phone.ended(call).await;
    }
    tokio::time::timeout(Duration::from_secs(5), lab.stop()).await.unwrap();
    // Aborted readers release their ports a moment later.
    let released = async {
        while network.free_media_pairs() < free {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), released).await.unwrap();
}
