//! The newest events: what a position finds.

use super::*;
use crate::{event::SystemEvent, journal::memory::Memory};

#[test]
fn with_holes_or_without_every_stretch_is_what_a_search_finds() {
    for positions in [vec![], vec![1, 2, 3, 4], vec![5, 6, 9, 10, 14], vec![2, 4, 6, 8], vec![7, 20]] {
        let mut memory = Memory::new(100, Seq(0));
        for at in &positions {
            memory.push(Arc::new(Envelope { seq: Seq(*at), ..envelope() }), Seq(0));
        }
        for at in 0..=22 {
            let after: Vec<u64> = memory.after(Seq(at), 3).map(|event| event.seq.0).collect();
            let expected: Vec<u64> = positions.iter().copied().filter(|seq| *seq > at).take(3).collect();
            assert_eq!(after, expected, "after {at} in {positions:?}");
            let before: Vec<u64> = memory.before(Seq(at), 3).map(|event| event.seq.0).collect();
            let expected: Vec<u64> =
                positions.iter().copied().rev().filter(|seq| *seq < at).take(3).collect();
            assert_eq!(before, expected, "before {at} in {positions:?}");
            let found = memory.get(Seq(at)).map(|event| event.seq.0);
            assert_eq!(found, positions.iter().copied().find(|seq| *seq == at), "{at} in {positions:?}");
        }
    }
}

fn envelope() -> Envelope {
    Envelope {
        seq: Seq(0),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        subject: Subject::system(),
        cause: Cause::Start,
        event: SystemEvent::Stopped {}.into(),
    }
}
