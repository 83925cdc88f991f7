//! The user agent: one SIP engine per phone, without clock, socket or task.
//!
//! Give it one input ([`UserAgent::handle_input`](crate::user_agent::UserAgent::handle_input) or
//! any method that takes `now`), then drain
//! [`UserAgent::poll_output`](crate::user_agent::UserAgent::poll_output) until it returns
//! [`Output::Timeout`](crate::user_agent::Output::Timeout), which names the next deadline.
//! Implements the UAC and UAS cores of RFC 3261 (§8 to §15, §18) with RFC 3581 and RFC 3263 §4.3
//! (fail-over); the shell resolves names. Leaves out PRACK, UPDATE, session timers and SUBSCRIBE.

mod ability;
mod config;
mod engine;
mod event;
mod flow;
mod incoming;
mod naming;
mod outgoing;
mod reason;
mod receive;
mod recorded;
mod request;
mod turn_away;
mod understand;
mod write;

pub use crate::transaction::Room;
pub use crate::transport::Transport;
pub(crate) use ability::Ability;
pub use ability::{BodyType, OptionTag};
pub use config::Config;
pub(crate) use engine::Owner;
pub use engine::UserAgent;
pub use event::{
    Abandoned, Anomaly, Event, IncomingId, Output, RegistrationId, RequestFailure, RequestId, SessionId,
};
pub use flow::{Destination, Flow, Input, Transmit, TransmitKind};
pub use incoming::ReplyError;
pub(crate) use naming::{OwedAck, Waiting};
pub(crate) use outgoing::{Outgoing, User};
pub(crate) use reason::Deadline;
pub use reason::Reason;
pub use recorded::CSEQ_JUMP;
pub use request::OutOfDialog;
pub use write::{Body, NamedHeaders};
pub(crate) use write::{ContactForm, Draft, Reply};
