//! What the engine can do, said part by part: methods for Allow, option tags for Supported and Require.
//!
//! A new extension brings an [`Ability`] with its file and a line in [`ABILITIES`].

use crate::message::Method;
use crate::usage;

/// An option tag (RFC 3261 §19.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionTag {
    /// Its name.
    pub name: &'static str,
    /// The requests in whose Require it means something; in others it is refused as unknown (§8.2.2.3).
    pub requests: &'static [Method],
}

/// What one part of the engine adds to what it can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ability {
    /// Methods that it takes.
    pub(crate) methods: &'static [Method],
    /// Option tags that it knows.
    pub(crate) options: &'static [OptionTag],
}

/// What needs no dialog: OPTIONS, which the engine answers, and MESSAGE, which its user does.
const OUT_OF_DIALOG: Ability = Ability { methods: &[Method::Options, Method::Message], options: &[] };

/// Every part, in the order in which Allow names their methods.
pub(crate) const ABILITIES: [Ability; 5] = [
    usage::invite::ABILITY,
    OUT_OF_DIALOG,
    usage::invite::INFO,
    usage::refer::ABILITY,
    usage::subscription::ABILITY,
];
