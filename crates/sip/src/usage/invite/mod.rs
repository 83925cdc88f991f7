//! INVITE sessions: RFC 3261 §13 to §15, one file per verb. They live inside the user agent, named by `SessionId`.
//!
//! Offers and answers are opaque bytes here. Leaves out PRACK, UPDATE and session timers.

mod accept;
mod digit;
mod error;
mod event;
mod hang_up;
mod in_dialog;
mod modify;
mod place;
mod state;
mod timer;

pub use digit::InfoDigit;
pub use error::SessionError;
pub use event::{EndCause, Party, ReplacedDialog, SessionEvent, Surplus};
pub use hang_up::Ending;
pub use place::Invite;
pub(crate) use state::{Answer, Answered, Cancel, Session};
pub use state::{Direction, SessionState, SessionView};
pub use timer::InviteTimer;

use crate::message::Method;
use crate::user_agent::{Ability, BodyType};

/// Sessions; their descriptions may come beside other parts (RFC 5621).
pub(crate) const ABILITY: Ability = Ability {
    methods: &[Method::Invite, Method::Ack, Method::Cancel, Method::Bye],
    bodies: &[
        BodyType { media: "application/sdp", purpose: "session", requests: DESCRIBING },
        BodyType { media: "multipart/mixed", purpose: "render", requests: DESCRIBING },
        BodyType { media: "multipart/alternative", purpose: "render", requests: DESCRIBING },
        BodyType { media: "multipart/related", purpose: "render", requests: DESCRIBING },
    ],
};

/// What may carry the description of a session, or of a possible one (§11.2).
const DESCRIBING: &[Method] = &[Method::Invite, Method::Ack, Method::Options];

/// INFO inside a session (RFC 6086), as used before it had packages: for digits.
pub(crate) const INFO: Ability = Ability {
    methods: &[Method::Info],
    bodies: &[
        BodyType { media: "application/dtmf-relay", purpose: "render", requests: &[Method::Info] },
        BodyType { media: "application/dtmf", purpose: "render", requests: &[Method::Info] },
    ],
};
