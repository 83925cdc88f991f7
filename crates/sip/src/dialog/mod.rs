//! Dialogs (RFC 3261 §12): identity, CSeq numbers, route set and remote target as plain data, and
//! the table of current dialogs.

mod build;
mod next;
mod table;

pub(crate) use build::{Ours, Party};
pub(crate) use next::plan;
pub(crate) use table::{DialogSet, DialogSetId, DialogTable};

use crate::user_agent::Flow;

/// What identifies a dialog (RFC 3261 §12).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogKey {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag; empty for an RFC 2543 peer.
    pub remote_tag: String,
}

/// Everything that is needed to send a request inside a dialog, as plain strings and numbers that are easy to journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogRecord {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// Our From or To value without the tag, display name included.
    pub local_uri: String,
    /// The peer's tag; empty for an RFC 2543 peer.
    pub remote_tag: String,
    /// The peer's From or To value without the tag, display name included.
    pub remote_uri: String,
    /// CSeq of the last request we sent.
    pub local_cseq: u32,
    /// CSeq of the last request we received.
    pub remote_cseq: Option<u32>,
    /// Route set in the order in which Route headers are written; each a whole name-addr.
    pub route_set: Vec<String>,
    /// The peer's Contact URI.
    pub remote_target: String,
    /// Our Contact value.
    pub contact: String,
    /// The flow on which the dialog was set up; used when the next hop is a name that is not looked
    /// up or has no address.
    pub flow: Flow,
    /// The dialog came about through a `sips:` URI over a secure transport (§12.1.1).
    pub secure: bool,
}

impl DialogRecord {
    /// Returns the identity of the dialog.
    pub fn key(&self) -> DialogKey {
        DialogKey {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
        }
    }
}
