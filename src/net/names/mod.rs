//! Names: answers of the DNS, cached as long as they are valid, and the addresses a URI leads to
//! (RFC 3263).
//!
//! A [`Resolver`] answers single questions: [`SystemResolver`] asks the machine's name servers, a
//! simulated network has a table. [`Names`] asks each question once for everybody, keeps the
//! answers, and resolves a URI to its addresses.

mod cache;
mod resolver;
mod route;
mod system;
#[cfg(test)]
mod tests;

pub use cache::Names;
pub use resolver::{Answer, LookupError, Resolver};
pub use route::{NameError, Resolution};
pub use system::{SystemResolver, name_server};
