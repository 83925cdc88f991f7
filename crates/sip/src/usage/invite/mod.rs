//! INVITE sessions: RFC 3261 §13 to §15, one file per verb. They live inside the user agent, named by `SessionId`.
//!
//! Offers and answers are opaque bytes here. Leaves out PRACK, UPDATE and session timers.

mod accept;
mod error;
mod event;
mod hang_up;
mod in_dialog;
mod modify;
mod place;
mod state;
mod timer;

pub use error::SessionError;
pub use event::{EndCause, Party, ReplacedDialog, SessionEvent, Surplus};
pub use hang_up::Ending;
pub use place::Invite;
pub(crate) use state::{Ack, Answer, Cancel, Session};
pub use state::{Direction, SessionState, SessionView};
pub use timer::InviteTimer;
