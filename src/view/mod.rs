//! Folds of the journal that answer every read.
//!
//! Each view is a plain fold over events; [`Views`] attaches them all, so that a read after an
//! append is never behind it. Views keep what answers need, and the positions of the rest; the
//! events themselves stay in the journal.

mod calls;
mod counters;
mod describe;
mod handle;
mod links;
mod messages;
mod phones;
mod runs;
mod sip_messages;
mod timeline;

pub use calls::{CallEnd, CallView, Calls, Conference, Playing, Recording, Transfer};
pub use counters::Counters;
pub use describe::describe;
pub use handle::{Dangling, Views, prune_beside};
pub use links::{LinkState, LinkView, Links};
pub use messages::{Inbox, MessageView};
pub use phones::{PhoneView, Phones, Registration, RegistrationView};
pub use runs::{Failure, Held, RunEnd, RunView, Runs};
pub use sip_messages::{SipMessages, SipThread};
pub use timeline::{Scope, TimelineRow};

#[cfg(test)]
mod tests;
