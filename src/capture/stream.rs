//! The capture of one phone, seen from its sockets: which file a packet belongs to, and what waits
//! for the disk.
//!
//! Nothing here touches the disk: packets are made in memory, and a turn of `file` writes them.

use std::{
    collections::VecDeque,
    ffi::OsString,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use offhook_capture::{
    frame::Framer,
    write::{Interface, Writer},
};

use super::{CaptureFormat, CapturedCall, Common, file::File};
use crate::{
    artifact::ArtifactName,
    event::Cause,
    id::{CallId, PhoneId},
    media::Turn,
    net::{Sighting, Traffic, Transport, Way},
};

/// Bytes that are handed over together.
const CHUNK: usize = 64 * 1024;
/// How long packets of media wait while others follow; messages do not wait.
const AT_MOST: Duration = Duration::from_millis(500);
/// Bytes that may wait for a slow disk. What comes then is counted and lost.
const ROOM: usize = 8 * 1024 * 1024;

/// One phone's capture.
pub(super) struct Stream {
    pub(super) phone: PhoneId,
    pub(super) common: Arc<Common>,
    waiting: Mutex<Waiting>,
    /// Told when everything is written.
    idle: Condvar,
    /// The file on the disk; held by the turn that writes.
    file: Mutex<Option<File>>,
    /// The present file cannot be written.
    pub(super) broken: AtomicBool,
}

/// What waits for the disk, and the file that packets go to.
struct Waiting {
    jobs: VecDeque<Job>,
    /// Bytes in `jobs`.
    bytes: usize,
    turn: TurnState,
    framer: Framer,
    /// The calls that are up, and those that a file has had.
    calls: Vec<(CapturedCall, bool)>,
    file: Option<Present>,
    /// Files begun so far.
    number: u64,
    /// The files of a capture that goes on and on, oldest first.
    kept: VecDeque<PathBuf>,
    /// Why the next file is begun.
    cause: Cause,
}

/// Whether a turn will take what waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TurnState {
    /// None was asked for.
    Idle,
    /// One was asked for or is under way.
    Queued,
    /// The same, and something came since that must not wait.
    Wanted,
}

/// The file that packets go to.
struct Present {
    path: PathBuf,
    begun: Timestamp,
    /// The call it is named after.
    call: Option<CallId>,
    /// It had calls, and all of them are over.
    over: bool,
    stem_lent: bool,
    writer: Writer<Vec<u8>>,
    interface: Interface,
    records: Vec<Record>,
    /// Packets for which there was no room.
    lost: u64,
    /// When its last bytes were handed over.
    handed_over: Instant,
}

/// What a turn does, one after another.
pub(super) enum Job {
    Begin { path: PathBuf, continues: Option<PathBuf>, cause: Cause },
    Write(Chunk),
    AddCall { call: CallId, path: PathBuf, rename: bool, cause: Cause },
    End { cause: Cause },
    Remove(PathBuf),
}

/// A packet of a piece.
pub(super) struct Record {
    /// When it passed, since the Unix epoch.
    pub(super) at: Duration,
    /// Where it is in the piece.
    pub(super) place: Range<usize>,
}

/// A piece of a file.
pub(super) struct Chunk {
    /// The file's head, if this is its first piece, then records.
    pub(super) bytes: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// Packets that were lost before these.
    pub(super) lost: u64,
}

impl Stream {
    pub(super) fn new(phone: PhoneId, common: Arc<Common>, calls: Vec<CapturedCall>, cause: Cause) -> Self {
        let waiting = Waiting {
            jobs: VecDeque::new(),
            bytes: 0,
            turn: TurnState::Idle,
            framer: Framer::default(),
            calls: calls.into_iter().map(|call| (call, true)).collect(),
            file: None,
            number: 0,
            kept: VecDeque::new(),
            cause,
        };
        let (waiting, file) = (Mutex::new(waiting), Mutex::default());
        Self { phone, common, waiting, idle: Condvar::new(), file, broken: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what passed a socket.
    pub(super) fn see(self: &Arc<Self>, sighting: &Sighting<'_>) {
        let at = self.common.journal.wall().at(tokio::time::Instant::from_std(sighting.at));
        let begins_a_call =
            matches!(sighting.traffic, Traffic::Sip(_)) && sighting.bytes.starts_with(b"INVITE ");
        let mut waiting = self.lock();
        if begins_a_call && self.broken.swap(false, Ordering::Relaxed) {
            // The disk may have come back.
            waiting.file = None;
        }
        let ended = waiting.file.as_ref().is_some_and(|file| file.over && begins_a_call);
        if ended {
            waiting.finish(&Cause::Network);
        }
        if self.broken.load(Ordering::Relaxed) {
            return;
        }
        let full = |file: &Present| file.writer.written() >= self.common.options.most_bytes;
        let continues = waiting.file.as_ref().filter(|file| full(file)).map(|file| file.path.clone());
        if continues.is_some() {
            waiting.finish(&Cause::Network);
        }
        if waiting.file.is_none() {
            waiting.begin(self, at, continues);
        }
        let urgent = waiting.add(sighting, at);
        if urgent {
            self.ask_for_a_turn(&mut waiting);
        }
    }

    /// Notes a call that begins: the first one gives the file its name.
    pub(super) fn call_began(self: &Arc<Self>, call: CapturedCall, cause: &Cause) {
        let mut waiting = self.lock();
        if waiting.file.as_ref().is_some_and(|file| file.over) {
            waiting.finish(cause);
            waiting.cause = cause.clone();
        }
        let id = call.call;
        waiting.calls.push((call, true));
        waiting.add_call(self, id, cause);
        self.ask_for_a_turn(&mut waiting);
    }

    /// Notes that a call is over; returns the number of the file if it was its last one.
    pub(super) fn call_ended(&self, call: CallId) -> Option<u64> {
        let mut waiting = self.lock();
        let Waiting { calls, file, number, .. } = &mut *waiting;
        let (_, up) = calls.iter_mut().find(|(known, up)| known.call == call && *up)?;
        *up = false;
        let file = file.as_mut().filter(|_| calls.iter().all(|(_, up)| !up))?;
        file.over = true;
        Some(*number)
    }

    /// Ends the file; with a number, only if it is still that one and has no call.
    pub(super) fn finish(self: &Arc<Self>, number: Option<u64>, cause: &Cause) {
        let mut waiting = self.lock();
        let is_meant =
            |number| waiting.number == number && waiting.file.as_ref().is_some_and(|file| file.over);
        if number.is_none_or(is_meant) {
            waiting.finish(cause);
            self.ask_for_a_turn(&mut waiting);
        }
    }

    /// Waits until everything is on the disk; returns whether it is.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let at_work = |waiting: &mut Waiting| waiting.turn != TurnState::Idle;
        let waited = self.idle.wait_timeout_while(self.lock(), patience, at_work);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.turn == TurnState::Idle
    }

    /// Returns the stem of the file if it is named after this call, once.
    pub(super) fn lend_stem(&self, call: CallId) -> Option<OsString> {
        let mut waiting = self.lock();
        let file = waiting.file.as_mut().filter(|file| file.call == Some(call) && !file.stem_lent)?;
        file.stem_lent = true;
        file.path.file_stem().map(OsString::from)
    }

    /// Has a thread write what waits.
    fn ask_for_a_turn(self: &Arc<Self>, waiting: &mut Waiting) {
        if waiting.turn != TurnState::Idle {
            waiting.turn = TurnState::Wanted;
            return;
        }
        waiting.turn = TurnState::Queued;
        if let Err(error) = self.common.writers.queue(Arc::clone(self) as Arc<dyn Turn>) {
            // The next packet asks again.
            waiting.turn = TurnState::Idle;
            tracing::warn!(phone = %self.phone, %error, "no thread writes the capture");
        }
    }

    fn name(&self, call: Option<CallId>, at: Timestamp) -> PathBuf {
        let options = &self.common.options;
        let path = options.folder.path(&ArtifactName { phone: self.phone.clone(), call, at });
        match options.format {
            CaptureFormat::Pcap => path,
            CaptureFormat::Pcapng => path.with_extension("pcapng"),
        }
    }
}

impl Turn for Stream {
    fn take(&self) -> bool {
        let jobs = {
            let mut waiting = self.lock();
            waiting.hand_over();
            waiting.turn = TurnState::Queued;
            std::mem::take(&mut waiting.jobs)
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for job in jobs {
            let size = if let Job::Write(chunk) = &job { chunk.bytes.len() } else { 0 };
            File::carry_out(&mut file, job, self);
            let mut waiting = self.lock();
            waiting.bytes = waiting.bytes.saturating_sub(size);
        }
        let mut waiting = self.lock();
        let again = waiting.turn == TurnState::Wanted;
        if !again {
            waiting.turn = TurnState::Idle;
            self.idle.notify_all();
        }
        again
    }
}

impl Waiting {
    /// Begins a file with the packet that comes now.
    fn begin(&mut self, stream: &Stream, at: Timestamp, continues: Option<PathBuf>) {
        self.calls.retain(|(_, up)| *up);
        let call = self.calls.first().map(|(call, _)| call.call);
        let path = stream.name(call, at);
        let options = &stream.common.options;
        // Writing to memory does not fail.
        let Ok(mut writer) = Writer::new(Vec::new(), options.format) else { return };
        let Ok(interface) = writer.interface(stream.phone.as_str()) else { return };
        if continues.is_none() {
            self.kept.clear();
        }
        self.kept.push_back(path.clone());
        self.number = self.number.wrapping_add(1);
        let cause = std::mem::replace(&mut self.cause, Cause::Network);
        self.jobs.push_back(Job::Begin { path: path.clone(), continues, cause: cause.clone() });
        if self.kept.len() > options.most_files {
            self.jobs.extend(self.kept.pop_front().map(Job::Remove));
        }
        for (call, _) in &self.calls {
            let (call, path, cause) = (call.call, path.clone(), cause.clone());
            self.jobs.push_back(Job::AddCall { call, path, rename: false, cause });
        }
        self.file = Some(Present {
            path,
            begun: at,
            call,
            over: false,
            stem_lent: false,
            writer,
            interface,
            records: Vec::new(),
            lost: 0,
            handed_over: Instant::now(),
        });
    }

    /// Adds a call to the file that is there.
    fn add_call(&mut self, stream: &Stream, call: CallId, cause: &Cause) {
        // What was seen before belongs under the former name.
        self.hand_over();
        let Some(file) = &mut self.file else { return };
        let rename = file.call.is_none();
        if rename {
            let path = stream.name(Some(call), file.begun);
            if let Some(kept) = self.kept.back_mut() {
                kept.clone_from(&path);
            }
            file.path = path;
            file.call = Some(call);
        }
        let (path, cause) = (file.path.clone(), cause.clone());
        self.jobs.push_back(Job::AddCall { call, path, rename, cause });
    }

    /// Adds a packet; returns whether the file should be written now.
    fn add(&mut self, sighting: &Sighting<'_>, at: Timestamp) -> bool {
        let Self { framer, file, calls, bytes, .. } = self;
        let Some(file) = file else { return false };
        let waits = file.writer.output().len();
        let added =
            if bytes.saturating_add(waits) > ROOM { None } else { file.add(framer, calls, sighting, at) };
        if added.is_none() {
            file.lost = file.lost.saturating_add(1);
        }
        let waits = file.writer.output().len();
        let media = matches!(sighting.traffic, Traffic::Rtp | Traffic::Rtcp);
        !media || waits >= CHUNK || file.handed_over.elapsed() >= AT_MOST
    }

    /// Hands what the file has in memory over to a turn.
    fn hand_over(&mut self) {
        let Some(file) = &mut self.file else { return };
        let bytes = std::mem::take(file.writer.output());
        let (records, lost) = (std::mem::take(&mut file.records), std::mem::take(&mut file.lost));
        file.handed_over = Instant::now();
        if !bytes.is_empty() || lost > 0 {
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.jobs.push_back(Job::Write(Chunk { bytes, records, lost }));
        }
    }

    fn finish(&mut self, cause: &Cause) {
        self.hand_over();
        if self.file.take().is_some() {
            self.jobs.push_back(Job::End { cause: cause.clone() });
        }
    }
}

impl Present {
    /// Adds a packet; `None` if it cannot be in a file.
    fn add(
        &mut self,
        framer: &mut Framer,
        calls: &[(CapturedCall, bool)],
        sighting: &Sighting<'_>,
        at: Timestamp,
    ) -> Option<()> {
        let (from, to) = match sighting.way {
            Way::Sent => (sighting.local, sighting.remote),
            Way::Received => (sighting.remote, sighting.local),
        };
        let at = Duration::from_nanos(u64::try_from(at.as_nanosecond()).unwrap_or_default());
        let comment =
            (self.writer.format() == CaptureFormat::Pcapng).then(|| whose(sighting, calls)).flatten();
        let Self { writer, interface, records, .. } = self;
        let mut write = |packet: &[u8]| {
            let start = writer.output().len();
            writer.packet(at, *interface, packet, comment.as_deref()).ok()?;
            records.push(Record { at, place: start..writer.output().len() });
            Some(())
        };
        match sighting.traffic {
            Traffic::Sip(Transport::Udp) | Traffic::Rtp | Traffic::Rtcp => {
                write(framer.udp(from, to, sighting.bytes).ok()?)
            }
            Traffic::Sip(Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss) => {
                framer.tcp(from, to, sighting.bytes).ok()?.try_for_each(&mut write)
            }
        }
    }
}

/// Says which call a packet belongs to, in the words of the journal.
fn whose(sighting: &Sighting<'_>, calls: &[(CapturedCall, bool)]) -> Option<String> {
    let port = sighting.local.port();
    let is_of = |call: &CapturedCall| match sighting.traffic {
        Traffic::Rtp => port == call.rtp_port,
        Traffic::Rtcp => port.checked_sub(1) == Some(call.rtp_port),
        Traffic::Sip(_) => names(sighting.bytes, call.sip_call_id.as_bytes()),
    };
    // A port may have served an earlier call.
    calls.iter().rev().find(|(call, _)| is_of(call)).map(|(call, _)| call.call.to_string())
}

fn names(message: &[u8], sip_call_id: &[u8]) -> bool {
    !sip_call_id.is_empty() && message.windows(sip_call_id.len()).any(|part| part == sip_call_id)
}
