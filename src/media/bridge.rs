//! A bridge: voices that hear each other. At each tick all of them first hear, then each one sends
//! what the others heard.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Instant,
};

use offhook_media::audio::{Converter, Frame, Mixer};

use super::{
    handle::LegHandle,
    hub::{Driven, Worker},
    leg::{Leg, Turn, guard},
};
use crate::net::Batch;

/// A bridge; when the last clone is dropped, its members are on their own again.
#[derive(Clone, Debug)]
pub(crate) struct BridgeHandle {
    bridge: Arc<Bridge>,
}

/// The part of a bridge that the clock and the members hold.
#[derive(Debug)]
pub(super) struct Bridge {
    /// Ticks all members while they are in the bridge.
    worker: Arc<Worker>,
    room: Mutex<Room>,
}

/// The members, and a buffer for the mix of their sound.
#[derive(Debug, Default)]
struct Room {
    members: Vec<Member>,
    mixer: Mixer,
}

#[derive(Debug)]
struct Member {
    leg: Weak<Leg>,
    /// Ticks it again once it has left.
    home: Arc<Worker>,
    /// What it received in this round, then what the others received.
    sound: Frame,
    /// Converts to the rate of the sum.
    converter: Converter,
    /// How far it is with this tick; `None` without a voice.
    turn: Option<Turn>,
}

impl BridgeHandle {
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        Self { bridge: Arc::new(Bridge { worker, room: Mutex::default() }) }
    }

    /// Lets the voice of `leg` and the other members hear each other; it leaves the bridge that it
    /// was in.
    ///
    /// It stays a member until it leaves or its voice ends; joining again changes nothing. A leg
    /// without a voice does not join.
    pub(crate) fn join(&self, leg: &LegHandle) {
        let (leg, home) = leg.parts();
        let here = Arc::downgrade(&self.bridge);
        let before = std::mem::replace(&mut guard(&leg.inner).bridge, here.clone());
        if before.ptr_eq(&here) {
            return;
        }
        if let Some(before) = before.upgrade() {
            before.forget(leg);
        }
        let member = Member {
            leg: Arc::downgrade(leg),
            home: Arc::clone(home),
            sound: Frame::default(),
            converter: Converter::default(),
            turn: None,
        };
        guard(&self.bridge.room).members.push(member);
        self.bridge.worker.add(Driven::Bridge(here));
    }

    /// Takes the voice of `leg` out of the bridge that it is in, if any: it is on its own again.
    pub(crate) fn leave(leg: &LegHandle) {
        let (leg, _) = leg.parts();
        let Some(before) = guard(&leg.inner).bridge.upgrade() else { return };
        if let Some(member) = before.forget(leg) {
            member.go_home(Arc::as_ptr(&before));
        }
    }
}

impl Bridge {
    /// Returns the number of members.
    pub(super) fn members(&self) -> usize {
        guard(&self.room).members.len()
    }

    fn forget(&self, leg: &Arc<Leg>) -> Option<Member> {
        let mut room = guard(&self.room);
        let place =
            room.members.iter().position(|member| std::ptr::eq(member.leg.as_ptr(), Arc::as_ptr(leg)))?;
        Some(room.members.remove(place))
    }

    /// Drives all members once; returns when the first of them next wants the clock, or `None` if
    /// none is left.
    pub(super) fn tick(&self, due: Instant, batch: &mut Batch) -> Option<Instant> {
        let mut left = Vec::new();
        let wanted = self.tick_room(due, batch, &mut left);
        // After the room is unlocked, because those who ask for a bridge lock the lists of the
        // members' clocks too.
        left.into_iter().for_each(|member| member.go_home(self));
        wanted
    }

    /// Drives all members; those without a voice are moved to `left`.
    fn tick_room(&self, due: Instant, batch: &mut Batch, left: &mut Vec<Member>) -> Option<Instant> {
        let mut room = guard(&self.room);
        let Room { members, mixer } = &mut *room;
        let mut first = true;
        // A late clock makes up for several frames.
        loop {
            for member in &mut *members {
                let leg = member.leg.upgrade();
                member.turn = leg.and_then(|leg| leg.hear_frame(due, first, &mut member.sound, batch));
            }
            left.extend(members.extract_if(.., |member| member.turn.is_none()));
            first = false;
            let Some(rate) = heard(members).map(|member| member.sound.rate()).max() else { break };
            mixer.clear();
            for member in heard(members) {
                if member.sound.rate() != rate {
                    member.sound = member.converter.convert(&member.sound, rate).into_owned();
                }
                mixer.add(&member.sound);
            }
            for member in heard(members) {
                mixer.take_away(&mut member.sound);
                if let Some(leg) = member.leg.upgrade() {
                    leg.say_frame(due, &member.sound, batch);
                }
            }
        }
        let wanted = |member: &Member| match member.turn {
            Some(Turn::Over(next)) => Some(next),
            Some(Turn::Heard) | None => None,
        };
        members.iter().filter_map(wanted).min()
    }
}

/// Returns the members that have heard a frame in this round.
fn heard(members: &mut [Member]) -> impl Iterator<Item = &mut Member> {
    members.iter_mut().filter(|member| member.turn == Some(Turn::Heard))
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let left = std::mem::take(&mut guard(&self.room).members);
        left.into_iter().for_each(|member| member.go_home(self));
    }
}

impl Member {
    /// Puts the leg on its own clock again, unless it has joined another bridge meanwhile.
    fn go_home(self, from: *const Bridge) {
        let Some(leg) = self.leg.upgrade() else { return };
        let mut inner = guard(&leg.inner);
        if std::ptr::eq(inner.bridge.as_ptr(), from) {
            inner.bridge = Weak::new();
            drop(inner);
            self.home.add(Driven::Leg(self.leg));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        thread,
        time::Duration,
    };

    use super::*;
    use crate::{media::MediaHub, sim};

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Spins until other threads have made `so` true.
    fn soon(what: &str, so: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(5);
        while !so() {
            assert!(Instant::now() < patience, "{what}");
            thread::yield_now();
        }
    }

    // The clock of the hub stands still: this runtime has one thread, and nothing here yields it.
    #[tokio::test]
    async fn who_leaves_a_bridge_does_not_hold_it_while_it_waits_for_its_clock() {
        let hub = MediaHub::start(1);
        let leg = hub.open(&sim::Network::new(1), LOCAL, None).unwrap();
        let handle = hub.bridge();
        handle.join(&leg);
        let bridge = &handle.bridge;
        thread::scope(|threads| {
            let clock = guard(&bridge.worker.driven);
            // The leg has no voice, so it leaves.
            threads.spawn(|| bridge.tick(Instant::now(), &mut Batch::new()));
            let left = || bridge.room.try_lock().is_ok_and(|room| room.members.is_empty());
            soon("the bridge is held by one who waits for the clock", left);
            drop(clock);
        });
    }

    #[tokio::test]
    async fn who_leaves_a_bridge_or_joins_it_again_is_driven_once() {
        let hub = MediaHub::start(2);
        let network = sim::Network::new(1);
        let (one, two) = (hub.open(&network, LOCAL, None).unwrap(), hub.open(&network, LOCAL, None).unwrap());
        let (handle, other) = (hub.bridge(), hub.bridge());
        for leg in [&one, &two, &one] {
            handle.join(leg);
        }
        assert_eq!(handle.bridge.members(), 2, "the second time changes nothing");
        other.join(&one);
        assert_eq!((handle.bridge.members(), other.bridge.members()), (1, 1), "it has moved");
        for _ in 0..2 {
            BridgeHandle::leave(&one);
        }
        assert_eq!((other.bridge.members(), hub.load().legs), (0, 2), "one is on its own, two is not");
        handle.join(&one);
        assert_eq!(handle.bridge.members(), 2, "it comes back");
    }

    #[tokio::test]
    async fn who_has_joined_another_bridge_is_not_sent_home_by_the_end_of_the_first() {
        let hub = MediaHub::start(1);
        let leg = hub.open(&sim::Network::new(1), LOCAL, None).unwrap();
        let (first, second) = (hub.bridge(), hub.bridge());
        first.join(&leg);
        // As the end of the first does, while another thread joins the second.
        let members = std::mem::take(&mut guard(&first.bridge.room).members);
        second.join(&leg);
        members.into_iter().for_each(|member| member.go_home(Arc::as_ptr(&first.bridge)));
        drop(first);
        BridgeHandle::leave(&leg);
        assert_eq!((second.bridge.members(), hub.load().legs), (0, 1), "it was in the second, and left it");
    }

    #[tokio::test]
    async fn who_counts_the_legs_does_not_hold_a_clock_while_it_waits_for_a_bridge() {
        let hub = MediaHub::start(1);
        let handle = hub.bridge();
        let leg = hub.open(&sim::Network::new(1), LOCAL, None).unwrap();
        handle.join(&leg);
        let bridge = &handle.bridge;
        thread::scope(|threads| {
            let room = guard(&bridge.room);
            let counted = threads.spawn(|| hub.load().legs);
            soon("nobody counts", || Arc::strong_count(bridge) == 2);
            soon("the clock is held by one who waits for the bridge", || {
                bridge.worker.driven.try_lock().is_ok()
            });
            drop(room);
            assert_eq!(counted.join().unwrap(), 1);
        });
    }
}
