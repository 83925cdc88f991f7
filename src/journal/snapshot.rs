//! Folds as of a certain position, in files next to the journal, so that a start only has to apply
//! what came after.
//!
//! A file is a line that describes its content, followed by the fold as JSON. It is only a
//! shortcut: whatever does not fit (another version, other bytes, another journal) is ignored, and
//! the fold is rebuilt.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    KeptFold, retention,
    sqlite::{Source, lock_to_retire},
    state::Shared,
};
use crate::id::Seq;

/// A copy of a fold.
pub(super) struct Snapshot {
    pub(super) name: &'static str,
    pub(super) version: u32,
    /// The newest event in it.
    pub(super) seq: Seq,
    pub(super) data: Vec<u8>,
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Label {
    fold: String,
    version: u32,
    seq: Seq,
    /// When that event happened: a journal that lost it and went on has a different event there.
    at: Timestamp,
    bytes: usize,
    sum: String,
}

/// Why a saved fold is not used.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("it does not begin with a label")]
    Label,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("another version made it")]
    Version,
    #[error("its bytes are not those that were written")]
    Bytes,
    #[error("the journal has another event at its position")]
    OtherJournal,
}

impl Snapshot {
    /// Writes the file completely or not at all; `source` must hold the snapshot's newest event.
    pub(super) fn write(&self, folder: &Path, source: &Source) -> io::Result<()> {
        let at = time_of(source, self.seq)
            .ok_or_else(|| io::Error::other(format!("event {} is not on disk", self.seq)))?;
        let label = Label {
            fold: self.name.to_owned(),
            version: self.version,
            seq: self.seq,
            at,
            bytes: self.data.len(),
            sum: sum(&self.data),
        };
        let mut label = serde_json::to_vec(&label)?;
        label.push(b'\n');
        let (path, new) =
            (path(folder, self.name), folder.join(format!("journal.{}.{}", self.name, std::process::id())));
        let mut file = crate::private::create_file(&new)?;
        file.write_all(&label)?;
        file.write_all(&self.data)?;
        file.sync_all()?;
        fs::rename(new, path)
    }
}

/// Saves the folds of a journal in its folder.
#[derive(Clone)]
pub(super) struct Keeper {
    folder: PathBuf,
    source: Arc<Source>,
}

impl Keeper {
    pub(super) fn new(folder: &Path, source: Arc<Source>) -> Self {
        Self { folder: folder.to_owned(), source }
    }

    /// Saves every kept fold as of now; returns the position up to which events are no longer
    /// needed to rebuild them.
    pub(super) fn keep_all(&self, shared: &Shared) -> io::Result<Seq> {
        let mut upto = shared.head();
        for fold in shared.folds() {
            let Some(snapshot) = fold.snapshot(shared) else { continue };
            self.write(shared, &snapshot)?;
            fold.note_kept(snapshot.seq);
            upto = upto.min(snapshot.seq);
        }
        Ok(upto)
    }

    /// Reports what another process has removed; returns false while one is removing.
    pub(super) fn tell(&self, shared: &Shared) -> bool {
        let told = match lock_to_retire(&self.folder) {
            Ok(None) => return false,
            Ok(Some(_lock)) => retention::tell(shared, &self.source),
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::error!(%error, "what was removed from the journal cannot be told");
        }
        true
    }

    fn write(&self, shared: &Shared, snapshot: &Snapshot) -> io::Result<()> {
        // Not ahead of the disk: if the process died, the fold would contain events that never
        // existed.
        shared.settle(|health| health.durable >= Some(snapshot.seq) || !health.writing);
        snapshot.write(&self.folder, &self.source)
    }

    /// Saves every fold that is at least `worth` events ahead of its saved copy.
    pub(super) fn keep(&self, shared: &Shared, worth: u64) {
        for fold in shared.folds() {
            if shared.head().0.saturating_sub(fold.kept().0) < worth {
                continue;
            }
            let Some(snapshot) = fold.snapshot(shared) else { continue };
            match self.write(shared, &snapshot) {
                Ok(()) => fold.note_kept(snapshot.seq),
                Err(error) => tracing::warn!(%error, fold = snapshot.name, "a fold is not kept"),
            }
        }
    }
}

/// Returns the fold saved in a folder, if there is one that fits its journal.
pub(super) fn load<F: KeptFold>(folder: &Path, source: &Source) -> Option<(F, Seq)> {
    match read(folder, source) {
        Ok(found) => Some(found),
        Err(Unfit::File(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(fold = F::NAME, %error, "a kept fold is made anew");
            None
        }
    }
}

fn read<F: KeptFold>(folder: &Path, source: &Source) -> Result<(F, Seq), Unfit> {
    let content = crate::private::read(&path(folder, F::NAME))?;
    let end = content.iter().position(|byte| *byte == b'\n').ok_or(Unfit::Label)?;
    let (label, data) = content.split_at(end);
    let data = data.get(1..).unwrap_or_default();
    let label: Label = serde_json::from_slice(label)?;
    if (label.fold.as_str(), label.version) != (F::NAME, F::VERSION) {
        return Err(Unfit::Version);
    }
    if (label.bytes, label.sum) != (data.len(), sum(data)) {
        return Err(Unfit::Bytes);
    }
    if time_of(source, label.seq) != Some(label.at) {
        return Err(Unfit::OtherJournal);
    }
    Ok((serde_json::from_slice(data)?, label.seq))
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("journal.{name}"))
}

fn time_of(source: &Source, seq: Seq) -> Option<Timestamp> {
    Some(source.get_many(&[seq]).ok()?.pop()??.at)
}

/// FNV-1a over words of eight bytes: it has to detect a damaged file, not an attacker.
fn sum(data: &[u8]) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let (words, rest) = data.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    for word in words.chain(rest.iter().map(|byte| u64::from(*byte))) {
        sum = (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        // Multiplication alone would never let high bits affect lower ones.
        sum ^= sum >> 32;
    }
    format!("{sum:016x}")
}
