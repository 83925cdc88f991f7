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
    time::Duration,
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
/// Files that calls may begin within [`LATELY`]; further calls go into the present file. Others
/// decide how many calls come.
const MOST_BEGUN: usize = 10;
const LATELY: Duration = Duration::from_secs(10);
/// Files that a capture keeps, however small.
const MOST_FILES: usize = 1_000;
/// Calls that are over and still known by their packets.
const MOST_OVER: usize = 100;

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
    /// The calls that are up, oldest first.
    calls: Vec<CapturedCall>,
    /// Calls that the file has had; their last packets may still come.
    over: VecDeque<CapturedCall>,
    file: Option<Present>,
    /// Files begun so far.
    number: u64,
    /// When the last of them were begun.
    begun: VecDeque<Duration>,
    /// The files before the present one with their sizes, oldest first.
    kept: VecDeque<(PathBuf, u64)>,
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
    /// A recording has its stem.
    stem_lent: bool,
    writer: Writer<Vec<u8>>,
    interface: Interface,
    records: Vec<Record>,
    /// Packets for which there was no room.
    lost: u64,
    /// When its last bytes were handed over.
    handed_over: Duration,
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
            calls,
            over: VecDeque::new(),
            file: None,
            number: 0,
            begun: VecDeque::new(),
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
        if begins_a_call && waiting.may_begin(at) {
            if self.broken.swap(false, Ordering::Relaxed) {
                // The disk may have come back.
                waiting.file = None;
            }
            waiting.end_what_is_over(&Cause::Network);
        }
        if self.broken.load(Ordering::Relaxed) {
            return;
        }
        let full = |file: &Present| file.writer.written() >= self.common.options.form.most_bytes;
        let continues = waiting.file.as_ref().filter(|file| full(file)).map(|file| file.path.clone());
        if continues.is_some() {
            waiting.finish(&Cause::Network);
        }
        if waiting.file.is_none() {
            waiting.begin(self, at, continues);
        }
        let urgent = waiting.add(sighting, since_epoch(at));
        if urgent {
            self.ask_for_a_turn(&mut waiting);
        }
    }

    /// Notes a call that begins: the first one gives the file its name.
    pub(super) fn call_began(self: &Arc<Self>, call: CapturedCall, cause: &Cause) {
        let now = self.common.journal.wall().now();
        let mut waiting = self.lock();
        if !call.inbound && waiting.may_begin(now) {
            waiting.end_what_is_over(cause);
        }
        let id = call.call;
        waiting.calls.push(call);
        waiting.add_call(self, id, cause);
        self.ask_for_a_turn(&mut waiting);
    }

    /// Notes that a call is over; returns the number of the file if it was its last one.
    pub(super) fn call_ended(&self, call: CallId) -> Option<u64> {
        let mut waiting = self.lock();
        let place = waiting.calls.iter().position(|known| known.call == call)?;
        let ended = waiting.calls.remove(place);
        waiting.over.push_back(ended);
        if waiting.over.len() > MOST_OVER {
            waiting.over.pop_front();
        }
        let is_last = waiting.calls.is_empty();
        let file = waiting.file.as_mut().filter(|_| is_last)?;
        file.over = true;
        Some(waiting.number)
    }

    /// Returns the calls that are up here and not among these.
    pub(super) fn lost(&self, calls: &[CapturedCall]) -> Vec<CallId> {
        let is_there = |known: &CapturedCall| calls.iter().any(|there| there.call == known.call);
        self.lock().calls.iter().filter(|known| !is_there(known)).map(|known| known.call).collect()
    }

    /// Ends the file; with a number, only if it is still that one and has no call. Returns whether
    /// it did.
    pub(super) fn finish(self: &Arc<Self>, number: Option<u64>, cause: &Cause) -> bool {
        let mut waiting = self.lock();
        let is_meant =
            |number| waiting.number == number && waiting.file.as_ref().is_some_and(|file| file.over);
        let ends = number.is_none_or(is_meant);
        if ends {
            waiting.finish(cause);
            self.ask_for_a_turn(&mut waiting);
        }
        ends
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
        match options.form.format {
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
    /// Returns whether a call may begin a file of its own: not if many have done so lately. Its
    /// packets go into the present file then.
    fn may_begin(&self, at: Timestamp) -> bool {
        let since = since_epoch(at).saturating_sub(LATELY);
        self.begun.len() < MOST_BEGUN || self.begun.front().is_none_or(|first| *first <= since)
    }

    /// Ends a file whose calls are over.
    fn end_what_is_over(&mut self, cause: &Cause) {
        if self.file.as_ref().is_some_and(|file| file.over) {
            self.finish(cause);
            self.cause = cause.clone();
        }
    }

    /// Begins a file with the packet that comes now.
    fn begin(&mut self, stream: &Stream, at: Timestamp, continues: Option<PathBuf>) {
        let call = self.calls.first().map(|call| call.call);
        let path = stream.name(call, at);
        let options = &stream.common.options;
        // Writing to memory does not fail.
        let Ok(mut writer) = Writer::new(Vec::new(), options.form.format) else { return };
        let Ok(interface) = writer.interface(stream.phone.as_str()) else { return };
        self.over.clear();
        self.number = self.number.wrapping_add(1);
        if continues.is_none() {
            self.begun.push_back(since_epoch(at));
            if self.begun.len() > MOST_BEGUN {
                self.begun.pop_front();
            }
        }
        let cause = std::mem::replace(&mut self.cause, Cause::Network);
        self.jobs.push_back(Job::Begin { path: path.clone(), continues, cause: cause.clone() });
        self.make_room(options.form.most_bytes, options.form.most_files);
        for call in &self.calls {
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
            handed_over: since_epoch(at),
        });
    }

    /// Removes the oldest files beyond what a capture may keep beside the present one.
    fn make_room(&mut self, most_bytes: u64, most_files: usize) {
        let others = u64::try_from(most_files).unwrap_or(u64::MAX).saturating_sub(1);
        let most = most_bytes.saturating_mul(others);
        // A file may pass its size by one packet.
        let size = |(_, bytes): &(PathBuf, u64)| (*bytes).min(most_bytes);
        let mut kept: u64 = self.kept.iter().map(size).fold(0, u64::saturating_add);
        while kept > most || self.kept.len() >= MOST_FILES {
            let Some(oldest) = self.kept.pop_front() else { return };
            kept = kept.saturating_sub(size(&oldest));
            self.jobs.push_back(Job::Remove(oldest.0));
        }
    }

    /// Adds a call to the file that is there.
    fn add_call(&mut self, stream: &Stream, call: CallId, cause: &Cause) {
        // What was seen before belongs under the former name.
        self.hand_over();
        let Some(file) = &mut self.file else { return };
        file.over = false;
        let rename = file.call.is_none();
        if rename {
            file.path = stream.name(Some(call), file.begun);
            file.call = Some(call);
        }
        let (path, cause) = (file.path.clone(), cause.clone());
        self.jobs.push_back(Job::AddCall { call, path, rename, cause });
    }

    /// Adds a packet; returns whether the file should be written now.
    fn add(&mut self, sighting: &Sighting<'_>, at: Duration) -> bool {
        let Self { framer, file, calls, over, bytes, .. } = self;
        let Some(file) = file else { return false };
        let waits = file.writer.output().len();
        let comment = || whose(sighting, calls.iter().rev().chain(over.iter().rev()));
        let added =
            if bytes.saturating_add(waits) > ROOM { None } else { file.add(framer, comment, sighting, at) };
        if added.is_none() {
            file.lost = file.lost.saturating_add(1);
        }
        let waits = file.writer.output().len();
        let media = matches!(sighting.traffic, Traffic::Rtp | Traffic::Rtcp);
        !media || waits >= CHUNK || at.saturating_sub(file.handed_over) >= AT_MOST
    }

    /// Hands what the file has in memory over to a turn.
    fn hand_over(&mut self) {
        let Some(file) = &mut self.file else { return };
        let bytes = std::mem::take(file.writer.output());
        let (records, lost) = (std::mem::take(&mut file.records), std::mem::take(&mut file.lost));
        if let Some(last) = records.last() {
            file.handed_over = file.handed_over.max(last.at);
        }
        if !bytes.is_empty() || lost > 0 {
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.jobs.push_back(Job::Write(Chunk { bytes, records, lost }));
        }
    }

    fn finish(&mut self, cause: &Cause) {
        self.hand_over();
        if let Some(file) = self.file.take() {
            self.kept.push_back((file.path, file.writer.written()));
            self.jobs.push_back(Job::End { cause: cause.clone() });
        }
    }
}

impl Present {
    /// Adds a packet; `None` if it cannot be in a file.
    fn add(
        &mut self,
        framer: &mut Framer,
        comment: impl FnOnce() -> Option<String>,
        sighting: &Sighting<'_>,
        at: Duration,
    ) -> Option<()> {
        let (from, to) = match sighting.way {
            Way::Sent => (sighting.local, sighting.remote),
            Way::Received => (sighting.remote, sighting.local),
        };
        let comment = (self.writer.format() == CaptureFormat::Pcapng).then(comment).flatten();
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

fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(at.as_nanosecond()).unwrap_or_default())
}

/// Says which call a packet belongs to, in the words of the journal: the newest that it fits, since
/// a port may have served an earlier one.
fn whose<'a>(sighting: &Sighting<'_>, mut calls: impl Iterator<Item = &'a CapturedCall>) -> Option<String> {
    let port = sighting.local.port();
    let found = match sighting.traffic {
        Traffic::Rtp => calls.find(|call| port == call.rtp_port),
        Traffic::Rtcp => calls.find(|call| port.checked_sub(1) == Some(call.rtp_port)),
        Traffic::Sip(_) => {
            let named = sip_call_id(sighting.bytes)?;
            calls.find(|call| call.sip_call_id.as_bytes() == named)
        }
    };
    found.map(|call| call.call.to_string())
}

/// Returns the Call-ID of a message, also under its short name (RFC 3261 §20.8).
fn sip_call_id(message: &[u8]) -> Option<&[u8]> {
    let headers =
        message.split(|byte| *byte == b'\n').skip(1).take_while(|line| !line.trim_ascii().is_empty());
    headers.into_iter().find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = name.trim_ascii();
        let is_call_id = name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
        is_call_id.then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_belongs_to_the_call_of_its_header_and_not_of_any_other_text() {
        let refer =
            b"REFER sip:b@c SIP/2.0\r\nRefer-To: <sip:d@e?Replaces=other>\r\nCALL-ID : mine \r\n\r\ni: other";
        assert_eq!(sip_call_id(refer), Some(&b"mine"[..]));
        assert_eq!(sip_call_id(b"SIP/2.0 200 OK\r\ni:x@y\r\n\r\n"), Some(&b"x@y"[..]));
        for none in [&b"\r\n\r\n"[..], b"rubbish", b"INVITE a\r\n\r\nCall-ID: body"] {
            assert_eq!(sip_call_id(none), None);
        }
    }
}
