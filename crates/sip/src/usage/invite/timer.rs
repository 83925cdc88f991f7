//! The timers of an INVITE session.

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InviteTimer {
    /// Retransmit the 2xx to an INVITE until its ACK arrives (§13.3.1.4).
    RepeatAnswer,
    /// Give up waiting for the ACK of a 2xx (§13.3.1.4).
    AckMissing,
    /// Repeat a provisional response so that proxies keep the INVITE alive (§13.3.1.1).
    RepeatProvisional,
    /// Give up waiting for the final response to a canceled INVITE (§9.1).
    CancelLimit,
    /// Try a re-INVITE again after 491 (§14.1).
    Glare,
    /// Refuse an INVITE that nobody has answered in the time that its caller gave (§13.3.1).
    Expires,
}

impl InviteTimer {
    pub(crate) const FIRST: Self = Self::RepeatAnswer;
    pub(crate) const LAST: Self = Self::Expires;
}
