//! What a view is to the journal, and how it keeps up.
//!
//! A fold has a lock of its own, so an append does not wait for it. The first reader brings it up
//! to the newest event. If nobody reads, an appender does so now and then, so that events need not
//! be kept in memory for it for long.

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Serialize, de::DeserializeOwned};

use super::{snapshot::Snapshot, state::Shared};
use crate::{event::Envelope, id::Seq};

/// Events read from memory at once: few enough to hold the journal's lock only briefly.
const TAKE: usize = 1024;

/// Something that is computed from events alone.
pub trait Fold: Send {
    /// Applies the next event; never fails, never acts.
    fn apply(&mut self, envelope: &Envelope);
}

impl<F: Fold + ?Sized> Fold for Box<F> {
    fn apply(&mut self, envelope: &Envelope) {
        (**self).apply(envelope);
    }
}

/// A fold that is saved with the journal, so that a start need not replay everything.
pub trait KeptFold: Fold + Clone + Default + Serialize + DeserializeOwned + Sync + 'static {
    /// Its name in the data folder.
    const NAME: &'static str;
    /// Raise it whenever the fold's meaning or form changes; a saved fold of another version is
    /// rebuilt.
    const VERSION: u32;
}

/// Read access to an attached fold; each read includes every append that has returned.
pub struct Attached<F> {
    following: Arc<Following<F>>,
    shared: Arc<Shared>,
}

impl<F> Clone for Attached<F> {
    fn clone(&self) -> Self {
        Self { following: Arc::clone(&self.following), shared: Arc::clone(&self.shared) }
    }
}

impl<F: Fold + Sync + 'static> Attached<F> {
    pub(super) fn new(following: Arc<Following<F>>, shared: Arc<Shared>) -> Self {
        Self { following, shared }
    }

    /// Looks at the fold.
    pub fn read<R>(&self, look: impl FnOnce(&F) -> R) -> R {
        let head = self.shared.head();
        {
            let progress = self.following.progress.read().unwrap_or_else(PoisonError::into_inner);
            if progress.seen >= head {
                return look(&progress.fold);
            }
        }
        let mut progress = self.following.progress.write().unwrap_or_else(PoisonError::into_inner);
        self.following.catch_up(&mut progress, &self.shared);
        look(&progress.fold)
    }
}

/// A fold that follows a journal.
pub(super) struct Following<F> {
    progress: RwLock<Progress<F>>,
    /// The newest event applied.
    seen: AtomicU64,
    /// The newest event in its saved copy on disk.
    kept: AtomicU64,
    keep: Option<fn(&F) -> Keeping>,
}

/// Serializes a copy of the fold, which may take a while.
type Keeping = Box<dyn FnOnce() -> serde_json::Result<Vec<u8>>>;

struct Progress<F> {
    fold: F,
    seen: Seq,
}

impl<F: Fold> Following<F> {
    pub(super) fn new(fold: F, seen: Seq, keep: Option<fn(&F) -> Keeping>) -> Self {
        Self {
            progress: RwLock::new(Progress { fold, seen }),
            seen: AtomicU64::new(seen.0),
            kept: AtomicU64::new(seen.0),
            keep,
        }
    }

    /// Applies events before it follows the journal: all there are up to `shown`.
    pub(super) fn show(&mut self, events: &[Arc<Envelope>], shown: Seq) {
        let progress = self.progress.get_mut().unwrap_or_else(PoisonError::into_inner);
        events.iter().for_each(|envelope| progress.fold.apply(envelope));
        progress.seen = shown;
        *self.seen.get_mut() = shown.0;
    }

    fn catch_up(&self, progress: &mut Progress<F>, shared: &Shared) {
        let mut page = VecDeque::new();
        loop {
            page.extend(shared.lock().memory.after(progress.seen, TAKE).cloned());
            if page.is_empty() {
                break;
            }
            for envelope in page.drain(..) {
                progress.fold.apply(&envelope);
                progress.seen = envelope.seq;
            }
        }
        self.seen.store(progress.seen.0, Ordering::Release);
        shared.note_folded();
    }
}

/// Returns the function that serializes a kept fold.
pub(super) fn keeping<F: KeptFold>(fold: &F) -> Keeping {
    let copy = fold.clone();
    Box::new(move || serde_json::to_vec(&copy))
}

/// A fold of any type, as the journal sees it.
pub(super) trait Follower: Send + Sync {
    /// Returns the newest event applied.
    fn seen(&self) -> Seq;
    /// Returns the newest event in its saved copy on disk.
    fn kept(&self) -> Seq;
    /// Notes up to which event it has been saved.
    fn note_kept(&self, seq: Seq);
    /// Applies new events, unless somebody else is doing so.
    fn follow(&self, shared: &Shared);
    /// Applies new events, waiting for anybody else who is doing so.
    fn catch_up(&self, shared: &Shared);
    /// Returns a copy as of now, if this fold is saved.
    fn snapshot(&self, shared: &Shared) -> Option<Snapshot>;
}

/// A follower and its fold, saved or not.
pub(super) struct Named<F> {
    pub(super) following: Arc<Following<F>>,
    pub(super) name: &'static str,
    pub(super) version: u32,
}

impl<F: Fold + Sync + 'static> Follower for Named<F> {
    fn seen(&self) -> Seq {
        Seq(self.following.seen.load(Ordering::Acquire))
    }

    fn kept(&self) -> Seq {
        Seq(self.following.kept.load(Ordering::Acquire))
    }

    fn note_kept(&self, seq: Seq) {
        self.following.kept.store(seq.0, Ordering::Release);
    }

    fn follow(&self, shared: &Shared) {
        let mut progress = match self.following.progress.try_write() {
            Ok(progress) => progress,
            Err(TryLockError::Poisoned(progress)) => progress.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.following.catch_up(&mut progress, shared);
    }

    fn catch_up(&self, shared: &Shared) {
        let mut progress = self.following.progress.write().unwrap_or_else(PoisonError::into_inner);
        self.following.catch_up(&mut progress, shared);
    }

    fn snapshot(&self, shared: &Shared) -> Option<Snapshot> {
        let keep = self.following.keep?;
        let (seq, copy) = {
            let mut progress = self.following.progress.write().unwrap_or_else(PoisonError::into_inner);
            self.following.catch_up(&mut progress, shared);
            (progress.seen, keep(&progress.fold))
        };
        match copy() {
            Ok(data) => Some(Snapshot { name: self.name, version: self.version, seq, data }),
            Err(error) => {
                tracing::error!(%error, fold = self.name, "a fold cannot be kept");
                None
            }
        }
    }
}
