//! What is asked of the DNS, real or simulated.

use std::{net::IpAddr, time::Duration};

use offhook_sip::next_hop::{Question, Record};

use crate::net::BoxFuture;

/// Answers single questions, without a cache or timeout: [`Names`](super::Names) has both.
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses that this machine itself has for a host, as in `/etc/hosts`; empty if
    /// it has none.
    fn own(&self, host: &str) -> BoxFuture<'_, Vec<IpAddr>>;

    /// Asks the DNS. An answer without records is an answer too, and may be cached like any other.
    fn ask(&self, question: &Question) -> BoxFuture<'_, Result<Answer, LookupError>>;
}

/// The DNS's answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The records; empty if the name does not exist or has none of this kind.
    pub records: Vec<Record>,
    /// How long it is valid.
    pub ttl: Duration,
}

/// A question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No name server answered in time.
    #[error("no answer from the name servers in time")]
    Silent,
    /// A name server cannot or will not answer, or none can be asked.
    #[error("{0}")]
    Failed(String),
}
