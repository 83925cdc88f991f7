//! What the journal adds to a fact: position, time, subject and cause.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, TimerReason};
use crate::id::{CallId, ClientId, PhoneId, RunId, Seq};

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Position in the journal; each appended event gets the next number.
    pub seq: Seq,
    /// Wall time at which the fact was appended, UTC.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What the fact is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// Why it happened.
    pub cause: Cause,
    /// The fact.
    #[serde(flatten)]
    pub event: Event,
}

impl Envelope {
    /// Returns what a condition finds outside the event's data: `phone`, `call`, `kind` and so on.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        let subject = &self.subject;
        match name {
            "type" | "kind" => Some(self.event.kind().into()),
            "phone_id" | "phone" => subject.phone.as_ref().map(|phone| phone.as_str().into()),
            "call_id" => subject.call.map(|call| call.0.into()),
            "call" => subject.call.map(|call| call.to_string().into()),
            "timestamp" => Some(self.at.to_string().into()),
            _ => None,
        }
    }
}

/// What a fact is about; a call's facts name its phone too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The phone, for everything that happens on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneId>,
    /// The call, for everything that belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The run, for facts about a scenario's execution and for everything that happens on its
    /// phones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

impl Subject {
    /// The process as a whole.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A phone; one that a run created belongs to the run.
    #[must_use]
    pub fn phone(phone: PhoneId) -> Self {
        Self { run: phone.run(), phone: Some(phone), call: None }
    }

    /// A call on a phone.
    #[must_use]
    pub fn call(phone: PhoneId, call: CallId) -> Self {
        Self { call: Some(call), ..Self::phone(phone) }
    }

    /// Adds the run that has the phone to itself at the time.
    #[must_use]
    pub fn during(mut self, run: Option<RunId>) -> Self {
        self.run = self.run.or(run);
        self
    }

    /// A scenario run.
    #[must_use]
    pub fn run(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }
}

/// Why something happened; following causes back answers "why did this call end?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody asked for it.
    Command {
        /// The surface it came through.
        surface: Surface,
        /// The client, if the surface can have several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<ClientId>,
        /// The request's own id, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
    },
    /// A scenario run did it.
    Run {
        /// The run.
        run: RunId,
        /// The hook or list that the action belongs to.
        hook: String,
    },
    /// A SIP message caused it.
    Sip {
        /// The `sip.received` or `sip.sent` event.
        seq: Seq,
    },
    /// Another event caused it.
    Event {
        /// That event.
        seq: Seq,
    },
    /// A deadline passed.
    Timer {
        /// Which one.
        reason: TimerReason,
    },
    /// Observed in the media of a call.
    Media,
    /// It came from the network.
    Network,
    /// The process started or was restarted.
    Start,
    /// The process is about to end.
    Stop,
    /// Something in the program itself failed, such as the actor of a call.
    Failure,
}

impl Cause {
    /// A command without a request id.
    #[must_use]
    pub const fn command(surface: Surface) -> Self {
        Self::Command { surface, client: None, request: None }
    }
}

/// Where commands come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// The MCP server.
    Mcp,
    /// The command line.
    Cli,
    /// A test or an embedding program.
    Library,
}
