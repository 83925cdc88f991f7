//! A capture file on the disk, written by turns; what became of it is journaled here.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use super::stream::{Chunk, Job, Record, Stream};
use crate::{
    event::{CaptureEvent, Cause, Subject},
    id::CallId,
    private,
};

/// The file that is being written.
pub(super) struct File {
    file: fs::File,
    path: PathBuf,
    /// Why it was begun, and so why it fails.
    cause: Cause,
    packets: u64,
    bytes: u64,
}

impl File {
    /// Carries out the next job on the file that is open, if there is one.
    pub(super) fn carry_out(open: &mut Option<Self>, job: Job, stream: &Stream) {
        match job {
            Job::Begin { path, continues, cause } => {
                *open = None;
                match Self::create(&path, &cause) {
                    Ok(file) => {
                        *open = Some(file);
                        // Of an earlier file.
                        stream.broken.store(false, Ordering::Relaxed);
                        let (path, continues) = (shown(&path), continues.map(|path| shown(&path)));
                        stream.append(None, CaptureEvent::Started { path, continues }, &cause);
                    }
                    Err(error) => {
                        stream.failed(&path, &error, &cause);
                        stream.broken.store(true, Ordering::Relaxed);
                    }
                }
            }
            Job::Write(chunk) => {
                let Some(file) = open else { return };
                if let Err(error) = file.write(&chunk, stream) {
                    stream.failed(&file.path, &error, &file.cause);
                    stream.broken.store(true, Ordering::Relaxed);
                    *open = None;
                }
            }
            Job::AddCall { call, path, rename, cause } => {
                if let Some(file) = open {
                    file.add_call(call, path, rename, &cause, stream);
                }
            }
            Job::End { cause } => {
                if let Some(file) = open.take() {
                    file.end(&cause, stream);
                }
            }
            Job::Remove(path) => match fs::remove_file(&path) {
                Ok(()) => {
                    stream.append(None, CaptureEvent::Removed { path: shown(&path) }, &Cause::Network);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an old capture file stays");
                }
            },
        }
    }

    fn create(path: &Path, cause: &Cause) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            private::create_folder(folder)?;
        }
        let file = private::create_file(path)?;
        Ok(Self { file, path: path.to_owned(), cause: cause.clone(), packets: 0, bytes: 0 })
    }

    /// Writes a piece, its packets in the order in which they passed: what a socket had kept for a
    /// while was read after what was sent meanwhile.
    fn write(&mut self, chunk: &Chunk, stream: &Stream) -> io::Result<()> {
        let Chunk { bytes, records, lost } = chunk;
        if *lost > 0 {
            let gap = CaptureEvent::Gap { path: shown(&self.path), lost: *lost };
            stream.append(None, gap, &self.cause);
        }
        if records.is_sorted_by_key(|record| record.at) {
            self.file.write_all(bytes)?;
        } else {
            self.file.write_all(&sorted(bytes, records))?;
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.packets = self.packets.saturating_add(count(records.len()));
        self.bytes = self.bytes.saturating_add(count(bytes.len()));
        Ok(())
    }

    /// Says that the file is complete, if it is still there.
    fn end(self, cause: &Cause, stream: &Stream) {
        let Self { file, path, packets, bytes, .. } = self;
        let known = file.metadata().and_then(|ours| Ok((ours, fs::metadata(&path)?)));
        match known {
            Ok((ours, there)) if ours.ino() == there.ino() => {
                let stopped = CaptureEvent::Stopped { path: shown(&path), packets, bytes };
                stream.append(None, stopped, cause);
            }
            Ok(_) => stream.failed(&path, &io::Error::other("another file has its name by now"), cause),
            Err(error) => stream.failed(&path, &error, cause),
        }
    }

    fn add_call(&mut self, call: CallId, path: PathBuf, rename: bool, cause: &Cause, stream: &Stream) {
        let mut renamed_from = None;
        if rename {
            match fs::rename(&self.path, &path) {
                Ok(()) => renamed_from = Some(shown(&std::mem::replace(&mut self.path, path))),
                // It goes on under its former name.
                Err(error) => stream.failed(&path, &error, cause),
            }
        }
        let added = CaptureEvent::CallAdded { path: shown(&self.path), renamed_from };
        stream.append(Some(call), added, cause);
    }
}

impl Stream {
    fn append(&self, call: Option<CallId>, event: CaptureEvent, cause: &Cause) {
        let subject = Subject::phone(self.phone.clone()).during(self.common.pool.run_of(&self.phone));
        self.common.journal.append(Subject { call, ..subject }, cause.clone(), event);
    }

    fn failed(&self, path: &Path, error: &io::Error, cause: &Cause) {
        tracing::warn!(phone = %self.phone, path = %path.display(), %error, "capture failed");
        let failed = CaptureEvent::Failed { path: shown(path), reason: error.to_string() };
        self.append(None, failed, cause);
    }
}

/// Returns a piece with its packets in order of time.
fn sorted(bytes: &[u8], records: &[Record]) -> Vec<u8> {
    let head = records.first().map_or(bytes.len(), |first| first.place.start);
    let mut order: Vec<&Record> = records.iter().collect();
    order.sort_by_key(|record| record.at);
    let places = std::iter::once(0..head).chain(order.into_iter().map(|record| record.place.clone()));
    places.flat_map(|place| bytes.get(place).unwrap_or_default()).copied().collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packets_of_a_piece_are_in_order_of_time_behind_its_head() {
        let record = |ms: u64, place| Record { at: Duration::from_millis(ms), place };
        let records = [record(20, 4..6), record(5, 6..9), record(20, 9..10), record(7, 10..12)];
        assert_eq!(sorted(b"HEADaabbbcdd", &records), b"HEADbbbddaac", "equal times keep their order");
        assert_eq!(sorted(b"HEAD", &[]), b"HEAD");
        assert_eq!(sorted(b"aabb", &[record(2, 0..2), record(1, 2..4)]), b"bbaa", "no head in a later piece");
    }
}
