//! The end of a run whose actor broke: ends what it left, and journals its verdict.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use super::{
    actor::{Held, RunArguments},
    machine::Ending,
};
use crate::{
    command::{CallCommand, CallSelector, Command, NodeCommand},
    event::{Cause, RunEvent, Subject, Verdict},
    id::{CallId, PhoneId},
    journal::{Interest, Query},
};

/// How long the run's commands in progress may still take: longer than creating a phone does.
const UNDER_WAY: Duration = Duration::from_secs(10);
/// How long its calls may take to end.
const CALLS: Duration = Duration::from_secs(3);

impl RunArguments {
    /// If the run has no verdict yet, ends what it left and journals one; `why` says how it broke.
    pub async fn clean_up(self, why: Option<String>) {
        let said_nothing = self.context.views.run(self.run).is_some_and(|run| run.end.is_none());
        if said_nothing {
            tracing::error!(run = %self.run, why, "a runner broke");
            let cause = Cause::Run { run: self.run, hook: "teardown".to_owned() };
            // What is being created can only be ended once it exists.
            self.commands.close();
            if timeout(UNDER_WAY, self.commands.wait()).await.is_err() {
                tracing::warn!(run = %self.run, "commands of a broken run are still under way");
            }
            let left_over = self.end_calls(&cause).await;
            self.drop_phones(&cause).await;
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let event = RunEvent::Finished {
                verdict: Verdict::Error,
                reason: format!("the runner broke{why}"),
                elapsed_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                ending: Some(Ending::Broken),
                idle_hooks: Vec::new(),
                left_over: left_over.into_iter().filter(|call| self.is_active(*call)).collect(),
            };
            Held::give_back(&self.held);
            self.context.journal.append(Subject::run(self.run), cause, event);
        }
        Held::give_back(&self.held);
    }

    fn is_active(&self, call: CallId) -> bool {
        self.context.views.call(call).is_some_and(|call| call.is_active())
    }

    /// Hangs up the run's calls and waits a moment for their ends; returns those that did not end.
    async fn end_calls(&self, cause: &Cause) -> Vec<CallId> {
        let journal = &self.context.journal;
        let mut ends = journal.reader_of(journal.head(), Interest::of_kinds(&["call.ended"]));
        let mut open = self.open_calls().await;
        for call in &open {
            let command = Command::Call(CallSelector::call(*call), CallCommand::HangUp);
            if let Err(error) = self.context.execute.execute(command, cause.clone()).await {
                tracing::warn!(%call, %error, "a call of a broken run could not be ended");
            }
        }
        let all_ended = async {
            loop {
                open.retain(|call| self.is_active(*call));
                if open.is_empty() {
                    return;
                }
                // A reader that fell behind still sees the next end.
                drop(ends.next().await);
            }
        };
        drop(timeout(CALLS, all_ended).await);
        open
    }

    /// Returns the open calls that began in the run, including those on phones it did not create.
    async fn open_calls(&self) -> Vec<CallId> {
        let began = Query {
            run: Some(self.run),
            after: Some(self.after),
            ..Query::of_kinds(&["call.placed", "call.incoming"])
        };
        match self.context.journal.query(&began).await {
            Ok(events) => {
                let calls: BTreeSet<CallId> =
                    events.iter().filter_map(|envelope| envelope.subject.call).collect();
                calls.into_iter().filter(|call| self.is_active(*call)).collect()
            }
            Err(error) => {
                tracing::warn!(run = %self.run, %error, "the calls of a broken run cannot be found");
                Vec::new()
            }
        }
    }

    async fn drop_phones(&self, cause: &Cause) {
        let phones = self.context.views.phones();
        let ours = phones.iter().map(|phone| &phone.id).filter(|phone| phone.run() == Some(self.run));
        for phone in ours.cloned().collect::<Vec<PhoneId>>() {
            let command = Command::Node(NodeCommand::DropPhone { phone, hang_up: true });
            if let Err(error) = self.context.execute.execute(command, cause.clone()).await {
                tracing::warn!(%error, "a phone of a broken run could not be dropped");
            }
        }
    }
}
