//! Holds a phone's outgoing messages until the journal has their facts on disk.
//!
//! If an INVITE or ACK were sent before its call was on disk, the next process could not end that
//! call: after `kill -9` the other side would keep a call that nobody here knows of. No actor
//! waits: one task sends for all phones, in the order in which they drained. A disk that hangs
//! delays messages by one second at most; late facts are better than a phone that has gone silent.

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

/// Most drains that may wait. A disk that falls this far behind costs messages, which SIP
/// retransmits, not memory.
const MOST_WAITING: usize = 65_536;
/// Most bytes that may wait.
const MOST_BYTES: usize = 32 << 20;
/// Drains sent before other tasks get a turn.
const TURN: usize = 128;
/// How long messages wait for a disk that does not respond: well under the 32 s after which a
/// transaction times out.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way from the phones to their sockets; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    /// `None` when the journal is in memory: nothing survives the process, so there is nothing to
    /// wait for.
    door: Option<Arc<Door>>,
}

/// What one drain wants to send.
pub(super) struct Parcel {
    /// The newest fact that must be on disk first.
    pub(super) after: Seq,
    pub(super) transmits: Vec<Transmit>,
    pub(super) signaling: Arc<Signaling>,
    /// Told about what could not be sent.
    pub(super) phone: ActorRef<PhoneMessage>,
}

enum Step {
    Send(Parcel),
    /// Replies once everything posted before it has been sent.
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

    /// Returns the fact that must be on disk first.
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
    /// The queue is no longer empty, or has closed.
    changed: Notify,
}

#[derive(Default)]
struct State {
    steps: VecDeque<Step>,
    /// Bytes of all steps.
    bytes: usize,
    closed: bool,
    /// Limits log lines about what found no room.
    lost: Seldom,
}

/// The owning end of a queue: its task ends once this is dropped.
struct Door(Arc<Queue>);

impl Outbox {
    /// Starts the sending task, if there is a disk to wait for; it ends with the last clone.
    pub(crate) fn start(journal: Journal) -> Self {
        let door = journal.is_on_disk().then(|| {
            let queue = Arc::<Queue>::default();
            tokio::spawn(send_all(journal, Arc::clone(&queue)));
            Arc::new(Door(queue))
        });
        Self { door }
    }

    /// Sends a parcel as soon as its facts are on disk, or the disk has had its time; never blocks.
    ///
    /// A parcel that finds no room is lost, as it could be on the wire: nothing is wrong with its
    /// flow, and SIP retransmits it.
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

    /// Waits until everything posted so far has been sent.
    pub(super) async fn emptied(&self) {
        if let Some(door) = &self.door {
            let (done, emptied) = oneshot::channel();
            // A phone asks once in its life, so these need no bound.
            door.0.push(Step::Emptied(done), usize::MAX);
            // The task outlives its senders, so the answer always comes.
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

    /// Adds a step unless there are `most` already. Only a push into an empty queue wakes the task;
    /// the rest it finds by itself.
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

    /// Waits for a step and returns the fact it waits for; `None` when the queue has closed.
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

    /// Takes the first step, unless it waits for a fact after `settled`.
    fn take(&self, settled: Seq) -> Option<Step> {
        let mut state = self.lock();
        let step = state.steps.pop_front_if(|step| step.after() <= settled)?;
        state.bytes = state.bytes.saturating_sub(step.bytes());
        Some(step)
    }
}

/// Sends, in order, whatever the disk has settled.
async fn send_all(journal: Journal, queue: Arc<Queue>) {
    let mut disk = Disk { journal, behind: None };
    while let Some(after) = queue.first().await {
        let settled = disk.wait_for(after).await;
        for step in std::iter::from_fn(|| queue.take(settled)).take(TURN) {
            match step {
                Step::Send(parcel) => parcel.send(),
                // The phone may no longer be waiting.
                Step::Emptied(done) => drop(done.send(())),
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The disk, as seen by whoever waits for it.
struct Disk {
    journal: Journal,
    /// A fact that was waited for in vain: until the disk has it, nobody waits again.
    behind: Option<Seq>,
}

impl Disk {
    /// Waits until the disk holds `seq` or has failed, but not for a disk that hangs; returns the
    /// fact up to which nothing needs to wait.
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
                // A phone that is gone retransmits nothing, and one this far behind learns of it
                // from a timer.
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

    /// Builds a MESSAGE with a body of `bytes` bytes.
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
        // Sending frees room.
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
        // The task has nothing more to send and sleeps.
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
