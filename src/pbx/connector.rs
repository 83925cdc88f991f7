//! A link to a phone system: started, watched, started again when it fails, stopped at the end.

use crate::net::BoxFuture;

/// Why a link did not come about.
pub type StartFailure = Box<dyn std::error::Error + Send + Sync>;

/// A phone system that can be linked, however often the link fails.
pub trait Connector: Send + Sync + 'static {
    /// Returns the name under which it is supervised.
    fn name(&self) -> &str;

    /// Returns what kind of phone system it is.
    fn system(&self) -> &str;

    /// Makes a link; each is as good as the one before to users of the phone system: same address, same accounts.
    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Link>, StartFailure>>;
}

/// A link that stands.
pub trait Link: Send + Sync + 'static {
    /// Returns where the phone system is, for people.
    fn address(&self) -> String;

    /// Waits until the link fails, and says why; for ever while it stands.
    fn failed(&self) -> BoxFuture<'static, String>;

    /// Ends it in good order, in a bounded time.
    fn stop(self: Box<Self>) -> BoxFuture<'static, ()>;
}
