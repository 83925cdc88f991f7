//! The only code that owns sockets: datagrams, streams, names, and the SIP sockets of one user
//! agent.
//!
//! Everything above uses a [`Network`]: [`SystemNetwork`] is the machine's, `sim::Network` is in
//! memory. Nothing here knows what a call is; of `offhook_sip` it uses only the flow types, the
//! stream framing (RFC 3261 §18.3) and the way from a URI to its addresses (RFC 3263).

mod admission;
mod arrived;
pub(crate) mod media_ports;
mod media_socket;
mod names;
mod network;
mod returned;
mod signaling;
mod system;
mod tap;

pub use admission::{Admission, Permit};
pub use arrived::{Arrived, Batch};
pub use names::{Answer, LookupError, NameError, Names, Resolution, Resolver, SystemResolver, name_server};
pub use network::{
    BoxFuture, BoxedStream, DatagramSocket, MediaPair, MediaSocket, Network, Receive, Returned, Stream,
    StreamListener,
};
pub use offhook_sip::user_agent::{Flow, Transport};
pub use signaling::{Arrival, Signaling, SignalingOptions, carries};
pub use system::{SystemNetwork, SystemOptions};
pub use tap::{Attached, Sighting, Tap, Taps, Traffic, Way};
