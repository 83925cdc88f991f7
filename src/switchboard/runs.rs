//! Scenario runs as supervised children: a limited number at a time, cleaned up afterwards, never
//! restarted.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use tokio::sync::oneshot;

use super::{
    Switchboard,
    call_actor::ask,
    execute::ANSWER,
    supervisor::{Closing, Supervise, Supervised},
};
use crate::{
    command::{Outcome, Refused, Rejection},
    event::Cause,
    id::RunId,
    journal::Journal,
    scenario::{Context, Host, RunActor, RunArguments, RunHandle, RunMessage, Scenario, Terms},
};

/// What supervising runs needs.
pub(super) struct Runs {
    pub(super) journal: Journal,
}

impl Supervised for Runs {
    type Id = RunId;
    type Arguments = RunArguments;
    type Message = RunMessage;
    type Actor = RunActor;
    type Change = Infallible;

    // A restart would do everything to the phone system a second time.
    const COMES_BACK: bool = false;

    fn actor() -> RunActor {
        RunActor
    }

    fn close(_: bool, _: Cause) -> RunMessage {
        RunMessage::Cancel("the process is about to end".to_owned())
    }

    fn change(_: &mut RunArguments, change: Infallible) {
        match change {}
    }

    async fn next_life(&self, _: &RunId, arguments: RunArguments) -> RunArguments {
        arguments
    }

    fn last_life(arguments: RunArguments) -> RunArguments {
        arguments
    }

    fn is_known(&self, _: &RunId) -> bool {
        false
    }

    fn has_left_work(&self, _: &RunId) -> bool {
        false
    }

    fn cannot_start(&self, id: &RunId, why: &str) -> Rejection {
        Refused::RunNotStarted { run: *id, why: why.to_owned() }.into()
    }

    fn not_found(&self, id: &RunId) -> Rejection {
        Refused::NoRun(*id).into()
    }

    fn outcome(&self) -> Outcome {
        Outcome { seq: self.journal.head(), call: None, calls: Vec::new() }
    }

    fn failed(&self, _: &RunId, _: &mut RunArguments, _: &str) {}

    fn over(&self, _: &RunId, arguments: &RunArguments, failed: Option<&str>) {
        // In a task of its own, because its commands may wait for a phone.
        tokio::spawn(arguments.clone().clean_up(failed.map(str::to_owned)));
    }

    fn restarted(&self, _: &RunId, _: &RunArguments, _: u32) {}

    fn dropped(&self, _: &RunId, _: &Cause) {}

    fn forgotten(&self, _: &RunId, _: &Cause) {}
}

impl Host for Switchboard {
    fn start_run(
        &self,
        scenario: Scenario,
        terms: Terms,
    ) -> Pin<Box<dyn Future<Output = Result<RunHandle, Rejection>> + Send + '_>> {
        Box::pin(self.launch_run(scenario, terms))
    }
}

impl Switchboard {
    async fn launch_run(&self, scenario: Scenario, terms: Terms) -> Result<RunHandle, Rejection> {
        let most = self.inner.shared.limits.runs;
        let place = Arc::clone(&self.inner.run_places).try_acquire_owned();
        let place = place.map_err(|_| Refused::Runs(most))?;
        let context = Context {
            execute: Arc::new(self.clone()),
            journal: self.inner.journal.clone(),
            views: self.inner.views.clone(),
            pool: self.inner.shared.pool.clone(),
            terms,
        };
        let (arguments, handle) = RunArguments::new(scenario, context, Some(place));
        let (id, arguments) = (handle.id(), Box::new(arguments));
        let started = ask(&self.inner.runs, ANSWER, |reply| Supervise::Start { id, arguments, reply }).await;
        if started.is_err() {
            // If it starts after all, nobody is left who asked for it.
            handle.canceler().cancel("it was not started in time");
        }
        started.map(|_| handle)
    }

    /// Cancels all runs, and waits until nothing of them is left.
    pub(super) async fn close_runs(&self) {
        let (reply, closing) = oneshot::channel();
        // Without a supervisor there are no runs.
        drop(self.inner.runs.cast(Supervise::CloseAll { reply }));
        for Closing { id: run, closed } in closing.await.unwrap_or_default() {
            if closed.await.is_err() {
                tracing::warn!(%run, "a run did not end in order");
            }
        }
    }
}
