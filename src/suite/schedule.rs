//! The order in which a plan is run: one scenario after another.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Attempt, Completed, Plan};
use crate::{
    command::Rejection,
    event::Envelope,
    id::RunId,
    scenario::{Host, Terms},
};

/// Watches while a plan is run.
pub trait Watch {
    /// Why watching may fail; the schedule ends with it.
    type Error;

    /// Is shown an event of a run or of its phones.
    ///
    /// # Errors
    /// What the watcher could not do.
    fn saw(&mut self, run: RunId, envelope: &Envelope) -> Result<(), Self::Error>;

    /// Is given a run that is over.
    ///
    /// # Errors
    /// What the watcher could not do.
    fn completed(&mut self, completed: Completed) -> Result<(), Self::Error>;
}

/// A plan was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError<E> {
    /// A run could not be started.
    #[error(transparent)]
    NotStarted(#[from] Rejection),
    /// The watcher failed.
    #[error("the onlooker failed")]
    Watch(#[source] E),
}

/// Runs plans.
pub struct Schedule {
    host: Arc<dyn Host>,
    terms: Terms,
    interrupted: CancellationToken,
}

impl Schedule {
    /// Creates a schedule of runs on `host`. Once `interrupted` is canceled, the current run is
    /// canceled and no other begins.
    #[must_use]
    pub const fn new(host: Arc<dyn Host>, terms: Terms, interrupted: CancellationToken) -> Self {
        Self { host, terms, interrupted }
    }

    /// Runs the scenarios of a plan one after another.
    ///
    /// # Errors
    /// [`SuiteError`]: a run could not be started, or `watch` failed.
    pub async fn run<W: Watch>(&self, plan: Plan, watch: &mut W) -> Result<(), SuiteError<W::Error>> {
        for scenario in plan.scenarios {
            if self.interrupted.is_cancelled() {
                break;
            }
            let attempt = Attempt::begin(&*self.host, scenario, self.terms.clone(), 1).await?;
            let completed = self.follow(attempt, watch).await.map_err(SuiteError::Watch)?;
            watch.completed(completed).map_err(SuiteError::Watch)?;
        }
        Ok(())
    }

    async fn follow<W: Watch>(&self, mut attempt: Attempt, watch: &mut W) -> Result<Completed, W::Error> {
        let mut asked = false;
        loop {
            tokio::select! {
                next = attempt.next() => match next {
                    Some(envelope) => watch.saw(attempt.run(), &envelope)?,
                    None => return Ok(attempt.finish().await),
                },
                () = self.interrupted.cancelled(), if !asked => {
                    asked = true;
                    attempt.cancel("interrupted");
                }
            }
        }
    }
}
