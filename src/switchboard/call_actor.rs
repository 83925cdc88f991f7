//! Asks an actor, with one kind of answer: the outcome, a rejection, or a rejection that says why
//! there is no answer.

use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::oneshot;

use crate::{
    call::Reply,
    command::{Outcome, Refused, Rejection},
};

/// Sends a message with a reply channel and waits for the answer.
///
/// # Errors
/// The actor's rejection; `unavailable` if it is gone, `timed_out` if it does not answer.
pub(super) async fn ask<M: ractor::Message>(
    actor: &ActorRef<M>,
    within: Duration,
    message: impl FnOnce(Reply) -> M,
) -> Result<Outcome, Rejection> {
    let (reply, answer) = oneshot::channel();
    actor.cast(message(reply)).map_err(|_| Refused::JustEnded)?;
    match tokio::time::timeout(within, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Refused::JustEnded.into()),
        Err(_) => Err(Refused::NoAnswer(within).into()),
    }
}
