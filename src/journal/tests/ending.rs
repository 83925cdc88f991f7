//! Whoever waits for the disk learns that nothing more will be written.

use super::*;
use crate::journal::{state::Shared, writer::Ending};

/// The state of a journal whose disk accepts nothing.
fn stuck() -> Shared {
    Shared::new(Wall::system(), 3, Seq(0), true)
}

#[tokio::test]
async fn a_backlog_that_is_given_up_is_published() {
    let shared = stuck();
    let journal = with_lines(1);
    let event = journal.get(Seq(1)).await.unwrap();
    let health = shared.health.subscribe();
    for _ in 0..=400_000 {
        shared.push(&mut shared.lock(), Arc::clone(&event));
    }
    assert_eq!(shared.lock().health().failure.as_deref(), Some("the disk is too slow"));
    assert_eq!(*health.borrow(), *shared.lock().health());
}

#[test]
fn a_writer_that_panics_publishes_its_end() {
    let shared = Arc::new(stuck());
    let health = shared.health.subscribe();
    let writer = std::thread::spawn(move || {
        let _ending = Ending { shared: &shared, because: Some("the writer failed") };
        panic!("as a bug would");
    });
    writer.join().unwrap_err();
    assert_eq!(
        (health.borrow().failure.as_deref(), health.borrow().writing),
        (Some("the writer failed"), false)
    );
}
