//! A switchboard on real sockets whose journal is in a folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use offhook::{
    command::{Command, Execute, Outcome},
    event::{Cause, PhoneSpec, Surface},
    id::PhoneId,
    net::{Network, SystemNetwork},
    secret::Secret,
    switchboard::{Options, StartError, Switchboard},
    wall::Wall,
};

use super::{peer::Peer, spec};

/// Returns the options of a switchboard in a folder.
pub(crate) fn options(folder: &Path) -> Result<Options, StartError> {
    let network: Arc<dyn Network> = Arc::new(SystemNetwork::default());
    Options::in_folder(network, Wall::system(), 7, folder)
}

/// Starts a switchboard; this must succeed.
pub(crate) async fn start(folder: &Path) -> Switchboard {
    Switchboard::start(options(folder).unwrap()).await.unwrap()
}

/// Executes a command; this must succeed.
pub(crate) async fn execute(board: &Switchboard, command: Command) -> Outcome {
    board.execute(command, Cause::command(Surface::Library)).await.unwrap()
}

/// Adds a phone that does not register and returns its port.
pub(crate) async fn add(board: &Switchboard, name: &str, spec: PhoneSpec) -> u16 {
    let phone: PhoneId = name.parse().unwrap();
    let spec = PhoneSpec { register: false, ..spec };
    execute(board, Command::add(phone.clone(), spec, Secret::new("x".into()))).await;
    board.views().phone(&phone).and_then(|phone| phone.bound).expect("a bound phone").port()
}

/// Starts a switchboard with a phone `a` and its peer. The system chooses both ports, because a
/// port chosen by a test may belong to another process a moment later.
pub(crate) async fn beside_a_peer(folder: &Path, auto_answer: bool) -> (Switchboard, Peer) {
    let board = start(folder).await;
    let mut peer = Peer::anywhere(&SystemNetwork::default());
    let domain = format!("127.0.0.1:{}", peer.port());
    let port = add(&board, "a", PhoneSpec { auto_answer, ..spec(&domain, "a") }).await;
    peer.talks_to(port);
    (board, peer)
}

/// Makes a pipe that nobody writes to.
pub(crate) fn pipe(folder: &Path) -> PathBuf {
    let pipe = folder.join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}
