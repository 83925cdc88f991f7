//! Adding a phone succeeds completely or leaves things as they were.

use std::{fs, path::Path};

use super::*;
use crate::config::Limits;

/// A board whose passwords and journal are in `folder`.
async fn board_in(network: &sim::Network, folder: &Path) -> Switchboard {
    let network = Arc::new(network.clone());
    Switchboard::start(Options::in_folder(network, wall(), 7, folder).unwrap()).await.unwrap()
}

fn kept(folder: &Path) -> String {
    fs::read_to_string(folder.join("credentials.json")).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_cannot_start_leaves_no_password_behind() {
    let (network, folder) = (sim::Network::new(1), tempfile::tempdir().unwrap());
    let board = board_in(&network, folder.path()).await;
    phone(&board, "b", 5061).await;
    let refused = add(&board, "a", 5061).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.to_string().starts_with("phone 'a' cannot start"), "{refused}");
    assert!(kept(folder.path()).contains("\"b\"") && !kept(folder.path()).contains("\"a\""));
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_phone_outlives_a_successor_whose_port_is_taken() {
    let (network, folder) = (sim::Network::new(1), tempfile::tempdir().unwrap());
    let board = board_in(&network, folder.path()).await;
    let (a, b) = (phone(&board, "a", 5061).await, phone(&board, "b", 5062).await);
    let up = call(&board, &a, 5062).await;
    let before = kept(folder.path());
    let refused = add(&board, "a", 5062).await.unwrap_err();
    assert!(refused.to_string().starts_with("phone 'a' cannot start"), "{refused}");
    assert_eq!(board.views().phone(&a).unwrap().spec.local_port, 5061);
    assert_eq!(board.views().active_calls(&a).iter().map(|call| call.id).collect::<Vec<_>>(), [up]);
    assert_eq!(kept(folder.path()), before);
    // Its own port is no obstacle.
    phone(&board, "a", 5061).await;
    drop_phone(&board, &b, true).await.unwrap();
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_password_that_cannot_be_kept_costs_no_phone() {
    let (network, folder) = (sim::Network::new(1), tempfile::tempdir().unwrap());
    let board = board_in(&network, folder.path()).await;
    let a = phone(&board, "a", 5061).await;
    fs::create_dir_all(folder.path().join("credentials.json.tmp/full")).unwrap();
    let (id, spec) = (a.clone(), spec("a", 5061));
    let successor = Command::add(id, spec, Secret::new("new".into()));
    let refused = board.execute(successor, Cause::command(Surface::Library)).await.unwrap_err();
    assert!(refused.to_string().starts_with("the password cannot be kept"), "{refused}");
    assert_eq!(life(&board, &a), ["phone.added", "phone.bound"]);
    assert!(kept(folder.path()).contains("\"x\""));
    board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn phones_added_at_once_do_not_exceed_the_limit() {
    let network = sim::Network::new(1);
    let limits = Limits { phones: 2, ..Limits::default() };
    let options = Options { limits, ..Options::in_memory(Arc::new(network.clone()), wall(), 7) };
    let board = Switchboard::start(options).await.unwrap();
    let added = tokio::join!(
        add(&board, "a", 5061),
        add(&board, "b", 5062),
        add(&board, "c", 5063),
        add(&board, "a", 5064)
    );
    let outcomes = [added.0, added.1, added.2, added.3];
    let refused: Vec<_> = outcomes.iter().filter_map(|each| each.as_ref().err()).collect();
    assert_eq!(refused.iter().map(|each| each.code).collect::<Vec<_>>(), [Code::LimitReached]);
    let there: Vec<_> = board.views().phones().iter().map(|phone| phone.id.to_string()).collect();
    assert_eq!(there, ["b", "a"], "{}", story(board.journal()));
    // A place that was reserved in vain is free again.
    drop_phone(&board, &"b".parse().unwrap(), true).await.unwrap();
    add(&board, "d", 5064).await.unwrap_err();
    add(&board, "d", 5065).await.unwrap();
    board.shutdown().await.unwrap();
}
