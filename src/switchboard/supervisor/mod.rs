//! Supervision: children are started, restarted when they fail, forgotten, and closed at the end.
//!
//! There is one supervisor per kind of child; what is specific to phones or connectors is in their
//! [`Supervised`].

mod actor;
mod supervised;

pub(super) use actor::{Closing, Supervise, Supervisor};
pub(super) use supervised::Supervised;
