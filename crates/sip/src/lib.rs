//! Sans-IO SIP engine.

pub mod auth;
pub mod dialog;
pub mod framing;
mod ids;
pub mod message;
pub mod next_hop;
pub mod registration;
pub mod session;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod transaction;
pub mod user_agent;

pub use ids::Ids;
