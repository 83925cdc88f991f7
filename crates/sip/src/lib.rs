//! Sans-IO SIP engine: messages, transactions, dialogs, sessions and registration as plain state machines.
//!
//! Nothing here owns a socket, reads a clock, waits, or draws randomness except from its seed:
//! bytes and time are arguments, outputs are returned. After **one** input, drain
//! [`user_agent::UserAgent::poll_output`] until it returns `Timeout`, which names the next deadline
//! and its reason.
//!
//! ```text
//!   user_agent      one per phone: dispatches messages, authenticates, fails over
//!   usage  registration        what a phone does: sessions (usage::invite), subscriptions, bindings
//!   dialog                     who talks to whom, and for how long (RFC 5057)
//!   transaction     auth       RFC 3261 figures 5 to 8 and the layer around them; digest, both sides
//!   message  framing  transport  next_hop                  the wire
//! ```

pub mod auth;
mod deadlines;
pub mod dialog;
pub mod framing;
mod ids;
mod index;
/// A message is read in place and keeps its bytes:
///
/// ```
/// use offhook_sip::message::{Message, Method};
///
/// let bytes = b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     f: <sip:alice@192.0.2.1>;tag=1\r\nt: <sip:bob@192.0.2.2>\r\ni: 1\r\nCSeq: 7 OPTIONS\r\n\r\n";
/// let message = Message::parse(bytes)?;
/// assert_eq!(message.method(), Method::Options);
/// assert_eq!(message.from()?.tag(), Some("1"));
/// assert_eq!(message.bytes(), bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod message;
pub mod next_hop;
pub mod registration;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod transaction;
mod transport;
pub mod usage;
/// A call is one method call and a drain; the test kit plays the network:
///
/// ```
/// # #[cfg(feature = "testkit")] {
/// use offhook_sip::message::{NameAddr, Uri};
/// use offhook_sip::session::Invite;
/// use offhook_sip::testkit::{Pair, SDP, Side, UasScript, ladder};
/// use offhook_sip::user_agent::{Body, Destination};
/// use std::time::Duration;
///
/// let mut pair = Pair::default();
/// pair.script(Side::B, UasScript::default());
/// let from: NameAddr = "<sip:alice@192.0.2.1>".parse()?;
/// let mut invite = Invite::new(Uri::parse("sip:bob@192.0.2.2")?, from, Destination::udp(pair.b.address));
/// invite.body = Some(Body::sdp(SDP));
/// let call = pair.act(Side::A, |agent, now| agent.invite(now, invite));
/// pair.drive_for(Duration::from_secs(1))?;
/// pair.act(Side::A, |agent, now| agent.hang_up(now, call, Vec::new()))?;
/// pair.drive()?;
/// assert!(pair.leftovers().is_empty());
/// assert!(ladder::draw(&pair.sent).contains("BYE"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod user_agent;

pub use ids::Ids;
pub use index::Index;
pub use usage::invite as session;
