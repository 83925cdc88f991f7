//! The scenario document, its checker and its pure runner.

mod actor;
mod check;
mod clean_up;
mod diagnostic;
pub mod dialect;
pub mod machine;
mod model;
mod node;
pub mod reference;
mod vars;

pub use actor::{Canceler, Context, Host, RunActor, RunArguments, RunHandle, RunMessage, RunSummary, Terms};
pub use check::{check_json, check_sounds, check_yaml};
pub use diagnostic::{Diagnostic, Level, Position, Rule, Segment, nearest};
pub use dialect::{ACTIONS, ActionShape, ArgShape, Known, Reading, has_no_unit, parse_duration};
pub use machine::Ending;
pub use model::*;
pub use vars::{Template, Unresolved};
