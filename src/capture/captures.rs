//! The captures of all phones of a process.

use std::{
    collections::HashMap,
    ffi::OsString,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use super::{CaptureOptions, Common, stream::Stream};
use crate::{
    config::Pool,
    event::{Cause, TimerReason},
    id::{CallId, PhoneId},
    journal::Journal,
    media::Writers,
    net::{Attached, Sighting, Tap, Taps},
};

/// How long the last messages of a file's last call may take.
const LAST_MESSAGES: Duration = Duration::from_secs(1);

/// How long the end of the process, or of a phone, waits for the disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// The captures of a process; clones share them.
#[derive(Clone)]
pub(crate) struct Captures {
    inner: Arc<Inner>,
}

struct Inner {
    common: Arc<Common>,
    taps: Taps,
    streams: Arc<Streams>,
    /// Present while there is a stream, so that nobody pays for a tap that looks at nothing.
    attached: Mutex<Option<Attached>>,
}

/// The streams by phone, as the tap sees them.
#[derive(Default)]
struct Streams(RwLock<HashMap<PhoneId, Arc<Stream>>>);

impl std::fmt::Debug for Captures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captures").finish_non_exhaustive()
    }
}

/// A call that a capture is told of.
#[derive(Clone, Debug)]
pub(crate) struct CapturedCall {
    pub(crate) call: CallId,
    /// Its Call-ID header.
    pub(crate) sip_call_id: String,
    /// Our RTP port; RTCP has the next.
    pub(crate) rtp_port: u16,
    /// Whether its INVITE has already been seen.
    pub(crate) inbound: bool,
}

impl Captures {
    pub(crate) fn new(
        options: CaptureOptions,
        journal: Journal,
        pool: Pool,
        taps: Taps,
        writers: Arc<Writers>,
    ) -> Self {
        let common = Arc::new(Common { options, journal, pool, writers });
        let inner = Inner { common, taps, streams: Arc::default(), attached: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Captures a phone from now on, with the calls it has; one that is captured goes on, also if it
    /// was started again and has lost its calls.
    pub(crate) fn begin(&self, phone: &PhoneId, calls: Vec<CapturedCall>, cause: &Cause) {
        let Inner { common, taps, streams, attached } = &*self.inner;
        if let Some(stream) = streams.of(phone) {
            for call in stream.lost(&calls) {
                self.call_ended(phone, call);
            }
            return;
        }
        let mut attached = attached.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = Stream::new(phone.clone(), Arc::clone(common), calls, cause.clone());
        streams.change(|streams| streams.insert(phone.clone(), Arc::new(stream)));
        attached.get_or_insert_with(|| taps.attach(Arc::clone(streams) as Arc<dyn Tap>));
    }

    /// Ends the capture of a phone, if there is one; its last file is completed by a thread, which
    /// the returned stream waits for.
    pub(crate) fn end(&self, phone: &PhoneId, cause: &Cause) -> Option<Ending> {
        let Inner { streams, attached, .. } = &*self.inner;
        let mut attached = attached.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, none_left) = streams.change(|streams| (streams.remove(phone), streams.is_empty()));
        if none_left {
            drop(attached.take());
        }
        let stream = ended?;
        stream.finish(None, cause);
        Some(Ending(stream))
    }

    /// Ends every capture, and waits for the disk.
    pub(crate) async fn end_all(&self) {
        let phones: Vec<PhoneId> = self.inner.streams.change(|streams| streams.keys().cloned().collect());
        let endings: Vec<Ending> = phones.iter().filter_map(|phone| self.end(phone, &Cause::Stop)).collect();
        let all = async {
            for ending in endings {
                ending.wait().await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("the disk did not take the rest of the captures in time");
        }
    }

    /// Notes that a call begins.
    pub(crate) fn call_began(&self, phone: &PhoneId, call: CapturedCall, cause: &Cause) {
        if let Some(stream) = self.inner.streams.of(phone) {
            stream.call_began(call, cause);
        }
    }

    /// Notes that a call is over. If it was the last one, the file ends a moment later.
    pub(crate) fn call_ended(&self, phone: &PhoneId, call: CallId) {
        let Some(stream) = self.inner.streams.of(phone) else { return };
        if let Some(number) = stream.call_ended(call) {
            tokio::spawn(async move {
                tokio::time::sleep(LAST_MESSAGES).await;
                if stream.finish(Some(number), &Cause::Timer { reason: TimerReason::CaptureOver }) {
                    Ending(stream).wait().await;
                }
            });
        }
    }

    /// Returns the stem of the file that has this call's name, the first time it is asked for.
    pub(crate) fn stem_for_recording(&self, phone: &PhoneId, call: CallId) -> Option<OsString> {
        self.inner.streams.of(phone)?.lend_stem(call)
    }
}

/// A capture whose last file is being completed.
pub(crate) struct Ending(Arc<Stream>);

impl Ending {
    /// Waits for the disk, for a second at most.
    pub(crate) async fn wait(self) {
        let waited = tokio::task::spawn_blocking(move || self.0.wait(PATIENCE)).await;
        if !waited.unwrap_or(false) {
            tracing::warn!("the disk did not take the rest of a capture in time");
        }
    }
}

impl Streams {
    fn of(&self, phone: &PhoneId) -> Option<Arc<Stream>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(phone).cloned()
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<PhoneId, Arc<Stream>>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tap for Streams {
    fn see(&self, sighting: &Sighting<'_>) {
        let Some(phone) = sighting.phone else { return };
        if let Some(stream) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(phone) {
            stream.see(sighting);
        }
    }
}
