//! A recording: two channels of 16-bit PCM at 8 kHz, written by a thread of its own.
//!
//! Left is what was received, right what was sent, so that each direction can be measured on its own. The media clock
//! hands frames over and never waits for the disk: what finds no room is counted, told, and silence in the file. The
//! file is made and completed by the thread too.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use offhook_media::{
    audio::{Frame, RecordingLayout, SAMPLE_RATE, WavError, WavRecorder},
    session::RecordFrame,
};

/// Frames that travel together, 200 ms: a recording wakes its thread five times a second.
const CHUNK: usize = 10;
/// Chunks that may wait for the disk, two seconds of them.
const WAITING: usize = 10;
/// Duration of a frame, milliseconds.
const FRAME_MS: u64 = 20;

/// The clock's end of a recording.
pub(crate) struct Recorder {
    path: PathBuf,
    chunks: SyncSender<Chunk>,
    next: Chunk,
    /// The thread has given up, and it has been said.
    broken: bool,
    done: Receiver<Result<u64, RecordingError>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Chunk {
    /// Frames that were lost before these.
    lost: u64,
    frames: Vec<RecordFrame>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is on its way, or waits for those that travel with it.
    Fine,
    /// The disk takes frames again; so much was lost meanwhile.
    Again {
        /// Milliseconds.
        lost_ms: u64,
    },
    /// Nothing is written any more; the end of the recording says why. It is said once.
    Broken,
}

/// A recording that gets no frames any more.
#[derive(Debug)]
pub(crate) struct Finishing {
    path: PathBuf,
    lost_ms: u64,
    done: Receiver<Result<u64, RecordingError>>,
}

/// A recording that is over.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its length in milliseconds, or why it may be cut short.
    pub(crate) result: Result<u64, RecordingError>,
}

/// A recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    /// The folder or the file cannot be made.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The medium failed later.
    #[error(transparent)]
    Write(#[from] WavError),
    /// The medium did not take the end in time.
    #[error("the disk did not take the rest within {} ms", .waited.as_millis())]
    Slow {
        /// How long it had.
        waited: Duration,
    },
    /// The thread ended without a word.
    #[error("the writing thread failed")]
    Thread,
}

impl Recorder {
    /// Starts a recording; its thread makes the file and the folders above it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(path: &Path) -> io::Result<Self> {
        let file = path.to_owned();
        Self::with(path, WAITING, move || {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            Ok(BufWriter::new(File::create(file)?))
        })
    }

    /// Starts a recording to what `open` makes on the thread; `room` chunks may wait for it.
    fn with<W: Write + Seek>(
        path: &Path,
        room: usize,
        open: impl FnOnce() -> io::Result<W> + Send + 'static,
    ) -> io::Result<Self> {
        let (chunks, waiting) = sync_channel(room);
        let (finished, done) = sync_channel(1);
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            let result = write_all(open, &waiting);
            // Before the word of the end, so that the clock hands nothing over that nobody takes.
            drop(waiting);
            // Nobody may be left who wants to know.
            drop(finished.send(result));
        })?;
        Ok(Self { path: path.to_owned(), chunks, next: Chunk::default(), broken: false, done })
    }

    /// Takes 20 ms of both directions; never waits.
    pub(super) fn write(&mut self, frame: RecordFrame) -> Taken {
        if self.broken {
            return Taken::Fine;
        }
        self.next.frames.push(frame);
        if self.next.frames.len() < CHUNK { Taken::Fine } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> Taken {
        let chunk = std::mem::take(&mut self.next);
        let lost = chunk.lost;
        match self.chunks.try_send(chunk) {
            Ok(()) if lost > 0 => Taken::Again { lost_ms: lost * FRAME_MS },
            Ok(()) => Taken::Fine,
            Err(TrySendError::Full(chunk)) => {
                self.next.lost = chunk.lost + chunk.frames.len() as u64;
                Taken::Fine
            }
            Err(TrySendError::Disconnected(_)) => {
                self.broken = true;
                Taken::Broken
            }
        }
    }

    /// Hands the last frames over; the thread completes the file.
    pub(crate) fn finish(mut self) -> Finishing {
        let lost_ms = match self.hand_over() {
            Taken::Again { lost_ms } => lost_ms,
            Taken::Fine => self.next.lost * FRAME_MS,
            Taken::Broken => 0,
        };
        Finishing { path: self.path, lost_ms, done: self.done }
    }
}

impl Finishing {
    /// Returns what was lost and not told yet, in milliseconds.
    pub(crate) const fn lost_ms(&self) -> u64 {
        self.lost_ms
    }

    /// Returns the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the file is complete; blocks for `patience` at most.
    pub(crate) fn wait(self, patience: Duration) -> Recorded {
        let result = match self.done.recv_timeout(patience) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(RecordingError::Slow { waited: patience }),
            Err(RecvTimeoutError::Disconnected) => Err(RecordingError::Thread),
        };
        Recorded { path: self.path, result }
    }
}

/// Writes until the clock's end is gone; returns the length in milliseconds.
fn write_all<W: Write + Seek>(
    open: impl FnOnce() -> io::Result<W>,
    chunks: &Receiver<Chunk>,
) -> Result<u64, RecordingError> {
    let mut writer = WavRecorder::new(open()?, RecordingLayout::Stereo, SAMPLE_RATE)?;
    let silence = Frame::silence(SAMPLE_RATE);
    for Chunk { lost, frames } in chunks {
        for _ in 0..lost {
            writer.write(&silence, &silence)?;
        }
        for frame in frames {
            writer.write(&frame.received, &frame.sent)?;
        }
    }
    let duration_ms = writer.frames() * FRAME_MS;
    writer.finish()?;
    Ok(duration_ms)
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, net::Ipv4Addr};

    use offhook_media::{
        codec::Codec,
        negotiate::MediaPlan,
        session::{Fact, MediaSession, SessionConfig},
    };
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        media::{LegHandle, MediaHub, Notice, Noticed},
        net::SystemNetwork,
    };

    const PATIENCE: Duration = Duration::from_secs(20);

    fn frame(level: i16) -> RecordFrame {
        let voice = |sample| {
            let mut frame = Frame::silence(SAMPLE_RATE);
            frame.fill(sample);
            frame
        };
        RecordFrame { received: voice(level), sent: voice(-level) }
    }

    /// A disk that stands still until it is released, and shows at last what it got.
    struct Disk {
        medium: Cursor<Vec<u8>>,
        content: std::sync::mpsc::Sender<Vec<u8>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.medium.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Disk {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            self.medium.seek(to)
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            self.content.send(std::mem::take(self.medium.get_mut())).unwrap();
        }
    }

    #[test]
    fn what_a_disk_that_stands_still_does_not_take_is_counted_and_silence_in_the_file() {
        let (release, released) = std::sync::mpsc::channel();
        let (content, written) = std::sync::mpsc::channel();
        let (opening, opened) = std::sync::mpsc::channel();
        let open = move || {
            opening.send(()).unwrap();
            released.recv().unwrap();
            Ok(Disk { medium: Cursor::default(), content })
        };
        let mut recorder = Recorder::with(Path::new("x.wav"), WAITING, open).unwrap();
        opened.recv().unwrap();
        // Two seconds wait, one second is lost.
        for _ in 0..CHUNK * WAITING + 50 {
            assert_eq!(recorder.write(frame(1000)), Taken::Fine);
        }
        release.send(()).unwrap();
        let mut told = Vec::new();
        while told.is_empty() {
            told.extend(Some(recorder.write(frame(2000))).filter(|taken| *taken != Taken::Fine));
            std::thread::yield_now();
        }
        let [Taken::Again { lost_ms }] = told[..] else { panic!("{told:?}") };
        assert!(lost_ms >= 1000 && lost_ms % 200 == 0, "{lost_ms}");
        let duration_ms = recorder.finish().wait(PATIENCE).result.unwrap();
        let samples: Vec<i16> = hound_samples(&written.recv().unwrap());
        let left = |ms: u64| samples[usize::try_from(ms * 8 * 2).unwrap()];
        assert_eq!((left(0), left(1999), left(2000), left(2000 + lost_ms - 1)), (1000, 1000, 0, 0));
        assert_eq!((left(2000 + lost_ms), samples.len() as u64), (2000, duration_ms * 16));
    }

    fn hound_samples(bytes: &[u8]) -> Vec<i16> {
        bytes[44..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
    }

    #[test]
    fn a_file_that_cannot_be_made_breaks_the_recording_and_says_why_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let mut recorder = Recorder::start(&in_the_way.join("x.wav")).unwrap();
        while recorder.write(frame(1)) != Taken::Broken {
            std::thread::yield_now();
        }
        let Err(RecordingError::File(_)) = recorder.finish().wait(PATIENCE).result else {
            panic!("no error")
        };
    }

    #[test]
    fn an_end_that_the_disk_does_not_take_is_not_waited_for() {
        let (_release, released) = std::sync::mpsc::channel::<()>();
        let open = move || {
            let _gone = released.recv();
            Ok(Cursor::new(Vec::new()))
        };
        let recorder = Recorder::with(Path::new("x.wav"), WAITING, open).unwrap();
        let recorded = recorder.finish().wait(Duration::from_millis(1));
        assert!(matches!(recorded.result, Err(RecordingError::Slow { .. })), "{recorded:?}");
    }

    fn speak(leg: &LegHandle, to: &LegHandle, seed: u64) {
        let interval = Some(Duration::from_millis(100));
        let config = SessionConfig { seed, statistics_interval: interval, ..SessionConfig::default() };
        leg.speak(|now| MediaSession::new(config, now));
        leg.session(|voice, now| voice.set_plan(now, MediaPlan::direct(Codec::PCMU, to.local())));
        leg.start();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_disk_that_stands_still_makes_no_leg_wait() {
        let hub = MediaHub::start(1);
        let network = SystemNetwork::default();
        let open = || hub.open(&network, Ipv4Addr::LOCALHOST.into(), None).unwrap();
        let (recorded, other) = (open(), open());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let stands_still = move || {
            let _at_the_end = released.recv();
            Ok(Cursor::new(Vec::new()))
        };
        recorded.record(Some(Recorder::with(Path::new("x.wav"), 1, stands_still).unwrap()));
        let (tell, mut told) = mpsc::channel(1000);
        other.listen(move |Notice { noticed, .. }| {
            if let Noticed::Voice(Fact::Statistics(figures)) = noticed {
                tell.try_send(figures.packets_received).unwrap();
            }
        });
        speak(&recorded, &other, 1);
        speak(&other, &recorded, 2);
        let heard = async { while told.recv().await.is_some_and(|packets| packets < 50) {} };
        tokio::time::timeout(PATIENCE, heard)
            .await
            .expect("a second of packets, sent and heard on one clock");
        let finishing = recorded.record(None).unwrap().finish();
        assert!(finishing.lost_ms() > 0, "the disk has taken nothing all the time");
        drop(release);
        assert!(finishing.wait(PATIENCE).result.is_ok());
    }
}
