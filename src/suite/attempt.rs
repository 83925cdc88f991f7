//! One run of a scenario: its events as they come, its end, and everything reports are built from.

use std::{future::Future, pin::Pin, sync::Arc};

use jiff::Timestamp;

use crate::{
    command::Rejection,
    event::{Envelope, Event, RunEvent},
    id::{RunId, Seq},
    journal::{About, Gone, Interest, Journal, Reader},
    scenario::{Host, Scenario, Terms},
    view::{RunView, Views},
};

/// A run that has begun.
///
/// It goes on even if nobody follows it, and what it started is still ended.
pub struct Attempt {
    run: RunId,
    number: u32,
    begun: Timestamp,
    journal: Journal,
    views: Views,
    reader: Reader,
    events: Vec<Arc<Envelope>>,
    cancel: Box<dyn Fn(&str) + Send + Sync>,
    finished: Pin<Box<dyn Future<Output = ()> + Send>>,
    stage: Stage,
}

/// How far following has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    /// `run.finished` was seen.
    Ending,
    /// Nothing of the run is left; all its events are before this position.
    Over(Seq),
}

/// A run that is over, with everything that it and its phones did.
#[derive(Clone, Debug)]
pub struct Completed {
    /// Which attempt at the scenario it was, from 1.
    pub number: u32,
    /// The view of the run.
    pub run: Arc<RunView>,
    /// Its events in order.
    pub events: Vec<Arc<Envelope>>,
}

impl Attempt {
    /// Starts a run.
    ///
    /// # Errors
    /// The host refuses it: too many runs, or the process is about to end.
    pub async fn begin(
        host: &dyn Host,
        scenario: Scenario,
        terms: Terms,
        number: u32,
    ) -> Result<Self, Rejection> {
        let handle = host.start_run(scenario, terms).await?;
        let (run, after, canceler) = (handle.id(), handle.after(), handle.canceler());
        let (journal, views) = (handle.journal().clone(), handle.views().clone());
        let finished = async move { drop(handle.wait().await) };
        let cancel = move |reason: &str| canceler.cancel(reason);
        Ok(Self::of(&journal, &views, (run, after), cancel, finished).numbered(number))
    }

    /// Follows a run that was started elsewhere: its id, the position before its first event, what
    /// cancels it, and what completes once nothing of it is left.
    pub fn of(
        journal: &Journal,
        views: &Views,
        (run, after): (RunId, Seq),
        cancel: impl Fn(&str) + Send + Sync + 'static,
        finished: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            run,
            number: 1,
            begun: journal.wall().now(),
            journal: journal.clone(),
            views: views.clone(),
            reader: journal.reader_of(after, Interest::everything().about(About::Run(run))),
            events: Vec::new(),
            cancel: Box::new(cancel),
            finished: Box::pin(finished),
            stage: Stage::Running,
        }
    }

    fn numbered(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// Returns the run's id.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// Stops the run: what it started is ended, and its events continue until then.
    pub fn cancel(&self, reason: &str) {
        (self.cancel)(reason);
    }

    /// Returns the run's next event; `None` once nothing of it is left. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<Envelope>> {
        loop {
            let found = match self.stage {
                Stage::Over(end) => match self.reader.try_next().await {
                    Ok(Some(envelope)) if envelope.seq <= end => Ok(envelope),
                    Ok(_) => return None,
                    Err(gone) => Err(gone),
                },
                Stage::Ending => {
                    (&mut self.finished).await;
                    self.stage = Stage::Over(self.journal.head());
                    continue;
                }
                Stage::Running => tokio::select! {
                    found = self.reader.next() => found,
                    () = &mut self.finished => {
                        self.stage = Stage::Over(self.journal.head());
                        continue;
                    }
                },
            };
            match found {
                Ok(envelope) => {
                    let ends = matches!(envelope.event, Event::Run(RunEvent::Finished { .. }));
                    if ends && self.stage == Stage::Running {
                        self.stage = Stage::Ending;
                    }
                    self.events.push(Arc::clone(&envelope));
                    return Some(envelope);
                }
                // The reader continues at the oldest event there is.
                Err(Gone { oldest }) => {
                    tracing::warn!(run = %self.run, %oldest, "events of a run were missed");
                }
            }
        }
    }

    /// Waits until nothing of the run is left.
    pub async fn finish(mut self) -> Completed {
        while self.next().await.is_some() {}
        let unknown = || Arc::new(RunView::unknown(self.run, self.begun));
        let run = self.views.run(self.run).unwrap_or_else(unknown);
        Completed { number: self.number, run, events: self.events }
    }
}
