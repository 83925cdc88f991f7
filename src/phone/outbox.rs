//! What leaves a phone waits here until the journal holds the facts that go with it.
//!
//! An INVITE or ACK that left before its call was on disk could not be taken back by the next process: after `kill -9` the
//! other side would keep a call that nobody here knows. No actor waits; one task sends for all phones, in the order in
//! which they drained. A disk that hangs delays messages by a second at most: late facts are better than a phone that
//! has gone silent.

use std::{sync::Arc, time::Duration};

use offhook_sip::user_agent::Transmit;
use ractor::ActorRef;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::PhoneMessage;
use crate::{id::Seq, journal::Journal, net::Signaling};

/// Drains that may wait at a time. A disk that falls this far behind costs messages, which SIP repeats, not memory.
const MOST_WAITING: usize = 65_536;
/// How long messages wait for a disk that says nothing: well under the 32 s after which a transaction is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way from the phones to their sockets; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    /// Absent when the journal lives in memory: nothing survives the process, so nothing is worth waiting for.
    queue: Option<mpsc::Sender<Step>>,
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

impl Outbox {
    /// Starts the task that sends, if there is a disk to wait for; it ends with the last clone.
    pub(crate) fn start(journal: Journal) -> Self {
        let queue = journal.is_on_disk().then(|| {
            let (queue, steps) = mpsc::channel(MOST_WAITING);
            tokio::spawn(send_all(journal, steps));
            queue
        });
        Self { queue }
    }

    /// Sends a parcel as soon as its facts are on disk, or the disk has had its time; never waits.
    ///
    /// A parcel for which there is no room is lost as on the wire: nothing is wrong with its flow, and SIP repeats it.
    pub(super) fn post(&self, parcel: Parcel) {
        match &self.queue {
            None => parcel.send(),
            Some(queue) => {
                if queue.try_send(Step::Send(parcel)).is_err() {
                    tracing::warn!("messages dropped: too many wait for the disk");
                }
            }
        }
    }

    /// Waits until everything posted before has left.
    pub(super) async fn emptied(&self) {
        if let Some(queue) = &self.queue {
            let (done, emptied) = oneshot::channel();
            // The task ends after its last sender only, so both ways stay open while `self` is there.
            if queue.send(Step::Emptied(done)).await.is_ok() {
                drop(emptied.await);
            }
        }
    }
}

async fn send_all(journal: Journal, mut steps: mpsc::Receiver<Step>) {
    let mut disk = Disk { journal, behind: None };
    while let Some(step) = steps.recv().await {
        match step {
            Step::Send(parcel) => {
                disk.wait_for(parcel.after).await;
                parcel.send();
            }
            // Nobody may be waiting any more.
            Step::Emptied(done) => drop(done.send(())),
        }
    }
}

/// The disk, as those who wait for it see it.
struct Disk {
    journal: Journal,
    /// The fact that was waited for in vain: until the disk has it, nobody waits again.
    behind: Option<Seq>,
}

impl Disk {
    /// Waits until the disk holds `seq` or has failed, but not for a disk that hangs.
    async fn wait_for(&mut self, seq: Seq) {
        if self.behind.is_some_and(|behind| !self.journal.is_settled(behind)) {
            return;
        }
        self.behind = None;
        if timeout(PATIENCE, self.journal.settled(seq)).await.is_err() {
            tracing::warn!(
                after = %seq,
                "the disk hangs: messages leave before the journal holds their facts; a process killed now may leave \
                 calls up that its successor does not know"
            );
            self.behind = Some(seq);
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
