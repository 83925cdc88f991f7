//! What is asked of the DNS, real or simulated.

use std::{net::IpAddr, time::Duration};

use offhook_sip::next_hop::{Question, Record};

use crate::net::BoxFuture;

/// Answers single questions, without memory and without patience: [`Names`](super::Names) has both.
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses that this machine itself gives a host, as `/etc/hosts` does; empty when it gives none.
    fn own(&self, host: &str) -> BoxFuture<'_, Vec<IpAddr>>;

    /// Asks the DNS. No records are an answer too, which may be kept like any other.
    fn ask(&self, question: &Question) -> BoxFuture<'_, Result<Answer, LookupError>>;
}

/// What the DNS says to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The records; none when the name does not exist or has none of this kind.
    pub records: Vec<Record>,
    /// How long it holds.
    pub ttl: Duration,
}

/// A question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No name server said anything in time.
    #[error("no answer from the name servers in time")]
    Silent,
    /// A name server cannot or will not answer, or none can be asked.
    #[error("{0}")]
    Failed(String),
}
