//! The PBX without sockets or clock: SIP messages, media facts and deadlines in; SIP messages out.
//!
//! It owns the user agent, and opens media legs through a handle that never blocks. Time is an
//! argument. There is one file per concern: who is admitted, where a number leads, how two legs
//! become one call, who speaks on a test number, and who takes over a transferred call.

mod alarms;
mod answer;
mod bindings;
mod bridge;
mod description;
mod dialplan;
mod guard;
mod hunt;
mod leg;
mod messages;
mod pbx;
mod reoffer;
mod robot;
mod transfer;

pub(super) use dialplan::NUMBERS;
pub use pbx::LiveCounts;
pub(super) use pbx::{Engine, EngineOptions};
