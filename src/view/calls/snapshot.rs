//! What is known of one call, and how each fact changes it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    command::{CommandKind, Standing},
    event::{
        CallEvent, CallPhase, CaptureEvent, Change, DialogIdentity, Direction, EndCause, Envelope,
        MediaDirection, MediaEvent, MediaStatistics, Party,
    },
    id::{CallId, PhoneId, Seq},
};

/// How many of a call's newest digits are kept in each direction.
const DIGITS: usize = 1_000;
/// How many of a call's newest captures are kept.
const CAPTURES: usize = 20;
/// How many of a call's newest recordings are kept.
const RECORDINGS: usize = 100;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallEnd {
    /// The time.
    pub at: Timestamp,
    /// Which side ended it.
    pub by: Party,
    /// The cause.
    pub cause: EndCause,
    /// Last SIP status that matters to the caller; `None` if there is none.
    pub status: Option<u16>,
    /// Reason phrase or sentence.
    pub reason: String,
    /// Milliseconds from establishment to the end.
    pub duration_ms: u64,
}

/// One recorded segment of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The file.
    pub path: String,
    /// Its length in milliseconds; `None` while it is being written.
    pub duration_ms: Option<u64>,
}

/// What is being sent to the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playing {
    /// File path or tone, as requested.
    pub source: String,
    /// Whether it repeats.
    pub repeat: bool,
}

/// The conference that a call is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conference {
    /// All its calls, this one included.
    pub members: Vec<CallId>,
    /// The members that the other side of this call hears.
    pub hears: Vec<CallId>,
    /// The members whose other sides hear this call.
    pub heard_by: Vec<CallId>,
}

/// The progress of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who requested it.
    pub by: Party,
    /// Refer-To URI.
    pub to: String,
    /// The status in the last notification, or the one that refused the REFER.
    pub status: Option<u16>,
    /// Its reason phrase.
    pub reason: Option<String>,
    /// The REFER itself was refused.
    #[serde(default)]
    pub refused: bool,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    /// Its id.
    pub id: CallId,
    /// Its phone.
    pub phone: PhoneId,
    /// Who placed it.
    pub direction: Direction,
    /// Its phase; a call that is ending keeps the phase it had.
    pub phase: CallPhase,
    /// The other side's address: the target as called, or the From header.
    pub remote: String,
    /// The other side's Contact.
    pub remote_contact: Option<String>,
    /// Our address: our URI, or the To header as addressed.
    pub local: String,
    /// `Call-ID` header.
    pub sip_call_id: String,
    /// Last SIP status of the call.
    pub status: Option<u16>,
    /// Its reason phrase.
    pub reason: Option<String>,
    /// Codec in use.
    pub codec: Option<String>,
    /// Direction of our media; `None` before there is any.
    pub media_direction: Option<MediaDirection>,
    /// Our RTP address.
    pub media_local: Option<String>,
    /// The other side's RTP address: where we send, or where its RTP was seen to come from.
    pub media_remote: Option<String>,
    /// Whether RTP that should arrive does not.
    pub reception_stopped: bool,
    /// Whether we hold the other side.
    pub held_by_local: bool,
    /// Whether the other side holds us.
    pub held_by_remote: bool,
    /// What our pending re-INVITE is to change; `None` if there is none.
    pub modifying: Option<Change>,
    /// When our side decided to end it.
    pub ending_at: Option<Timestamp>,
    /// When it was placed or arrived.
    pub started_at: Timestamp,
    /// When it first rang.
    pub ringing_at: Option<Timestamp>,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it was established.
    pub established_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<CallEnd>,
    /// The latest statistics of its media.
    pub statistics: Option<MediaStatistics>,
    /// Its recordings in order; the last may be open.
    pub recordings: Vec<Recording>,
    /// The capture files that hold it, in order.
    #[serde(default)]
    pub captures: Vec<String>,
    /// What is being sent.
    pub playing: Option<Playing>,
    /// The conference it is in.
    pub conference: Option<Conference>,
    /// Digits received so far, the newest ones.
    pub digits_received: String,
    /// Digits sent so far, the newest ones.
    pub digits_sent: String,
    /// Enough to end the dialog after a crash.
    pub dialog: Option<DialogIdentity>,
    /// The last transfer.
    pub transfer: Option<Transfer>,
    /// Position of its first event.
    pub first: Seq,
    /// Position of its latest event.
    pub latest: Seq,
}

impl CallView {
    /// Returns whether it is not over.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.end.is_none()
    }

    /// Returns how long the conversation lasted in milliseconds: to the decision to end it,
    /// otherwise to `until`.
    #[must_use]
    pub fn lasted_ms(&self, until: Timestamp) -> u64 {
        let since = self.established_at.or(self.answered_at);
        let until = self.ending_at.unwrap_or(until);
        let lasted = since.map_or(0, |since| until.as_millisecond() - since.as_millisecond());
        u64::try_from(lasted).unwrap_or_default()
    }

    /// Returns the commands that would not be rejected now.
    #[must_use]
    pub fn legal(&self) -> Vec<CommandKind> {
        let phase = if self.ending_at.is_some() { self.phase.max(CallPhase::Ending) } else { self.phase };
        let standing = Standing {
            direction: self.direction,
            phase,
            media: self.media_local.is_some(),
            held: self.held_by_local,
        };
        standing.legal()
    }

    /// Returns the file of the recording that is being written.
    #[must_use]
    pub fn open_recording(&self) -> Option<&str> {
        self.recordings.last().filter(|last| last.duration_ms.is_none()).map(|last| last.path.as_str())
    }

    /// Creates a view from the first fact of a call; `None` for other facts.
    pub(super) fn begin(id: CallId, phone: PhoneId, event: &CallEvent, envelope: &Envelope) -> Option<Self> {
        let First { direction, phase, remote, local, sip_call_id, contact } = first_fact(event)?;
        Some(Self {
            id,
            phone,
            direction,
            phase,
            remote: remote.clone(),
            remote_contact: contact.cloned(),
            local: local.clone(),
            sip_call_id: sip_call_id.clone(),
            status: None,
            reason: None,
            codec: None,
            media_direction: None,
            media_local: None,
            media_remote: None,
            reception_stopped: false,
            held_by_local: false,
            held_by_remote: false,
            modifying: None,
            ending_at: None,
            started_at: envelope.at,
            ringing_at: None,
            answered_at: None,
            established_at: None,
            end: None,
            statistics: None,
            recordings: Vec::new(),
            captures: Vec::new(),
            playing: None,
            conference: None,
            digits_received: String::new(),
            digits_sent: String::new(),
            dialog: None,
            transfer: None,
            first: envelope.seq,
            latest: envelope.seq,
        })
    }

    /// Applies one fact about the session.
    pub(super) fn session_fact(&mut self, event: &CallEvent, at: Timestamp) {
        match event {
            CallEvent::Trying {} => self.said(100, "Trying"),
            CallEvent::Ringing { status, reason, .. } => {
                self.said(*status, reason);
                self.ringing_at.get_or_insert(at);
                self.phase.advance(CallPhase::Early);
            }
            CallEvent::Answered { status, reason, .. } => {
                self.said(*status, reason);
                self.answered_at.get_or_insert(at);
                self.phase.advance(CallPhase::Answered);
            }
            CallEvent::Established { contact } => {
                self.established_at.get_or_insert(at);
                if contact.is_some() {
                    self.remote_contact.clone_from(contact);
                }
                self.phase.advance(CallPhase::Established);
            }
            CallEvent::Dialog { dialog } => self.dialog = Some(dialog.clone()),
            CallEvent::Held { by } => self.hold(*by, true),
            CallEvent::Resumed { by } => self.hold(*by, false),
            CallEvent::Modifying { change, .. } => self.modifying = Some(*change),
            CallEvent::Ending {} => drop(self.ending_at.get_or_insert(at)),
            CallEvent::ModifyFailed { .. } => self.modifying = None,
            CallEvent::Modified { by, codec, direction, .. } => {
                self.settled(*by);
                if codec.is_some() {
                    self.codec.clone_from(codec);
                }
                self.media_direction = Some(*direction);
            }
            CallEvent::TransferRequested { by, to } => {
                self.transfer =
                    Some(Transfer { by: *by, to: to.clone(), status: None, reason: None, refused: false });
            }
            CallEvent::TransferAccepted { .. } => {}
            CallEvent::TransferRefused { status, reason } => self.transfer_goes(*status, reason, true),
            CallEvent::TransferProgress { status, reason } => {
                self.transfer_goes(Some(*status), reason, false);
            }
            CallEvent::Ended { by, cause, status, reason, duration_ms } => {
                let end = CallEnd {
                    at,
                    by: *by,
                    cause: *cause,
                    status: *status,
                    reason: reason.clone(),
                    duration_ms: *duration_ms,
                };
                self.ended(end);
            }
            CallEvent::Crashed { .. } => self.sound_is_gone(),
            CallEvent::Placed { .. } | CallEvent::Incoming { .. } => {}
        }
    }

    /// Its actor, phone or process is gone, and its sound with it.
    pub(super) fn sound_is_gone(&mut self) {
        self.conference = None;
        self.playing = None;
    }

    fn transfer_goes(&mut self, status: Option<u16>, reason: &str, refused: bool) {
        if let Some(transfer) = &mut self.transfer {
            transfer.status = status;
            transfer.reason = Some(reason.to_owned());
            transfer.refused = refused;
        }
    }

    /// Applies one fact about the captures that hold it.
    pub(super) fn capture_fact(&mut self, event: &CaptureEvent) {
        if let CaptureEvent::CallAdded { path, .. } = event {
            self.captures.push(path.clone());
            if self.captures.len() > CAPTURES {
                self.captures.remove(0);
            }
        }
    }

    /// Applies one fact about its media.
    pub(super) fn media_fact(&mut self, event: &MediaEvent) {
        match event {
            MediaEvent::Started { local, remote, codec, direction, .. } => {
                self.media_local = Some(local.clone());
                self.media_remote.clone_from(remote);
                self.codec = Some(codec.clone());
                self.media_direction = Some(*direction);
            }
            MediaEvent::Changed { remote, codec, direction, .. } => {
                self.media_remote.clone_from(remote);
                self.codec = Some(codec.clone());
                self.media_direction = Some(*direction);
            }
            MediaEvent::FirstPacket { source, .. } | MediaEvent::SourceChanged { source, .. } => {
                self.media_remote = Some(source.clone());
            }
            MediaEvent::Statistics { statistics, .. } | MediaEvent::Stopped { statistics, .. } => {
                self.statistics = Some(statistics.clone());
            }
            MediaEvent::PlaybackStarted { source, repeat, .. } => {
                self.playing = Some(Playing { source: source.clone(), repeat: *repeat });
            }
            MediaEvent::PlaybackFinished { source, .. } => {
                // A replaced sound may report its end after its successor began.
                if self.playing.as_ref().is_some_and(|playing| playing.source == *source) {
                    self.playing = None;
                }
            }
            MediaEvent::ConferenceJoined { members, hears, heard_by, .. }
            | MediaEvent::ConferenceChanged { members, hears, heard_by, .. } => {
                let (members, hears, heard_by) = (members.clone(), hears.clone(), heard_by.clone());
                self.conference = Some(Conference { members, hears, heard_by });
            }
            MediaEvent::ConferenceLeft { .. } => self.conference = None,
            MediaEvent::RecordingStarted { path, .. } => self.recording_started(path.clone()),
            MediaEvent::SocketFailed { .. }
            | MediaEvent::SourceDiffers { .. }
            | MediaEvent::ForeignPackets { .. }
            | MediaEvent::FactsRefused { .. }
            | MediaEvent::RecordingGap { .. }
            | MediaEvent::RecordingFailed { .. } => {}
            MediaEvent::RecordingStopped { path, duration_ms, .. } => {
                if let Some(recording) = self.recordings.iter_mut().rev().find(|known| known.path == *path) {
                    recording.duration_ms = Some(*duration_ms);
                }
            }
            MediaEvent::DigitReceived { digit, .. } => {
                add_digits(&mut self.digits_received, digit.encode_utf8(&mut [0; 4]));
            }
            MediaEvent::DigitsSent { digits, .. } => add_digits(&mut self.digits_sent, digits),
            MediaEvent::ReceptionStopped { .. } => self.reception_stopped = true,
            MediaEvent::ReceptionResumed { .. } => self.reception_stopped = false,
            MediaEvent::PayloadChanged { .. }
            | MediaEvent::DigitStarted { .. }
            | MediaEvent::DigitsFinished { .. }
            | MediaEvent::DigitsCut { .. }
            | MediaEvent::SilenceStarted { .. }
            | MediaEvent::SilenceEnded { .. }
            | MediaEvent::ToneStarted { .. }
            | MediaEvent::ToneEnded { .. } => {}
        }
    }

    fn recording_started(&mut self, path: String) {
        self.recordings.push(Recording { path, duration_ms: None });
        if self.recordings.len() > RECORDINGS {
            self.recordings.remove(0);
        }
    }

    fn said(&mut self, status: u16, reason: &str) {
        self.status = Some(status);
        self.reason = Some(reason.to_owned());
    }

    /// Settles our change, unless the other side made the change.
    fn settled(&mut self, by: Party) {
        if by == Party::Local {
            self.modifying = None;
        }
    }

    fn hold(&mut self, by: Party, held: bool) {
        self.settled(by);
        match by {
            Party::Local => self.held_by_local = held,
            Party::Remote => self.held_by_remote = held,
        }
    }

    fn ended(&mut self, end: CallEnd) {
        self.phase = CallPhase::Ended;
        self.playing = None;
        self.conference = None;
        if let Some(status) = end.status {
            self.said(status, &end.reason);
        }
        self.end = Some(end);
    }
}

/// Adds digits and drops the oldest ones above the limit.
fn add_digits(known: &mut String, digits: &str) {
    known.push_str(digits);
    let surplus = known.chars().count().saturating_sub(DIGITS);
    if surplus > 0 {
        *known = known.chars().skip(surplus).collect();
    }
}

/// What the first fact of a call says.
struct First<'a> {
    direction: Direction,
    phase: CallPhase,
    remote: &'a String,
    local: &'a String,
    sip_call_id: &'a String,
    /// The other side's Contact.
    contact: Option<&'a String>,
}

/// Reads the first fact of a call; `None` for other facts.
fn first_fact(event: &CallEvent) -> Option<First<'_>> {
    Some(match event {
        CallEvent::Placed { target, local, sip_call_id } => {
            let (direction, phase) = (Direction::Outbound, CallPhase::Calling);
            First { direction, phase, remote: target, local, sip_call_id, contact: None }
        }
        CallEvent::Incoming { remote, local, sip_call_id, contact } => {
            let (direction, phase) = (Direction::Inbound, CallPhase::Incoming);
            First { direction, phase, remote, local, sip_call_id, contact: contact.as_ref() }
        }
        CallEvent::Trying {}
        | CallEvent::Ringing { .. }
        | CallEvent::Answered { .. }
        | CallEvent::Established { .. }
        | CallEvent::Dialog { .. }
        | CallEvent::Modifying { .. }
        | CallEvent::Ending {}
        | CallEvent::Held { .. }
        | CallEvent::Resumed { .. }
        | CallEvent::Modified { .. }
        | CallEvent::ModifyFailed { .. }
        | CallEvent::TransferRequested { .. }
        | CallEvent::TransferAccepted { .. }
        | CallEvent::TransferRefused { .. }
        | CallEvent::TransferProgress { .. }
        | CallEvent::Ended { .. }
        | CallEvent::Crashed { .. } => return None,
    })
}
