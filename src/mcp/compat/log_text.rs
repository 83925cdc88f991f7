//! A SIP message as the text of a log entry: an envelope line, the message as it was on the wire,
//! an end mark.

use std::net::SocketAddr;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::event::{Envelope, Event, RawMessage, SipEvent, SipSummary, Transport};

/// Log level of SIP messages.
const MESSAGE_LEVEL: u8 = 4;

/// A SIP message from the journal.
pub(in crate::mcp) struct Logged<'a> {
    /// When it was sent or received.
    pub(in crate::mcp) at: Timestamp,
    /// Whether the phone sent it.
    pub(in crate::mcp) sent: bool,
    /// Its summary: method, status and so on.
    pub(in crate::mcp) summary: &'a SipSummary,
    /// The message itself, in base64 if it is not UTF-8.
    pub(in crate::mcp) text: &'a str,
    seq: u64,
    transport: Transport,
    remote: SocketAddr,
}

impl<'a> Logged<'a> {
    /// Takes the message out of an event; `None` if the event is not a message.
    pub(in crate::mcp) fn of(envelope: &'a Envelope) -> Option<Self> {
        let Event::Sip(event) = &envelope.event else { return None };
        let (sent, transport, remote, summary, message) = match event {
            SipEvent::Sent { transport, remote, summary, message, .. } => {
                (true, *transport, *remote, summary, message)
            }
            SipEvent::Received { transport, remote, summary, message, .. } => {
                (false, *transport, *remote, summary, message)
            }
            SipEvent::Anomaly { .. }
            | SipEvent::Resolved { .. }
            | SipEvent::FailedOver { .. }
            | SipEvent::Refused { .. } => return None,
        };
        let (RawMessage::Text(text) | RawMessage::Base64(text)) = message;
        Some(Self { at: envelope.at, sent, summary, text, seq: envelope.seq.0, transport, remote })
    }

    /// Returns `TX` or `RX`.
    pub(in crate::mcp) const fn direction(&self) -> &'static str {
        if self.sent { "TX" } else { "RX" }
    }

    /// Returns the time of day, `HH:MM:SS.mmm`.
    pub(in crate::mcp) fn time_of_day(&self, zone: &TimeZone) -> String {
        self.at.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f").to_string()
    }

    /// Builds the `msg` of a log entry.
    pub(in crate::mcp) fn message(&self, zone: &TimeZone) -> String {
        let summary = self.summary;
        let method = summary.method.as_deref().unwrap_or("?");
        let cseq = summary.cseq.unwrap_or_default();
        let what = match summary.status {
            Some(status) => format!("Response msg {status}/{method}/cseq={cseq}"),
            None => format!("Request msg {method}/cseq={cseq}"),
        };
        format!(
            "{time} {module:>20}  .{direction} {size} bytes {what} (seq{seq}) {preposition} {transport} {remote}:\n\
             {text}\n--end msg--",
            time = self.time_of_day(zone),
            module = "offhook",
            direction = self.direction(),
            size = self.text.len(),
            seq = self.seq,
            preposition = if self.sent { "to" } else { "from" },
            transport = self.transport.name().to_ascii_uppercase(),
            remote = self.remote,
            text = self.text,
        )
    }

    /// Builds the log entry.
    pub(in crate::mcp) fn entry(&self, zone: &TimeZone) -> Value {
        json!({ "level": MESSAGE_LEVEL, "msg": self.message(zone), "thread": "offhook" })
    }
}
