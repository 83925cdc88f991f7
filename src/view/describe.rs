//! The essential data of an event in one line, for timelines and the log.

use crate::{
    event::{
        CallEvent, CaptureEvent, Change, DigitMethod, EndCause, Event, MediaDirection, MediaEvent,
        MediaSocket, MediaStatistics, NextHop, Party, PhoneEvent, RunEvent, SipEvent, SipSummary,
        SystemEvent, Verdict,
    },
    id::CallId,
};

/// Describes in one line what happened, without repeating kind or subject.
#[must_use]
pub fn describe(event: &Event) -> String {
    let text = match event {
        Event::Phone(event) => phone(event),
        Event::Call(event) => call(event),
        Event::Media(event) => media(event),
        Event::Capture(event) => capture(event),
        Event::Sip(event) => sip(event),
        Event::Run(event) => run(event),
        Event::System(SystemEvent::Started { version }) => format!("version {version}"),
        Event::System(SystemEvent::Stopped {}) => String::new(),
        Event::System(SystemEvent::PbxLinked { name, system, address }) => {
            format!("{name}, {system} at {address}")
        }
        Event::System(SystemEvent::PbxUnreachable { name, system, reason }) => {
            format!("{name}, {system}: {reason}")
        }
        Event::System(SystemEvent::PbxLost { name, reason }) => format!("{name}: {reason}"),
        Event::System(SystemEvent::PbxUnlinked { name }) => name.clone(),
        Event::System(SystemEvent::Missing { after, count }) => {
            format!("{count} event{} after {after}", if *count == 1 { "" } else { "s" })
        }
        Event::System(SystemEvent::Pruned { from, to, count, by, calls, runs }) => {
            let how_many = |ranges: &[[u64; 2]]| {
                ranges.iter().map(|[first, last]| last.saturating_sub(*first).saturating_add(1)).sum::<u64>()
            };
            let (calls, runs) = (how_many(calls), how_many(runs));
            format!("{count} events from {from} to {to}: {calls} calls, {runs} runs ({by})")
        }
    };
    one_line(&text)
}

/// Escapes control characters, so that a peer's text cannot forge a line.
fn one_line(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

fn status(status: Option<u16>, reason: &str) -> String {
    status.map_or_else(|| reason.to_owned(), |status| format!("{status} {reason}"))
}

fn phone(event: &PhoneEvent) -> String {
    match event {
        PhoneEvent::Added { spec } | PhoneEvent::Updated { spec } => {
            format!("sip:{}@{}", spec.username, spec.domain)
        }
        PhoneEvent::Bound { local } => local.to_string(),
        PhoneEvent::Dropped {} => String::new(),
        PhoneEvent::Registering { registrar } => format!("at {registrar}"),
        PhoneEvent::Registered { status, reason, expires_s } => {
            format!("{status} {reason}, for {expires_s} s")
        }
        PhoneEvent::RegistrationFailed { status: code, reason, retry_in_ms } => {
            let retry = retry_in_ms
                .map_or_else(|| "not retried".to_owned(), |ms| format!("retried in {}", seconds(ms)));
            format!("{}, {retry}", status(*code, reason))
        }
        PhoneEvent::Unregistered { status } => {
            status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
        }
        PhoneEvent::Crashed { reason } => reason.clone(),
        PhoneEvent::Restarted { attempt } => format!("attempt {attempt}"),
        PhoneEvent::MessageReceived { from, body, .. } => format!("from {from}: {body}"),
        PhoneEvent::MessageSent { to, body, .. } => format!("to {to}: {body}"),
        PhoneEvent::MessageDelivered { to, status, .. } => format!("to {to}: {status}"),
        PhoneEvent::MessageFailed { to, status: code, reason, .. } => {
            format!("to {to}: {}", status(*code, reason))
        }
    }
}

fn call(event: &CallEvent) -> String {
    match event {
        CallEvent::Placed { target, .. } => format!("to {target}"),
        CallEvent::Incoming { remote, .. } => format!("from {remote}"),
        CallEvent::Trying {} | CallEvent::Ending {} => String::new(),
        CallEvent::Modifying { change: Change::Hold, .. } => "to hold".to_owned(),
        CallEvent::Modifying { change: Change::Resume, .. } => "to resume".to_owned(),
        CallEvent::Modifying { change: Change::Codecs, codecs } => {
            format!("to {}", codecs.as_deref().unwrap_or_default().join(", "))
        }
        CallEvent::Ringing { status, reason, early_media } => {
            format!("{status} {reason}{}", if *early_media { ", early media" } else { "" })
        }
        CallEvent::Answered { by, status, reason } => format!("{status} {reason}, by {}", party(*by)),
        CallEvent::Established { contact } => {
            contact.as_ref().map(|uri| format!("with {uri}")).unwrap_or_default()
        }
        CallEvent::Dialog { dialog } => format!("Call-ID {}", dialog.sip_call_id),
        CallEvent::Held { by } | CallEvent::Resumed { by } => format!("by {}", party(*by)),
        CallEvent::Modified { by, codec, direction, .. } => {
            let codec = codec.as_deref().unwrap_or("no codec");
            format!("{codec} {}, by {}", media_direction(*direction), party(*by))
        }
        CallEvent::ModifyFailed { status: code, reason } => status(*code, reason),
        CallEvent::TransferRequested { by, to } => format!("to {to}, by {}", party(*by)),
        CallEvent::TransferAccepted { status } => status.to_string(),
        CallEvent::TransferRefused { status: code, reason } => status(*code, reason),
        CallEvent::TransferProgress { status, reason } => format!("{status} {reason}"),
        CallEvent::Ended { by, cause, status: code, reason, duration_ms } => {
            let cause = end_cause(*cause);
            format!("{cause}, by {}: {}, after {}", party(*by), status(*code, reason), seconds(*duration_ms))
        }
        CallEvent::Crashed { reason } => reason.clone(),
    }
}

fn capture(event: &CaptureEvent) -> String {
    match event {
        CaptureEvent::Started { path, continues: None } | CaptureEvent::Removed { path } => path.clone(),
        CaptureEvent::Started { path, continues: Some(before) } => format!("{path}, after {before}"),
        CaptureEvent::CallAdded { path, renamed_from: None } => path.clone(),
        CaptureEvent::CallAdded { path, renamed_from: Some(before) } => format!("{path}, so far {before}"),
        CaptureEvent::Gap { path, lost } => format!("{path}: {lost} packets are missing"),
        CaptureEvent::Stopped { path, packets, bytes } => format!("{path}: {packets} packets, {bytes} bytes"),
        CaptureEvent::Failed { path, reason } => format!("{path}: {reason}"),
    }
}

fn media(event: &MediaEvent) -> String {
    match event {
        MediaEvent::Started { local, remote, codec, direction, .. } => {
            let remote = remote.as_deref().unwrap_or("nowhere yet");
            format!("{codec} {}, {local} with {remote}", media_direction(*direction))
        }
        MediaEvent::Changed { remote, codec, direction, .. } => {
            let remote = remote.as_deref().unwrap_or("nowhere yet");
            format!("{codec} {}, now with {remote}", media_direction(*direction))
        }
        MediaEvent::FirstPacket { source, payload_type, .. } => {
            format!("from {source}, payload type {payload_type}")
        }
        MediaEvent::SourceChanged { source, .. } => format!("now from {source}"),
        MediaEvent::SourceDiffers { negotiated, source, .. } => format!("from {source}, not {negotiated}"),
        MediaEvent::ForeignPackets { source, packets, .. } => {
            format!("{packets} packet{}, the last from {source}", if *packets == 1 { "" } else { "s" })
        }
        MediaEvent::Statistics { statistics: figures, .. }
        | MediaEvent::Stopped { statistics: figures, .. } => statistics(figures),
        MediaEvent::ReceptionStopped { quiet_ms, .. } => format!("quiet for {}", seconds(*quiet_ms)),
        MediaEvent::ReceptionResumed { .. } | MediaEvent::SilenceStarted { .. } => String::new(),
        MediaEvent::SilenceEnded { duration_ms, .. } => format!("after {}", seconds(*duration_ms)),
        MediaEvent::ToneStarted { hz, level_dbfs, .. } => format!("{hz:.0} Hz at {level_dbfs:.1} dBFS"),
        MediaEvent::ToneEnded { hz, duration_ms, .. } => {
            format!("{hz:.0} Hz, after {}", seconds(*duration_ms))
        }
        MediaEvent::PlaybackStarted { source, repeat, .. } => {
            format!("{source}{}", if *repeat { ", repeated" } else { "" })
        }
        MediaEvent::PlaybackFinished { source, .. } => source.clone(),
        MediaEvent::ConferenceJoined { members, hears, heard_by, .. }
        | MediaEvent::ConferenceChanged { members, hears, heard_by, .. } => {
            format!("{}; hears {}, heard by {}", calls(members), calls(hears), calls(heard_by))
        }
        MediaEvent::ConferenceLeft { .. } => String::new(),
        MediaEvent::RecordingStarted { path, .. } => path.clone(),
        MediaEvent::RecordingStopped { path, duration_ms, .. } => {
            format!("{path}, {}", seconds(*duration_ms))
        }
        MediaEvent::SocketFailed { socket: MediaSocket::Rtp, reason, .. } => format!("RTP: {reason}"),
        MediaEvent::SocketFailed { socket: MediaSocket::Rtcp, reason, .. } => format!("RTCP: {reason}"),
        MediaEvent::FactsRefused { count, .. } => count.to_string(),
        MediaEvent::RecordingGap { path, lost_ms, .. } => format!("{path}, {} missing", seconds(*lost_ms)),
        MediaEvent::RecordingFailed { path, reason, .. } => format!("{path}: {reason}"),
        MediaEvent::PayloadChanged { payload_type, codec, .. } => {
            format!("{codec}, payload type {payload_type}")
        }
        MediaEvent::DigitStarted { digit, method, .. } => format!("{digit}, {}", digit_method(*method)),
        MediaEvent::DigitReceived { digit, duration_ms, method, .. } => {
            format!("{digit}, {duration_ms} ms, {}", digit_method(*method))
        }
        MediaEvent::DigitsSent { digits, method, .. } => format!("{digits}, {}", digit_method(*method)),
        MediaEvent::DigitsFinished { digits, .. } | MediaEvent::DigitsCut { digits, .. } => digits.clone(),
    }
}

fn calls(calls: &[CallId]) -> String {
    match calls {
        [] => "none".to_owned(),
        calls => calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

fn statistics(figures: &MediaStatistics) -> String {
    let MediaStatistics { sent_packets, received_packets, lost, jitter_ms, mos, .. } = figures;
    let mos = mos.map(|mos| format!(", MOS {mos:.2}")).unwrap_or_default();
    format!("sent {sent_packets}, received {received_packets}, lost {lost}, jitter {jitter_ms:.1} ms{mos}")
}

fn sip(event: &SipEvent) -> String {
    match event {
        SipEvent::Sent { remote, summary, retransmission, .. } => {
            let again = if *retransmission { ", again" } else { "" };
            format!("{} to {remote}{again}", message(summary))
        }
        SipEvent::Received { remote, summary, .. } => format!("{} from {remote}", message(summary)),
        SipEvent::Anomaly { what, remote, .. } => {
            remote.as_ref().map_or_else(|| what.clone(), |remote| format!("{what}, from {remote}"))
        }
        SipEvent::Resolved { uri, targets, problem, .. } => resolved(uri, targets, problem.as_deref()),
        SipEvent::FailedOver { method, from, to, reason } => {
            format!("{method} to {} after {}: {reason}", place(to), place(from))
        }
        SipEvent::Refused { count } => format!("{count} datagrams"),
    }
}

fn resolved(uri: &str, targets: &[NextHop], problem: Option<&str>) -> String {
    let places: Vec<_> = targets.iter().map(place).collect();
    match problem {
        Some(problem) => format!("{uri} leads nowhere: {problem}"),
        None => format!("{uri} is {}", places.join(", then ")),
    }
}

fn place(NextHop { transport, address }: &NextHop) -> String {
    format!("{transport} {address}")
}

fn message(summary: &SipSummary) -> String {
    let method = summary.method.as_deref().unwrap_or("a message");
    let sdp = if summary.sdp { " with SDP" } else { "" };
    match summary.status {
        Some(status) => {
            format!("{status} {} to {method}{sdp}", summary.reason.as_deref().unwrap_or_default())
        }
        None => format!("{method}{sdp}"),
    }
}

fn run(event: &RunEvent) -> String {
    match event {
        RunEvent::Started { name, phones, .. } => format!("{name}, phones {}", phones.join(" ")),
        RunEvent::HookFired { hook, by } => format!("{hook}, by event {by}"),
        RunEvent::ActionStarted { action, args, .. } => format!("{action} {args}"),
        RunEvent::ActionFailed { action, error, .. } => format!("{action}: {error}"),
        RunEvent::ActionFinished { action, started, succeeded, outcome } => {
            let how = if *succeeded { "done" } else { "not done" };
            let by = outcome.map(|seq| format!(" by {seq}")).unwrap_or_default();
            format!("{action} of {started} {how}{by}")
        }
        RunEvent::CleaningUp {} => String::new(),
        RunEvent::Checkpoint { label } => label.clone(),
        RunEvent::Log { message } => message.clone(),
        RunEvent::Signal { name, data } => format!("{name} {data}"),
        RunEvent::ExpectationMet { expectation, .. } => expectation.clone(),
        RunEvent::ExpectationFailed { expectation, instead, .. } => {
            format!("{expectation}; instead: {instead}")
        }
        RunEvent::Finished { verdict: outcome, reason, elapsed_ms, .. } => {
            format!("{}: {reason}, after {}", verdict(*outcome), seconds(*elapsed_ms))
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

const fn party(party: Party) -> &'static str {
    match party {
        Party::Local => "us",
        Party::Remote => "the other side",
    }
}

const fn digit_method(method: DigitMethod) -> &'static str {
    match method {
        DigitMethod::Rfc4733 => "telephone-event",
        DigitMethod::Inband => "in-band",
        DigitMethod::Info => "INFO",
    }
}

const fn media_direction(direction: MediaDirection) -> &'static str {
    match direction {
        MediaDirection::Sendrecv => "sendrecv",
        MediaDirection::Sendonly => "sendonly",
        MediaDirection::Recvonly => "recvonly",
        MediaDirection::Inactive => "inactive",
    }
}

const fn end_cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Normal => "hung up",
        EndCause::Canceled => "canceled",
        EndCause::Rejected => "rejected",
        EndCause::TimedOut => "timed out",
        EndCause::DialogLost => "call unknown to the other side",
        EndCause::TransportFailed => "transport failed",
        EndCause::MediaRefused => "no common media",
        EndCause::Crashed => "crashed",
        EndCause::ProcessRestarted => "left over from the last process",
        EndCause::PhoneDropped => "phone dropped",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Flaky => "flaky",
        Verdict::Skipped => "skipped",
        Verdict::Blocked => "blocked",
        Verdict::Error => "error",
    }
}
