//! The embedded lab PBX: registrar, calls between phones, test numbers.
//!
//! A back-to-back user agent on `offhook_sip` with an RTP relay: it terminates every dialog and
//! passes media, re-INVITEs, DTMF and messages through. It runs on real sockets and on the
//! simulated network alike, knows nothing of the journal, and treats the program's phones and all
//! others the same.
//!
//! ```text
//! sockets ─► shell ─► engine (registrar, dialplan, bridges, robots) ─► UserAgent
//!                       └─► media: one reader per leg, one clock for all
//! ```

mod connector;
mod engine;
mod media;
mod options;
mod running;
mod shell;
mod told;
mod users;

pub use connector::LabConnector;
pub use engine::LiveCounts;
pub use options::{DigestChoice, LabOptions, Timing};
pub use running::{Lab, LabError};
pub use told::Told;
pub use users::{Passwords, User, Users, UsersError};
