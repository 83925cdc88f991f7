//! A node starts completely or not at all, and leaves nothing behind.

use std::{path::Path, sync::Arc, time::Duration};

use super::*;
use crate::{
    command::{Command, Execute, NodeCommand, PhoneCommand},
    event::{Cause, PhoneSpec, Surface},
    id::Seq,
    journal::Query,
    lab::LabOptions,
    net::Network,
    secret::Secret,
    sim,
    wall::Wall,
};

fn options(network: &sim::Network) -> NodeOptions {
    NodeOptions {
        network: Arc::new(network.clone()),
        wall: Wall::starting_at("2026-01-01T00:00:00Z".parse().unwrap()),
        seed: 7,
        ..NodeOptions::system()
    }
}

fn in_folder(network: &sim::Network, folder: &Path) -> NodeOptions {
    NodeOptions { data: Data::Folder(folder.to_owned()), ..options(network) }
}

async fn add(node: &Node, name: &str) {
    let spec = PhoneSpec {
        local_port: 5080,
        auto_answer: true,
        register: node.lab().is_some(),
        ..PhoneSpec::new(
            node.profile().map_or_else(|| "127.0.0.1:5060".into(), |profile| profile.domain.clone()),
            "6001",
        )
    };
    let (phone, password) = (name.parse().unwrap(), Secret::new("secret6001".into()));
    let add = Command::add(phone, spec, password);
    node.switchboard().execute(add, Cause::command(Surface::Library)).await.unwrap();
}

// With a disk, time is real.
#[tokio::test]
async fn a_phone_registers_at_the_nodes_lab_leaves_with_the_node_and_comes_back_until_it_is_dropped() {
    let (network, folder) = (sim::Network::new(1), tempfile::tempdir().unwrap());
    let options = NodeOptions { lab: Some(LabOptions::default()), ..in_folder(&network, folder.path()) };
    let node = Node::start(options).await.unwrap();
    assert_eq!(node.folder(), Some(folder.path()));
    let mut reader = node.journal().reader(Seq(0));
    add(&node, "a").await;
    while reader.next().await.unwrap().event.kind() != "phone.registered" {}
    node.stop().await.unwrap();
    // The reading tasks have been told to end; each does so at its next turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(network.sockets(), 0);
    let password = || std::fs::read_to_string(folder.path().join("credentials.json")).unwrap();
    let next = Node::start(in_folder(&network, folder.path())).await.unwrap();
    let names: Vec<_> = next.views().phones().iter().map(|phone| phone.id.to_string()).collect();
    assert_eq!(names, ["a"], "an orderly end drops nobody");
    let never = next.journal().query(&Query::of_kinds(&["phone.dropped"])).await.unwrap();
    assert_eq!((never.len(), password().contains("secret6001")), (0, true));
    let drop = NodeCommand::DropPhone { phone: "a".parse().unwrap(), hang_up: true };
    next.switchboard().execute(Command::Node(drop), Cause::command(Surface::Library)).await.unwrap();
    assert!(!password().contains("secret6001"), "a password goes with its phone");
    next.stop().await.unwrap();
    let last = Node::start(in_folder(&network, folder.path())).await.unwrap();
    assert_eq!(last.views().phones().len(), 0);
    last.stop().await.unwrap();
}

#[tokio::test]
async fn a_lab_that_cannot_listen_leaves_nothing_running() {
    let (network, folder) = (sim::Network::new(1), tempfile::tempdir().unwrap());
    let address = "127.0.0.1:5060".parse().unwrap();
    let taken = network.bind_datagram(address).unwrap();
    let lab = LabOptions { bind: address, ..LabOptions::default() };
    let refused = Node::start(NodeOptions { lab: Some(lab), ..in_folder(&network, folder.path()) }).await;
    assert!(matches!(refused.err().unwrap(), NodeError::Lab(_)));
    drop(taken);
    assert_eq!(network.sockets(), 0);
    // The folder has been released.
    Node::start(in_folder(&network, folder.path())).await.unwrap().stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lab_that_breaks_comes_back_and_phones_register_again() {
    let network = sim::Network::new(1);
    let node = NodeOptions { lab: Some(LabOptions::default()), ..options(&network) };
    let node = Node::start(node).await.unwrap();
    let profile = node.profile().unwrap().clone();
    add(&node, "a").await;
    let phone = "a".parse().unwrap();
    assert!(node.views().phone(&phone).unwrap().registration.registered);

    for _ in 0..3 {
        node.lab().unwrap().fail();
        let before = node.journal().head();
        // The REGISTER that breaks the lab is retransmitted until somebody answers.
        let register = Command::Phone(phone.clone(), PhoneCommand::Register);
        node.switchboard().execute(register, Cause::command(Surface::Library)).await.unwrap();
        let mut reader = node.journal().reader(before);
        let again = async { while reader.next().await.unwrap().event.kind() != "phone.registered" {} };
        tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
        assert_eq!(node.lab().unwrap().profile().as_ref(), Some(&profile), "address and users are the same");
    }
    node.stop().await.unwrap();
}
