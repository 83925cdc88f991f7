//! What uses a dialog (RFC 5057): today only an INVITE session.

pub mod invite;
