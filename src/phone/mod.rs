//! One softphone: its user agent, its registration and its calls.

mod actor;
mod alarm;
mod arrivals;
mod call_table;
mod calls;
mod commands;
mod drain;
mod evidence;
mod extra_headers;
mod gate;
mod names;
mod outbox;
mod recovery;
mod target;
mod wire;

pub(crate) use actor::{PhoneActor, PhoneArguments, PhoneMessage, Shared};
pub(crate) use commands::CLOSING;
pub(crate) use outbox::Outbox;
pub(crate) use recovery::{Dangling, Left};
pub use target::Registrar;
