//! Names: what the DNS says, remembered for as long as it says, and where a URI leads by it (RFC 3263).
//!
//! A [`Resolver`] answers single questions: [`SystemResolver`] asks the machine's name servers, a simulated network has a
//! table. [`Names`] asks each question once for all who want to know, keeps the answers, and follows a URI to its addresses.

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
