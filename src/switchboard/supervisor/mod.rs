//! Supervision: children that are started, started again when they fail, forgotten, and closed at the end.
//!
//! One supervisor a kind of child; what is special about phones or connectors is in their [`Supervised`].

mod actor;
mod supervised;

pub(super) use actor::{Closing, Supervise, Supervisor};
pub(super) use supervised::Supervised;
