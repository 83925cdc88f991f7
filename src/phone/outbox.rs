//! What leaves a phone waits here until the journal holds the facts that go with it.
//!
//! An INVITE or ACK that left before its call was on disk could not be taken back by the next process: after `kill -9` the
//! other side would keep a call that nobody here knows. No actor waits; one task sends for all phones, in the order in
//! which they drained. A disk that hangs delays messages by a second at most: late facts are better than a phone that
//! has gone silent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offhook_sip::user_agent::Transmit;
use ractor::ActorRef;
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use super::PhoneMessage;
use crate::{id::Seq, journal::Journal, net::Signaling, telemetry::Seldom};

/// Drains that may wait at a time. A disk that falls this far behind costs messages, which SIP repeats, not memory.
const MOST_WAITING: usize = 65_536;
/// Bytes that may wait at a time.
const MOST_BYTES: usize = 32 << 20;
/// Drains that are sent before others get a turn.
const TURN: usize = 128;
/// How long messages wait for a disk that says nothing: well under the 32 s after which a transaction is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way from the phones to their sockets; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    /// Absent when the journal lives in memory: nothing survives the process, so nothing is worth waiting for.
    door: Option<Arc<Door>>,
}

/// What one drain wants to send.
pub(super) struct Parcel {
    /// The newest fact that must be on disk before.
    pub(super) after: Seq,
    pub(super) transmits: Vec<Transmit>,
    pub(super) signaling: Arc<Signaling>,
    /// Hears what could not be sent.
    pub(super) phone: ActorRef<PhoneMessage>,
}

enum Step {
    Send(Parcel),
    /// Everything given before has left.
    Emptied(oneshot::Sender<()>),
}

impl Parcel {
    fn bytes(&self) -> usize {
        self.transmits.iter().map(|transmit| transmit.bytes().len()).sum()
    }
}

impl Step {
    fn bytes(&self) -> usize {
        match self {
            Self::Send(parcel) => parcel.bytes(),
            Self::Emptied(_) => 0,
        }
    }

    /// Returns the fact that must be on disk before.
    const fn after(&self) -> Seq {
        match self {
            Self::Send(parcel) => parcel.after,
            Self::Emptied(_) => Seq(0),
        }
    }
}

/// What waits for the disk, in order.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// There is a first step again, or no more will come.
    changed: Notify,
}

#[derive(Default)]
struct State {
    steps: VecDeque<Step>,
    /// Bytes of all steps.
    bytes: usize,
    closed: bool,
    /// Lines of the log about what found no room.
    lost: Seldom,
}

/// The owned end of a queue: the task at the other one ends once this is gone.
struct Door(Arc<Queue>);

impl Outbox {
    /// Starts the task that sends, if there is a disk to wait for; it ends with the last clone.
    pub(crate) fn start(journal: Journal) -> Self {
        let door = journal.is_on_disk().then(|| {
            let queue = Arc::<Queue>::default();
            tokio::spawn(send_all(journal, Arc::clone(&queue)));
            Arc::new(Door(queue))
        });
        Self { door }
    }

    /// Sends a parcel as soon as its facts are on disk, or the disk has had its time; never waits.
    ///
    /// A parcel for which there is no room is lost as on the wire: nothing is wrong with its flow, and SIP repeats it.
    pub(super) fn post(&self, parcel: Parcel) {
        match &self.door {
            None => parcel.send(),
            Some(door) => {
                if !door.0.push(Step::Send(parcel), MOST_WAITING) {
                    let turn = door.0.lock().lost.turn();
                    if let Some(more) = turn {
                        tracing::warn!(more, "messages dropped: too many wait for the disk");
                    }
                }
            }
        }
    }

    /// Waits until everything posted before has left.
    pub(super) async fn emptied(&self) {
        if let Some(door) = &self.door {
            let (done, emptied) = oneshot::channel();
            // A phone asks once in its life, so these few need no bound.
            door.0.push(Step::Emptied(done), usize::MAX);
            // The task ends after its last sender only.
            drop(emptied.await);
        }
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a step unless `most` are there. Only the first one wakes the task: whatever joins is found with it.
    fn push(&self, step: Step, most: usize) -> bool {
        let mut state = self.lock();
        let bytes = step.bytes();
        let full = state.steps.len() >= most || state.bytes.saturating_add(bytes) > MOST_BYTES;
        if full {
            return false;
        }
        state.bytes = state.bytes.saturating_add(bytes);
        state.steps.push_back(step);
        let first = state.steps.len() == 1;
        drop(state);
        if first {
            self.changed.notify_one();
        }
        true
    }

    /// Waits for a step and returns what it waits for; none when no more will come.
    async fn first(&self) -> Option<Seq> {
        loop {
            {
                let state = self.lock();
                match state.steps.front() {
                    Some(step) => return Some(step.after()),
                    None if state.closed => return None,
                    None => {}
                }
            }
            self.changed.notified().await;
        }
    }

    /// Takes the first step if it waits for nothing after `settled`.
    fn take(&self, settled: Seq) -> Option<Step> {
        let mut state = self.lock();
        let step = state.steps.pop_front_if(|step| step.after() <= settled)?;
        state.bytes = state.bytes.saturating_sub(step.bytes());
        Some(step)
    }
}

/// Sends whatever the disk has settled, in order.
async fn send_all(journal: Journal, queue: Arc<Queue>) {
    let mut disk = Disk { journal, behind: None };
    while let Some(after) = queue.first().await {
        let settled = disk.wait_for(after).await;
        for step in std::iter::from_fn(|| queue.take(settled)).take(TURN) {
            match step {
                Step::Send(parcel) => parcel.send(),
                // Nobody may be waiting any more.
                Step::Emptied(done) => drop(done.send(())),
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The disk, as those who wait for it see it.
struct Disk {
    journal: Journal,
    /// The fact that was waited for in vain: until the disk has it, nobody waits again.
    behind: Option<Seq>,
}

impl Disk {
    /// Waits until the disk holds `seq` or has failed, but not for a disk that hangs; returns what needs no more waiting.
    async fn wait_for(&mut self, seq: Seq) -> Seq {
        if self.behind.is_some_and(|behind| !self.journal.is_settled(behind)) {
            return seq;
        }
        self.behind = None;
        match timeout(PATIENCE, self.journal.settled(seq)).await {
            Ok(settled) => settled,
            Err(_) => {
                tracing::warn!(
                    after = %seq,
                    "the disk hangs: messages leave before the journal holds their facts; a process killed now may leave \
                     calls up that its successor does not know"
                );
                self.behind = Some(seq);
                seq
            }
        }
    }
}

impl Parcel {
    fn send(self) {
        for transmit in &self.transmits {
            if let Err(error) = self.signaling.send(&transmit.flow, transmit.bytes()) {
                // A phone that is gone repeats nothing, and one that is this far behind learns it from a timer.
                if let Some(failed) = self.signaling.failure(transmit.flow, error) {
                    drop(self.phone.cast(PhoneMessage::Arrival(failed)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, net::SocketAddr};

    use offhook_sip::{
        message::{Method, NameAddr, Uri},
        user_agent::{Body, Config, Destination, OutOfDialog, Output, Transport, UserAgent},
    };
    use ractor::{Actor, ActorProcessingErr};

    use super::*;
    use crate::{net::SignalingOptions, sim, wall::Wall};

    /// A phone that does nothing.
    struct Idle;

    impl Actor for Idle {
        type Msg = PhoneMessage;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<PhoneMessage>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    /// Writes a MESSAGE with so many bytes in it.
    fn large(bytes: usize) -> Transmit {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        let mut config = Config::new(1);
        config.local = [(Transport::Tcp, local)].into();
        let mut agent = UserAgent::new(config);
        let (to, from): (Uri, Uri) = ("sip:b@127.0.0.1".parse().unwrap(), "sip:a@127.0.0.1".parse().unwrap());
        let body = Body { content_type: "text/plain".to_owned(), bytes: vec![b'x'; bytes] };
        let to_addr = NameAddr::new(to.clone());
        let request = OutOfDialog {
            body: Some(body),
            ..OutOfDialog::new(Method::Message, to, NameAddr::new(from), to_addr, Destination::tcp(local))
        };
        agent.request(std::time::Instant::now(), request);
        loop {
            match agent.poll_output() {
                Output::Transmit(transmit) => return transmit,
                Output::Timeout(_) => panic!("nothing was sent"),
                Output::Event(_) | Output::Fired(_) => {}
            }
        }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_who_waits_for_its_end_is_not() -> io::Result<()> {
        let options = SignalingOptions { local: ([127, 0, 0, 1], 5060).into(), permits: 1, phone: None };
        let network = Arc::new(sim::Network::new(1));
        let signaling = Arc::new(Signaling::open(network, options, drop)?);
        let (phone, _) = Actor::spawn(None, Idle, ()).await.unwrap();
        let message = large(1 << 20);
        let fits = MOST_BYTES / message.bytes().len();
        let queue = Queue::default();
        let push = || {
            let (transmits, signaling) = (vec![message.clone()], Arc::clone(&signaling));
            let parcel = Parcel { after: Seq(1), transmits, signaling, phone: phone.clone() };
            queue.push(Step::Send(parcel), MOST_WAITING)
        };
        assert_eq!(((0..100).filter(|_| push()).count(), fits), (31, 31));
        let (done, _) = oneshot::channel();
        assert!(queue.push(Step::Emptied(done), usize::MAX), "it takes no room");
        // What has left makes room for as much.
        assert!(queue.take(Seq(0)).is_none(), "its facts are not on disk");
        assert!(queue.take(Seq(1)).is_some() && queue.take(Seq(1)).is_some());
        assert_eq!((0..100).filter(|_| push()).count(), 2);
        phone.stop(None);
        Ok(())
    }

    #[tokio::test]
    async fn the_task_lets_go_of_the_journal_with_the_last_clone() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), Wall::system()).unwrap();
        let outbox = Outbox::start(journal.clone());
        let last = outbox.clone();
        drop((journal, outbox));
        last.emptied().await;
        // It has nothing more to send and sleeps.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert!(Journal::open(folder.path(), Wall::system()).is_err(), "the task still has it");
        drop(last);
        let free = async {
            while Journal::open(folder.path(), Wall::system()).is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), free).await.unwrap();
    }
}
