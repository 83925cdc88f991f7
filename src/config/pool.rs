//! What only one run at a time may have: its id, accounts of phone systems, existing phones.
//!
//! A run asks for everything at once and is served in order of arrival, so that two runs never wait
//! for each other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::id::{PhoneId, RunId};

/// Something that one run holds at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holding {
    /// An account, by user and domain.
    Account(String, String),
    /// A phone that exists independently of the run.
    Phone(PhoneId),
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(user, domain) => write!(f, "account {user}@{domain}"),
            Self::Phone(phone) => write!(f, "phone {phone}"),
        }
    }
}

/// What a run needs before it can create its phones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Exactly these.
    pub all: BTreeSet<Holding>,
    /// How many more of `from`.
    pub any: usize,
    /// The candidates for those, in order of preference.
    pub from: Vec<Holding>,
}

impl Wish {
    /// Returns whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.any == 0
    }

    /// Picks holdings that satisfy the wish from those that `free` accepts: everything in `all`
    /// first, then the requested number, in order of preference.
    #[must_use]
    pub fn choose(&self, free: impl Fn(&Holding) -> bool) -> Option<Vec<Holding>> {
        if !self.all.iter().all(&free) {
            return None;
        }
        let more = self.from.iter().filter(|holding| !self.all.contains(*holding) && free(holding));
        let more: Vec<Holding> = more.take(self.any).cloned().collect();
        (more.len() == self.any).then_some(more)
    }

    fn everything(&self) -> impl Iterator<Item = &Holding> {
        let more = if self.any > 0 { self.from.as_slice() } else { &[] };
        self.all.iter().chain(more)
    }
}

/// The run that has a phone to itself for now, as the phone looks it up for each of its facts.
#[derive(Clone, Debug, Default)]
pub struct Occupant(Arc<AtomicU64>);

impl Occupant {
    /// Returns the run, if there is one.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        // Runs are counted from 1.
        Some(RunId(self.0.load(Ordering::Acquire))).filter(|run| run.0 != 0)
    }

    fn set(&self, run: Option<RunId>) {
        self.0.store(run.map_or(0, |run| run.0), Ordering::Release);
    }
}

/// The pool of a process; clones share it.
#[derive(Clone, Debug)]
pub struct Pool {
    next_run: Arc<AtomicU64>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<Holding, RunId>,
    /// In order of arrival.
    waiting: Vec<Waiting>,
    arrivals: u64,
    occupants: HashMap<PhoneId, Occupant>,
}

struct Waiting {
    number: u64,
    run: RunId,
    wish: Wish,
    granted: Box<dyn FnOnce(Lease) + Send>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("run", &self.run).field("wish", &self.wish).finish_non_exhaustive()
    }
}

/// What a run holds; dropping it returns everything.
#[derive(Debug)]
pub struct Lease {
    pool: Pool,
    holdings: Vec<Holding>,
    /// What was picked where the wish gave only a number.
    pub chosen: Vec<Holding>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.give_back(&self.holdings);
    }
}

/// A run's place in the queue; dropping it gives up the place.
#[derive(Debug)]
pub struct Ticket {
    pool: Pool,
    number: u64,
}

impl Ticket {
    /// Describes who has what the run waits for; `None` if it no longer waits.
    #[must_use]
    pub fn obstacles(&self) -> Option<String> {
        let state = self.pool.lock();
        let at = state.waiting.iter().position(|waiting| waiting.number == self.number)?;
        let (earlier, wish) = (state.waiting.get(..at)?, &state.waiting.get(at)?.wish);
        let wanted: BTreeSet<&Holding> = wish.everything().collect();
        let held = wanted
            .iter()
            .filter_map(|holding| state.held.get(*holding).map(|run| format!("{holding} is held by {run}")));
        let first =
            earlier.iter().filter(|other| other.wish.everything().any(|thing| wanted.contains(thing)));
        let first = first.map(|other| format!("{} came first", other.run));
        Some(held.chain(first).collect::<Vec<_>>().join(", "))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.number != self.number);
        if state.waiting.len() < before {
            let served = state.serve(&self.pool);
            drop(state);
            hand_over(served);
        }
    }
}

impl Pool {
    /// Creates a pool that counts runs from `next`, which no run has had yet.
    #[must_use]
    pub fn new(next: RunId) -> Self {
        Self { next_run: Arc::new(AtomicU64::new(next.0.max(1))), state: Arc::default() }
    }

    /// Returns an id that no run has had.
    #[must_use]
    pub fn new_run(&self) -> RunId {
        RunId(self.next_run.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks for what a run needs. `granted` is called once, with all of it: at once if it is free
    /// and no earlier run waits for any of it, later otherwise, and never after the ticket has been
    /// dropped.
    pub fn ask(&self, run: RunId, wish: Wish, granted: impl FnOnce(Lease) + Send + 'static) -> Ticket {
        let mut state = self.lock();
        let number = state.arrivals;
        state.arrivals += 1;
        state.waiting.push(Waiting { number, run, wish, granted: Box::new(granted) });
        let served = state.serve(self);
        drop(state);
        hand_over(served);
        Ticket { pool: self.clone(), number }
    }

    /// Returns where a phone looks up the run that has it.
    #[must_use]
    pub fn occupant(&self, phone: &PhoneId) -> Occupant {
        match phone.run() {
            // Its name already says so.
            Some(_) => Occupant::default(),
            None => self.lock().occupants.entry(phone.clone()).or_default().clone(),
        }
    }

    /// Returns the run that a phone belongs to at this moment: the one that created it, otherwise
    /// the one that has it.
    #[must_use]
    pub fn run_of(&self, phone: &PhoneId) -> Option<RunId> {
        phone.run().or_else(|| self.lock().occupants.get(phone)?.run())
    }

    fn give_back(&self, holdings: &[Holding]) {
        let mut state = self.lock();
        for holding in holdings {
            state.held.remove(holding);
            if let Holding::Phone(phone) = holding
                && let Some(occupant) = state.occupants.get(phone)
            {
                occupant.set(None);
            }
        }
        let served = state.serve(self);
        drop(state);
        hand_over(served);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run whose wish can be granted.
type Served = (Box<dyn FnOnce(Lease) + Send>, Lease);

/// Outside the lock, because the receiver of a lease may drop it at once.
fn hand_over(served: Vec<Served>) {
    for (granted, lease) in served {
        granted(lease);
    }
}

impl State {
    /// Takes out everybody who can be served. What somebody waits for is not given to those who
    /// came later.
    fn serve(&mut self, pool: &Pool) -> Vec<Served> {
        let mut served = Vec::new();
        let mut claimed = BTreeSet::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let free = |holding: &Holding| !self.held.contains_key(holding) && !claimed.contains(holding);
            let Some(chosen) = waiting.wish.choose(free) else {
                claimed.extend(waiting.wish.everything().cloned());
                self.waiting.push(waiting);
                continue;
            };
            let holdings: Vec<Holding> = waiting.wish.all.iter().chain(&chosen).cloned().collect();
            for holding in &holdings {
                self.held.insert(holding.clone(), waiting.run);
                if let Holding::Phone(phone) = holding {
                    self.occupants.entry(phone.clone()).or_default().set(Some(waiting.run));
                }
            }
            served.push((waiting.granted, Lease { pool: pool.clone(), holdings, chosen }));
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn account(user: u32) -> Holding {
        Holding::Account(user.to_string(), "pbx".to_owned())
    }

    fn any(count: usize, of: u32) -> Wish {
        Wish { any: count, from: (1..=of).map(account).collect(), ..Wish::default() }
    }

    fn named(user: u32) -> Wish {
        Wish { all: [account(user)].into(), ..Wish::default() }
    }

    struct Asked {
        ticket: Ticket,
        lease: mpsc::Receiver<Lease>,
    }

    fn ask(pool: &Pool, wish: Wish) -> Asked {
        let (granted, lease) = mpsc::channel();
        let ticket = pool.ask(pool.new_run(), wish, move |lease| granted.send(lease).unwrap_or_default());
        Asked { ticket, lease }
    }

    #[test]
    fn a_run_gets_all_that_it_needs_at_once_or_waits() {
        let pool = Pool::new(RunId(1));
        let one = ask(&pool, any(2, 3));
        let held = one.lease.try_recv().unwrap();
        assert_eq!(held.chosen, [account(1), account(2)]);
        let two = ask(&pool, any(2, 3));
        assert!(two.lease.try_recv().is_err(), "one account is free, and it needs two");
        let told = two.ticket.obstacles().unwrap();
        assert_eq!(told, "account 1@pbx is held by run-1, account 2@pbx is held by run-1");
        drop(held);
        assert_eq!(two.lease.try_recv().unwrap().chosen, [account(1), account(2)]);
        assert_eq!(two.ticket.obstacles(), None);
    }

    #[test]
    fn who_waits_is_served_in_order_of_arrival_and_does_not_stop_those_who_want_something_else() {
        let pool = Pool::new(RunId(1));
        let held = ask(&pool, any(1, 2)).lease.try_recv().unwrap();
        let greedy = ask(&pool, any(2, 2));
        let small = ask(&pool, any(1, 2));
        let elsewhere = ask(&pool, named(9));
        assert!(elsewhere.lease.try_recv().is_ok());
        assert!(small.lease.try_recv().is_err(), "the one that came first would never get two");
        assert!(small.ticket.obstacles().unwrap().ends_with("run-2 came first"));
        drop(held);
        let both = greedy.lease.try_recv().unwrap();
        assert!(small.lease.try_recv().is_err());
        drop(both);
        assert!(small.lease.try_recv().is_ok());
    }

    #[test]
    fn who_gives_up_makes_place_for_those_behind() {
        let pool = Pool::new(RunId(1));
        let _held = ask(&pool, named(1)).lease.try_recv().unwrap();
        let Asked { ticket, lease: _ } =
            ask(&pool, Wish { all: [account(1), account(2)].into(), ..Wish::default() });
        let behind = ask(&pool, named(2));
        assert!(behind.lease.try_recv().is_err());
        drop(ticket);
        assert!(behind.lease.try_recv().is_ok());
    }

    #[test]
    fn a_phone_knows_who_has_it() {
        let pool = Pool::new(RunId(1));
        let phone: PhoneId = "a".parse().unwrap();
        let occupant = pool.occupant(&phone);
        let wish = Wish { all: [Holding::Phone(phone.clone())].into(), ..Wish::default() };
        let lease = ask(&pool, wish).lease.try_recv().unwrap();
        assert_eq!((occupant.run(), pool.run_of(&phone)), (Some(RunId(1)), Some(RunId(1))));
        drop(lease);
        assert_eq!(occupant.run(), None);
        assert_eq!(pool.run_of(&"run-7/a".parse().unwrap()), Some(RunId(7)));
    }
}
