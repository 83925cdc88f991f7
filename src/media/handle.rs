//! What the owner of a leg can do with it.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use offhook_media::{
    negotiate::MediaPlan,
    session::{Fact, MediaSession, StreamStats},
};
use tokio::{task::AbortHandle, time::Instant};

use super::{
    hub::{Driven, Worker},
    leg::{Inner, Leg, Notice, Noticed, Role, guard},
    recorder::Recorder,
    relay::Target,
};

/// Owns a leg, shared with its clones: when the last is dropped, the sockets close.
#[derive(Clone, Debug)]
pub(crate) struct LegHandle {
    owned: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    leg: Arc<Leg>,
    worker: Arc<Worker>,
    /// Reads the sockets while the leg is a relay.
    reader: Mutex<Option<AbortHandle>>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(reader) = &*guard(&self.reader) {
            reader.abort();
        }
        // The aborted reader stops a moment later; until then nothing may be sent or reported.
        *guard(&self.leg.inner) = Inner::default();
    }
}

impl LegHandle {
    pub(super) fn new(leg: Leg, worker: Arc<Worker>) -> Self {
        Self { owned: Arc::new(Owned { leg: Arc::new(leg), worker, reader: Mutex::default() }) }
    }

    /// Returns the leg, and who ticks it outside a bridge.
    pub(super) fn parts(&self) -> (&Arc<Leg>, &Arc<Worker>) {
        (&self.owned.leg, &self.owned.worker)
    }

    /// Returns the RTP address; RTCP is on the next port.
    pub(crate) fn local(&self) -> SocketAddr {
        self.owned.leg.rtp.local()
    }

    /// Sets who receives the leg's facts.
    pub(crate) fn listen(&self, listener: impl Fn(Notice) + Send + 'static) {
        guard(&self.owned.leg.inner).listener = Some(Box::new(listener));
    }

    /// Starts the flow of packets. Later calls change nothing.
    pub(crate) fn start(&self) {
        self.change(|inner| inner.started = true);
    }

    /// Gives the leg a voice of our own, unless it has one; the clock drives it once the leg is
    /// started.
    pub(crate) fn speak(&self, voice: impl FnOnce(std::time::Instant) -> MediaSession) {
        if let Some(reader) = guard(&self.owned.reader).take() {
            reader.abort();
        }
        self.change(|inner| {
            if matches!(inner.role, Role::Idle) && inner.started {
                self.owned.leg.discard();
            }
            if !matches!(inner.role, Role::Voice(_)) {
                let mut voice = Box::new(voice(Instant::now().into_std()));
                voice.record(inner.recorder.is_some());
                inner.role = Role::Voice(voice);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = guard(&self.owned.leg.inner);
        change(&mut inner);
        let voiced = inner.started && matches!(inner.role, Role::Voice(_));
        drop(inner);
        if voiced {
            self.owned.worker.add(Driven::Leg(Arc::downgrade(&self.owned.leg)));
        }
    }

    /// Changes the voice and sends what follows from that; does nothing without a voice.
    pub(crate) fn session<T>(
        &self,
        change: impl FnOnce(&mut MediaSession, std::time::Instant) -> T,
    ) -> Option<T> {
        let now = Instant::now().into_std();
        let leg = &self.owned.leg;
        leg.common.with_batch(|batch| leg.with_voice(batch, |voice, _| change(voice, now)))
    }

    /// Makes the voice follow `plan`, whose number is `epoch`; does nothing without a voice.
    pub(crate) fn follow(&self, plan: MediaPlan, epoch: u32) {
        let now = Instant::now().into_std();
        let leg = &self.owned.leg;
        leg.common.with_batch(|batch| {
            leg.with_voice(batch, |voice, number| {
                *number = epoch;
                voice.set_plan(now, plan);
            })
        });
    }

    /// Passes what arrives here to the peer of `other`, and the other way round.
    pub(crate) fn relay(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            one.pass_to(two);
        }
    }

    fn pass_to(&self, partner: &Self) {
        let leg = &self.owned.leg;
        let before =
            std::mem::replace(&mut guard(&leg.inner).role, Role::Relay(Arc::downgrade(&partner.owned.leg)));
        if matches!(before, Role::Idle) {
            leg.discard();
        }
        guard(&self.owned.reader)
            .get_or_insert_with(|| tokio::spawn(Arc::clone(leg).pass_all()).abort_handle());
    }

    /// Sets where packets for this leg's peer go while it is a relay, unless the peer turns out to
    /// send from elsewhere.
    pub(crate) fn aim(&self, target: Target) {
        guard(&self.owned.leg.inner).aim.follow(target);
    }

    /// Closes the session; returns its last statistics and remaining facts, which the listener no
    /// longer receives.
    pub(crate) fn close(&self) -> Option<(StreamStats, Vec<Fact>)> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        self.listen(move |Notice { noticed, .. }| {
            // News of the recording would come too late: it is about to end.
            if let Noticed::Voice(fact) = noticed {
                guard(&heard).push(fact);
            }
        });
        let stats = self.session(|session, now| {
            session.close(now);
            session.stats()
        })?;
        let facts = std::mem::take(&mut *guard(&said));
        Some((stats, facts))
    }

    /// Starts to record to `path`, replacing any recording in progress.
    ///
    /// # Errors
    /// The system provides no thread to write with.
    pub(crate) fn start_recording(&self, path: &Path) -> io::Result<()> {
        let recorder = Recorder::start(&self.owned.leg.common.writers, path)?;
        self.record(Some(recorder));
        Ok(())
    }

    /// Stops and returns the recording, if one was in progress.
    pub(crate) fn stop_recording(&self) -> Option<Recorder> {
        self.record(None)
    }

    /// Starts, replaces or stops the recording; returns the one that was in progress.
    pub(super) fn record(&self, recorder: Option<Recorder>) -> Option<Recorder> {
        let on = recorder.is_some();
        self.session(|session, _| session.record(on));
        std::mem::replace(&mut guard(&self.owned.leg.inner).recorder, recorder)
    }
}
