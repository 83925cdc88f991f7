//! What a caller of the session methods can get wrong.

use super::SessionState;

/// Why a session method did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// There is no such session, or it is over and forgotten.
    #[error("no such session")]
    Unknown,
    /// The session is not in a state that allows this.
    #[error("not possible while the session is {state}")]
    WrongState {
        /// The state it is in.
        state: SessionState,
    },
    /// An INVITE transaction is open in either direction, or an ACK is awaited (RFC 3261 §14.1).
    #[error("another offer is pending")]
    Pending,
    /// The peer's Contact cannot be used as an address.
    #[error("the remote target is no uri")]
    Unroutable,
}
