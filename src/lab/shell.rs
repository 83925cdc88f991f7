//! The task around the engine: takes one input at a time, then sends everything the engine wants
//! sent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offhook_sip::user_agent::Input;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{engine::Engine, media::MediaFact};
use crate::net::{Arrival, Signaling};

/// How long calls may take to end when the lab stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the task works on.
pub(super) struct Shell {
    pub(super) engine: Arc<Mutex<Engine>>,
    pub(super) signaling: Arc<Signaling>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    pub(super) facts: mpsc::Receiver<MediaFact>,
    /// Once set, the next input panics.
    #[cfg(test)]
    pub(super) fail: Arc<std::sync::atomic::AtomicBool>,
}

/// Locks the engine; a panic elsewhere does not make its state unreadable.
pub(super) fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shell {
    /// Runs until `stop`, then ends every call.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        while !self.step(&mut stop).await {}
        lock(&self.engine).end_all(now());
        self.send();
        let (_open, mut never) = oneshot::channel();
        let farewell = async {
            while lock(&self.engine).live(now()).legs > 0 {
                self.step(&mut never).await;
            }
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("some calls of the lab did not end in time");
        }
    }

    /// Handles one input; returns whether it was the request to stop.
    async fn step(&mut self, stop: &mut oneshot::Receiver<()>) -> bool {
        let deadline = lock(&self.engine).deadline();
        let alarm = async {
            match deadline {
                Some(at) => sleep_until(Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stop => return true,
            Some(arrival) = self.arrivals.recv() => self.arrived(arrival),
            Some(fact) = self.facts.recv() => lock(&self.engine).handle_fact(now(), fact),
            () = alarm => lock(&self.engine).handle_timeout(now()),
        }
        self.send();
        false
    }

    fn arrived(&self, arrival: Arrival) {
        #[cfg(test)]
        assert!(!self.fail.load(std::sync::atomic::Ordering::Relaxed), "asked to");
        let mut engine = lock(&self.engine);
        match arrival {
            Arrival::Message { flow, message, permit } => {
                engine.handle_input(now(), Input::Message { flow, message: &message });
                drop(permit);
            }
            Arrival::Unparsable { flow, bytes, permit } => {
                engine.handle_input(now(), Input::Received { flow, bytes: &bytes });
                drop(permit);
            }
            Arrival::Failed { flow, error, .. } => {
                tracing::debug!(remote = %flow.remote, %error, "a connection of the lab failed");
                engine.handle_input(now(), Input::TransportFailed { flow });
            }
            Arrival::Returned { flow, sent, error, .. } => {
                tracing::debug!(remote = %flow.remote, %error, "a datagram of the lab came back");
                engine.handle_input(now(), Input::Returned { flow, sent: &sent });
            }
            Arrival::Closed { .. } => {}
            Arrival::Unframeable { flow, error, .. } => {
                tracing::debug!(remote = %flow.remote, %error, "a stream at the lab is no SIP");
            }
        }
    }

    fn send(&self) {
        loop {
            let Some(transmit) = lock(&self.engine).poll_transmit() else { return };
            if let Err(error) = self.signaling.send(&transmit.flow, transmit.bytes()) {
                tracing::debug!(remote = %transmit.flow.remote, %error, "message of the lab not sent");
                lock(&self.engine).handle_input(now(), Input::TransportFailed { flow: transmit.flow });
            }
        }
    }
}

pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
