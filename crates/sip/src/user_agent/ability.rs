//! What the engine can do, part by part: methods for Allow, bodies for Accept, option tags for
//! Supported and Require.
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

/// A kind of body that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyType {
    /// Its media type, `*/*` for any.
    pub media: &'static str,
    /// What it has to be for, where its Content-Disposition says so (RFC 3261 §20.11).
    pub purpose: &'static str,
    /// The requests in which it means something; in others it is refused (§8.2.3).
    pub requests: &'static [Method],
}

/// What one part of the engine adds to what it can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ability {
    /// Methods that it takes.
    pub(crate) methods: &'static [Method],
    /// Bodies that it understands.
    pub(crate) bodies: &'static [BodyType],
}

/// What needs no dialog: OPTIONS, which the engine answers, and MESSAGE, which its user answers.
const OUT_OF_DIALOG: Ability = Ability {
    methods: &[Method::Options, Method::Message],
    bodies: &[BodyType { media: "text/plain", purpose: "render", requests: &[Method::Message] }],
};

impl OptionTag {
    /// An INVITE that takes the place of another dialog (RFC 3891). The engine finds that dialog; a
    /// user who adds this tag promises to do the rest.
    pub const REPLACES: Self = Self { name: "replaces", requests: &[Method::Invite] };
}

/// Every part, in the order in which Allow names their methods.
pub(crate) const ABILITIES: [Ability; 4] =
    [usage::invite::ABILITY, OUT_OF_DIALOG, usage::invite::INFO, usage::subscription::ABILITY];
