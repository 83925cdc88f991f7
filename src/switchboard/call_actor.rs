//! Asking an actor and getting one kind of answer: the outcome, a rejection, or a rejection that says why there is none.

use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::oneshot;

use crate::{
    call::Reply,
    command::{Code, Outcome, Rejection},
};

/// Sends a message with a reply and waits for the answer.
///
/// # Errors
/// The actor's rejection; `unavailable` when it is gone, `timed_out` when it does not answer.
pub(super) async fn ask<M: ractor::Message>(
    actor: &ActorRef<M>,
    within: Duration,
    message: impl FnOnce(Reply) -> M,
) -> Result<Outcome, Rejection> {
    let (reply, answer) = oneshot::channel();
    let gone = || Rejection::new(Code::Unavailable, "it has just ended; list_phones shows what is there");
    actor.cast(message(reply)).map_err(|_| gone())?;
    match tokio::time::timeout(within, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(gone()),
        Err(_) => Err(Rejection::new(Code::TimedOut, format!("no answer within {within:?}"))),
    }
}
