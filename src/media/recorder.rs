//! A recording: two channels of 16-bit PCM at the rate of its first frame, written in turns on
//! threads shared by all recordings of a hub.
//!
//! Left is what was received, right what was sent, so that each direction can be measured on its
//! own. The media clock hands frames over and never waits for the disk: frames that find no room
//! are counted, reported, and written as silence. Such a thread also creates and completes the
//! file.

use std::{
    collections::VecDeque,
    io::{self, BufWriter, Seek, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use offhook_media::{
    audio::{Frame, RecordingLayout, SAMPLE_RATE, WavError, WavRecorder},
    session::RecordFrame,
};

use super::{
    leg::guard,
    writers::{Turn, Writers},
};

/// Frames handed over together, 200 ms: a recording wakes a thread five times a second.
const CHUNK: usize = 10;
/// Chunks that may wait for the disk, two seconds of them.
const WAITING: usize = 10;
/// Duration of a frame in milliseconds.
const FRAME_MS: u64 = 20;

/// The clock's end of a recording.
pub(crate) struct Recorder {
    path: PathBuf,
    feed: Feed,
    next: Chunk,
    /// Nothing is written any more, and that has been reported.
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
    /// Frames lost before these.
    lost: u64,
    frames: Vec<RecordFrame>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It has been handed over, or waits until its chunk is full.
    Fine,
    /// The disk accepts frames again; this much was lost meanwhile.
    Again {
        /// In milliseconds.
        lost_ms: u64,
    },
    /// Nothing is written any more; the end of the recording says why. Returned once.
    Broken,
}

/// A recording that gets no more frames.
#[derive(Debug)]
pub(crate) struct Finishing {
    path: PathBuf,
    lost_ms: u64,
    done: Receiver<Result<u64, RecordingError>>,
}

/// A recording that has ended.
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
    /// The folder or the file cannot be created.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Writing failed later.
    #[error(transparent)]
    Write(#[from] WavError),
    /// The disk did not complete it in time.
    #[error("the disk did not take the rest within {} ms", .waited.as_millis())]
    Slow {
        /// How long it had.
        waited: Duration,
    },
    /// Its last turn panicked.
    #[error("the writing thread failed")]
    Thread,
}

impl Recorder {
    /// Starts a recording; one of the threads creates the file and the folders above it.
    ///
    /// # Errors
    /// The system provides no thread.
    pub(super) fn start(writers: &Arc<Writers>, path: &Path) -> io::Result<Self> {
        let file = path.to_owned();
        Self::with(writers, path, WAITING, move || {
            if let Some(folder) = file.parent() {
                crate::private::create_folder(folder)?;
            }
            Ok(BufWriter::new(crate::private::create_file(&file)?))
        })
    }

    /// Starts a recording to what `open` creates on a thread; `room` chunks may wait for it.
    fn with<W: Medium + 'static>(
        writers: &Arc<Writers>,
        path: &Path,
        room: usize,
        open: impl FnOnce() -> io::Result<W> + Send + 'static,
    ) -> io::Result<Self> {
        let (finished, done) = sync_channel(1);
        let open: Open = Box::new(move || Ok(Box::new(open()?)));
        let file = Mutex::new(Some(Written { file: WavFile::Closed(open), finished }));
        let recording = Arc::new(Recording { inbox: Mutex::new(Inbox { room, ..Inbox::default() }), file });
        let feed = Feed { recording, writers: Arc::clone(writers) };
        feed.wake(&mut guard(&feed.recording.inbox))?;
        Ok(Self { path: path.to_owned(), feed, next: Chunk::default(), broken: false, done })
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
        match self.feed.give(chunk) {
            Given::Taken if lost > 0 => Taken::Again { lost_ms: lost * FRAME_MS },
            Given::Taken => Taken::Fine,
            Given::Full(chunk) => {
                self.next.lost = chunk.lost + chunk.frames.len() as u64;
                Taken::Fine
            }
            Given::Broken => {
                self.broken = true;
                Taken::Broken
            }
        }
    }

    /// Hands the last frames over; a thread completes the file.
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
    /// Returns how many milliseconds were lost and not reported yet.
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

/// What a recording can be written to.
trait Medium: Write + Seek + Send {}

impl<W: Write + Seek + Send> Medium for W {}

type Open = Box<dyn FnOnce() -> io::Result<Box<dyn Medium>> + Send>;

/// The part of a recording that the clock and the threads share.
struct Recording {
    inbox: Mutex<Inbox>,
    /// The thread that has the turn takes the file out: `None` then, and when nothing is written
    /// any more.
    file: Mutex<Option<Written>>,
}

/// What waits for a turn.
#[derive(Default)]
struct Inbox {
    chunks: VecDeque<Chunk>,
    /// Chunks that may wait.
    room: usize,
    /// It has a turn, or waits for one.
    queued: bool,
    /// No more frames come.
    ended: bool,
    /// Nothing is written any more.
    broken: bool,
}

/// The file, and whom to tell how it ended.
struct Written {
    file: WavFile,
    finished: SyncSender<Result<u64, RecordingError>>,
}

enum WavFile {
    /// Its first turn creates it.
    Closed(Open),
    /// Nothing has come yet that has a rate.
    Empty(Box<dyn Medium>),
    Open(Box<WavRecorder<Box<dyn Medium>>>),
}

impl WavFile {
    /// Returns the writer; one that is made now has `rate`.
    fn writer(self, rate: u32) -> Result<Box<WavRecorder<Box<dyn Medium>>>, RecordingError> {
        let medium = match self {
            Self::Closed(open) => open()?,
            Self::Empty(medium) => medium,
            Self::Open(writer) => return Ok(writer),
        };
        Ok(Box::new(WavRecorder::new(medium, RecordingLayout::Stereo, rate)?))
    }
}

/// Gives a recording its chunks; ends it when dropped.
struct Feed {
    recording: Arc<Recording>,
    writers: Arc<Writers>,
}

/// What became of a chunk.
enum Given {
    Taken,
    Full(Chunk),
    Broken,
}

impl Feed {
    fn give(&self, chunk: Chunk) -> Given {
        let mut inbox = guard(&self.recording.inbox);
        if inbox.broken {
            return Given::Broken;
        }
        if inbox.chunks.len() >= inbox.room {
            return Given::Full(chunk);
        }
        inbox.chunks.push_back(chunk);
        self.try_wake(&mut inbox);
        Given::Taken
    }

    /// Requests a turn, unless there already is one.
    fn wake(&self, inbox: &mut Inbox) -> io::Result<()> {
        if !inbox.queued {
            self.writers.queue(Arc::clone(&self.recording) as Arc<dyn Turn>)?;
            inbox.queued = true;
        }
        Ok(())
    }

    /// Requests a turn; if the system provides no thread, the next chunk tries again.
    fn try_wake(&self, inbox: &mut Inbox) {
        if let Err(error) = self.wake(inbox) {
            tracing::warn!(%error, "a recording finds no thread");
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut inbox = guard(&self.recording.inbox);
        inbox.ended = true;
        self.try_wake(&mut inbox);
    }
}

impl Turn for Recording {
    fn take(&self) -> bool {
        let Some(Written { file, finished }) = guard(&self.file).take() else { return false };
        // A bug of ours costs this recording, and its call is told.
        let written = catch_unwind(AssertUnwindSafe(|| self.write(file)));
        match written.unwrap_or(Err(RecordingError::Thread)) {
            Ok(Progress::Waits(file)) => {
                *guard(&self.file) = Some(Written { file, finished });
                let mut inbox = guard(&self.inbox);
                inbox.queued = inbox.ended || !inbox.chunks.is_empty();
                return inbox.queued;
            }
            Ok(Progress::Complete { duration_ms }) => drop(finished.send(Ok(duration_ms))),
            Err(error) => {
                // Set before the end is reported, so that the clock hands over nothing that nobody
                // takes.
                let mut inbox = guard(&self.inbox);
                inbox.broken = true;
                inbox.chunks.clear();
                drop(inbox);
                // Nobody may be left to be told.
                drop(finished.send(Err(error)));
            }
        }
        false
    }
}

/// How far a turn got.
enum Progress {
    /// Everything that has come is written.
    Waits(WavFile),
    /// No more frames come.
    Complete {
        /// Its length.
        duration_ms: u64,
    },
}

impl Recording {
    /// Writes everything that waits, and completes the file if no more frames come.
    fn write(&self, file: WavFile) -> Result<Progress, RecordingError> {
        let mut file = match file {
            WavFile::Closed(open) => WavFile::Empty(open()?),
            made @ (WavFile::Empty(_) | WavFile::Open(_)) => made,
        };
        loop {
            let (next, ended) = {
                let mut inbox = guard(&self.inbox);
                (inbox.chunks.pop_front(), inbox.ended)
            };
            match next {
                Some(Chunk { lost, frames }) => {
                    let rate = |frame: &RecordFrame| frame.received.rate().max(frame.sent.rate());
                    let mut writer = file.writer(frames.first().map_or(SAMPLE_RATE, rate))?;
                    let silence = Frame::silence(writer.rate());
                    for _ in 0..lost {
                        writer.write(&silence, &silence)?;
                    }
                    for frame in frames {
                        writer.write(&frame.received, &frame.sent)?;
                    }
                    file = WavFile::Open(writer);
                }
                None if ended => {
                    let writer = file.writer(SAMPLE_RATE)?;
                    let duration_ms = writer.frames() * FRAME_MS;
                    writer.finish()?;
                    return Ok(Progress::Complete { duration_ms });
                }
                None => return Ok(Progress::Waits(file)),
            }
        }
    }
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

    fn writers() -> Arc<Writers> {
        Arc::default()
    }

    fn frame(level: i16) -> RecordFrame {
        let voice = |sample| {
            let mut frame = Frame::silence(SAMPLE_RATE);
            frame.fill(sample);
            frame
        };
        RecordFrame { received: voice(level), sent: voice(-level) }
    }

    /// A disk that stands still until it is released, and then shows what was written to it.
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
        let mut recorder = Recorder::with(&writers(), Path::new("x.wav"), WAITING, open).unwrap();
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
    fn a_recording_has_the_rate_of_its_first_frame_and_keeps_it_when_the_codec_changes() {
        for (first, then) in [(16_000, 8000), (8000, 16_000)] {
            let (content, written) = std::sync::mpsc::channel();
            let open = move || Ok(Disk { medium: Cursor::default(), content });
            let mut recorder = Recorder::with(&writers(), Path::new("x.wav"), WAITING, open).unwrap();
            for rate in [first, then, first] {
                for _ in 0..CHUNK {
                    let mut voice = Frame::silence(rate);
                    voice.fill(1000);
                    let frame = RecordFrame { received: voice.clone(), sent: voice };
                    assert_eq!(recorder.write(frame), Taken::Fine);
                }
            }
            assert_eq!(recorder.finish().wait(PATIENCE).result.unwrap(), 600);
            let bytes = written.recv().unwrap();
            assert_eq!(bytes[24..28], first.to_le_bytes(), "the rate in the header");
            let samples = hound_samples(&bytes);
            assert_eq!(samples.len() as u32, first * 2 * 600 / 1000);
            // The converter fills within 10 ms.
            let quiet = samples.iter().filter(|sample| **sample < 900).count() as u32;
            assert!(quiet < first * 2 / 100, "{quiet} samples");
        }
    }

    #[test]
    fn a_file_that_cannot_be_made_breaks_the_recording_and_says_why_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let mut recorder = Recorder::start(&writers(), &in_the_way.join("x.wav")).unwrap();
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
        let recorder = Recorder::with(&writers(), Path::new("x.wav"), WAITING, open).unwrap();
        let recorded = recorder.finish().wait(Duration::from_millis(1));
        assert!(matches!(recorded.result, Err(RecordingError::Slow { .. })), "{recorded:?}");
    }

    #[test]
    fn hundreds_of_recordings_share_four_threads_and_one_slow_disk_holds_up_no_other() {
        let writers = writers();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let stands_still = move || {
            let _at_the_end = released.recv();
            Ok(Cursor::new(Vec::new()))
        };
        let slow = Recorder::with(&writers, Path::new("slow.wav"), WAITING, stands_still).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |number: u16| folder.path().join(format!("{number}.wav"));
        let start = |number| Recorder::start(&writers, &path(number)).unwrap();
        let mut others: Vec<_> = (0..300).map(start).collect();
        // Two and a half chunks.
        for _ in 0..25 {
            for recorder in &mut others {
                assert_eq!(recorder.write(frame(1000)), Taken::Fine);
            }
        }
        assert!((1..=4).contains(&writers.threads()), "{} threads", writers.threads());
        for finishing in others.into_iter().map(Recorder::finish).collect::<Vec<_>>() {
            assert_eq!(finishing.lost_ms(), 0);
            let Recorded { path, result } = finishing.wait(PATIENCE);
            assert_eq!(result.unwrap(), 500);
            let samples = hound_samples(&std::fs::read(path).unwrap());
            assert_eq!((samples.len(), samples[0], samples[7999]), (8000, 1000, -1000));
        }
        drop(release);
        assert_eq!(slow.finish().wait(PATIENCE).result.unwrap(), 0);
    }

    #[test]
    fn a_recording_that_panics_says_so_and_holds_up_no_other() {
        let writers = writers();
        let broken = || -> io::Result<Cursor<Vec<u8>>> { panic!("a broken disk") };
        for _ in 0..5 {
            let mut recorder = Recorder::with(&writers, Path::new("x.wav"), WAITING, broken).unwrap();
            // The clock, and through it the call, learns of it while the recording is still on.
            let until = std::time::Instant::now() + PATIENCE;
            while recorder.write(frame(1)) != Taken::Broken {
                assert!(std::time::Instant::now() < until, "nobody says that it is broken");
                std::thread::yield_now();
            }
            let result = recorder.finish().wait(PATIENCE).result;
            assert!(matches!(result, Err(RecordingError::Thread)), "{result:?}");
        }
        let open = || Ok(Cursor::new(Vec::new()));
        let recorder = Recorder::with(&writers, Path::new("x.wav"), WAITING, open).unwrap();
        assert_eq!(recorder.finish().wait(PATIENCE).result.unwrap(), 0);
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
        recorded.record(Some(Recorder::with(&writers(), Path::new("x.wav"), 1, stands_still).unwrap()));
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
