//! Sans-IO SIP engine.

pub mod framing;
pub mod message;
