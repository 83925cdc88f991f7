//! A link to a phone system: started, watched, restarted when it fails, stopped at the end.

use crate::net::BoxFuture;

/// Why a link could not be established.
pub type StartFailure = Box<dyn std::error::Error + Send + Sync>;

/// A phone system that can be linked again however often the link fails.
pub trait Connector: Send + Sync + 'static {
    /// Returns the name under which it is supervised.
    fn name(&self) -> &str;

    /// Returns what kind of phone system it is.
    fn system(&self) -> &str;

    /// Establishes a link. Users of the phone system cannot tell it from the one before: same
    /// address, same accounts.
    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Link>, StartFailure>>;
}

/// A link that is up.
pub trait Link: Send + Sync + 'static {
    /// Returns the address of the phone system, for display.
    fn address(&self) -> String;

    /// Waits until the link fails, and returns the reason; forever while it is up.
    fn failed(&self) -> BoxFuture<'static, String>;

    /// Closes it in an orderly way, within a limited time.
    fn stop(self: Box<Self>) -> BoxFuture<'static, ()>;
}
