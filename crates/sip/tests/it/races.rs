//! Both sides act at every possible distance in time: whatever crosses on the wire, both end once and nothing is left.

use crate::cast::{self, calling, ended, finish};
use offhook_sip::session::{EndCause, Party};
use offhook_sip::testkit::{Network, Pair, SDP, Side, UasScript};
use offhook_sip::user_agent::Body;
use std::collections::BTreeSet;
use std::time::Duration;

fn hang_up_at(pair: &mut Pair, side: Side, at: Duration) {
    pair.after(side, at, |agent, now| {
        for id in agent.session_ids() {
            agent.hang_up(now, id, Vec::new()).unwrap();
        }
    });
}

#[test]
fn the_caller_may_give_up_at_any_moment_of_the_set_up() {
    let mut causes = BTreeSet::new();
    for at in 0..400 {
        let (mut pair, _) = calling(Network::default(), UasScript::default());
        hang_up_at(&mut pair, Side::A, Duration::from_millis(at));
        finish(&mut pair);
        let (by, cause, _) = ended(&pair, Side::A);
        assert_eq!(by, Party::Local);
        ended(&pair, Side::B);
        causes.insert(format!("{cause:?}"));
    }
    assert_eq!(causes.into_iter().collect::<Vec<_>>(), ["Bye", "Cancel"]);
}

#[test]
fn the_callee_may_give_up_at_any_moment_of_the_set_up() {
    let mut causes = BTreeSet::new();
    for at in 11..400 {
        let (mut pair, _) = calling(Network::default(), UasScript::default());
        hang_up_at(&mut pair, Side::B, Duration::from_millis(at));
        finish(&mut pair);
        let (by, cause, _) = ended(&pair, Side::B);
        assert_eq!(by, Party::Local);
        let (_, other, _) = ended(&pair, Side::A);
        assert_eq!(cause, other);
        causes.insert(format!("{cause:?}"));
    }
    assert_eq!(causes.into_iter().collect::<Vec<_>>(), ["Bye", "Rejected(StatusCode(603))"]);
}

#[test]
fn both_sides_may_hang_up_at_any_distance() {
    for distance in -40_i64..=40 {
        let (mut pair, _) = calling(Network::default(), UasScript::default());
        hang_up_at(&mut pair, Side::A, Duration::from_millis(1_000));
        hang_up_at(&mut pair, Side::B, Duration::from_millis(1_000_u64.strict_add_signed(distance)));
        finish(&mut pair);
        assert_eq!(ended(&pair, Side::A).1, EndCause::Bye);
        assert_eq!(ended(&pair, Side::B).1, EndCause::Bye);
    }
}

#[test]
fn both_sides_may_reinvite_at_any_distance_and_both_get_through() {
    let mut glares = 0;
    for distance in -40_i64..=40 {
        let (mut pair, _) = calling(Network::default(), UasScript::default());
        pair.script(Side::A, UasScript::default());
        for (side, at) in [(Side::A, 1_000), (Side::B, 1_000_u64.strict_add_signed(distance))] {
            pair.after(side, Duration::from_millis(at), |agent, now| {
                for id in agent.session_ids() {
                    // The peer's own re-INVITE may be open at this moment, and then we have to
                    // wait.
                    let _pending = agent.reinvite(now, id, Body::sdp(SDP));
                }
            });
        }
        hang_up_at(&mut pair, Side::A, Duration::from_secs(60));
        finish(&mut pair);
        assert_eq!(ended(&pair, Side::A), (Party::Local, EndCause::Bye, Some(200)));
        let (a, b) = (cast::names(&pair, Side::A), cast::names(&pair, Side::B));
        let count = |names: &[String], name: &str| names.iter().filter(|known| *known == name).count();
        glares += count(&a, "Glare") + count(&b, "Glare");
        assert_eq!(count(&a, "Modified"), count(&b, "Reoffered"), "{a:?} {b:?}");
        assert_eq!(count(&b, "Modified"), count(&a, "Reoffered"), "{a:?} {b:?}");
        assert!(count(&a, "Modified") + count(&b, "Modified") >= 1, "{a:?} {b:?}");
        assert_eq!(count(&a, "ModifyFailed") + count(&b, "ModifyFailed"), 0, "{a:?} {b:?}");
    }
    assert!(glares > 10, "only {glares} glares in 81 distances");
}

#[test]
fn what_happens_at_one_instant_may_happen_in_any_order() {
    let mut ladders = BTreeSet::new();
    for seed in 0..200 {
        // With no time to ring, the answer, the CANCEL, the BYE and the re-INVITEs all meet at the
        // same instants.
        let network = Network { shuffled: true, seed, ..Network::default() };
        let bob = UasScript { answer_after: Duration::from_millis(10), ..UasScript::default() };
        let (mut pair, _) = calling(network, bob);
        pair.script(Side::A, UasScript::default());
        for at in [10, 20, 30, 40, 50] {
            for side in [Side::A, Side::B] {
                pair.after(side, Duration::from_millis(at), |agent, now| {
                    for id in agent.session_ids() {
                        // Whether it is allowed at this point is what the seeds vary.
                        let _pending = agent.reinvite(now, id, Body::sdp(SDP));
                    }
                });
            }
        }
        hang_up_at(&mut pair, Side::A, Duration::from_millis(20 + 10 * (seed % 4)));
        finish(&mut pair);
        assert_eq!(ended(&pair, Side::A).0, Party::Local);
        ended(&pair, Side::B);
        ladders.insert(offhook_sip::testkit::ladder::draw(&pair.sent));
    }
    assert!(ladders.len() > 10, "only {} different courses", ladders.len());
}

#[test]
fn a_reinvite_and_a_hang_up_may_cross_at_any_distance() {
    for distance in -40_i64..=60 {
        let (mut pair, _) = calling(Network::default(), UasScript::default());
        pair.after(Side::A, Duration::from_millis(1_000), |agent, now| {
            for id in agent.session_ids() {
                let _over = agent.reinvite(now, id, Body::sdp(SDP));
            }
        });
        hang_up_at(&mut pair, Side::B, Duration::from_millis(1_000_u64.strict_add_signed(distance)));
        finish(&mut pair);
        assert_eq!(ended(&pair, Side::A).1, EndCause::Bye);
        assert_eq!(ended(&pair, Side::B).1, EndCause::Bye);
    }
}
