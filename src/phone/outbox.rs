//! What leaves a phone waits here until the journal holds the facts that go with it.
//!
//! An INVITE or ACK that left before its call was on disk could not be taken back by the next process: after `kill -9` the
//! other side would keep a call that nobody here knows. No actor waits; one task sends for all phones, in the order in
//! which they drained.

use std::sync::Arc;

use offhook_sip::user_agent::Transmit;
use ractor::ActorRef;
use tokio::sync::{mpsc, oneshot};

use super::PhoneMessage;
use crate::{
    id::Seq,
    journal::Journal,
    net::{Arrival, Signaling},
};

/// Drains that may wait at a time. A disk that falls this far behind costs messages, which SIP repeats, not memory.
const MOST_WAITING: usize = 65_536;

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

    /// Sends a parcel as soon as its facts are on disk; never waits.
    pub(super) fn post(&self, parcel: Parcel) {
        match &self.queue {
            None => parcel.send(),
            Some(queue) => {
                if let Err(refused) = queue.try_send(Step::Send(parcel)) {
                    let Step::Send(parcel) = refused.into_inner() else { return };
                    parcel.give_back();
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
    while let Some(step) = steps.recv().await {
        match step {
            Step::Send(parcel) => {
                journal.settled(parcel.after).await;
                parcel.send();
            }
            // Nobody may be waiting any more.
            Step::Emptied(done) => drop(done.send(())),
        }
    }
}

impl Parcel {
    fn send(self) {
        for transmit in &self.transmits {
            if let Err(error) = self.signaling.send(&transmit.flow, transmit.bytes()) {
                self.failed(transmit, error);
            }
        }
    }

    fn give_back(self) {
        for transmit in &self.transmits {
            self.failed(transmit, std::io::ErrorKind::WouldBlock.into());
        }
    }

    fn failed(&self, transmit: &Transmit, error: std::io::Error) {
        // A phone that is gone repeats nothing.
        drop(self.phone.cast(PhoneMessage::Arrival(Arrival::Failed { flow: transmit.flow, error })));
    }
}
