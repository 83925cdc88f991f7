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

use crate::message::Method;
use crate::user_agent::{Ability, OptionTag};

/// Sessions, which may take the place of others (RFC 3891).
pub(crate) const ABILITY: Ability = Ability {
    methods: &[Method::Invite, Method::Ack, Method::Cancel, Method::Bye],
    options: &[OptionTag { name: "replaces", requests: &[Method::Invite] }],
};

/// INFO inside a session (RFC 6086).
pub(crate) const INFO: Ability = Ability { methods: &[Method::Info], options: &[] };
