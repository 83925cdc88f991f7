//! Leaving nothing behind: calls of the run are ended and its phones dropped, within a time limit.

use std::time::{Duration, Instant};

use super::engine::{Machine, Phase, Purpose};
use crate::{
    command::{CallCommand, CallSelector, Command, NodeCommand},
    event::RunEvent,
    id::CallId,
};

/// How long calls may take to end before their phones are dropped anyway.
const CALLS: Duration = Duration::from_secs(3);
/// How long cleaning up may take in total.
const WHOLE: Duration = Duration::from_secs(6);

/// The progress of cleaning up.
#[derive(Debug)]
pub(super) struct Teardown {
    hung_up: Vec<CallId>,
    dropping: bool,
    calls_until: Instant,
    until: Instant,
}

impl Teardown {
    pub(super) fn next_deadline(&self) -> Instant {
        if self.dropping { self.until } else { self.calls_until }
    }
}

impl Machine {
    pub(super) fn begin_teardown(&mut self, now: Instant) {
        let teardown =
            Teardown { hung_up: Vec::new(), dropping: false, calls_until: now + CALLS, until: now + WHOLE };
        self.phase = Phase::TearingDown(teardown);
        // A run that has begun nothing has nothing to end.
        if self.leased.is_some() {
            let cause = self.cause("teardown");
            self.append(None, cause, RunEvent::CleaningUp {});
        }
        self.tear_down(now);
    }

    /// Takes the next step of cleaning up, if there is one to take.
    pub(super) fn tear_down(&mut self, now: Instant) {
        let open = self.book.left_over();
        let Phase::TearingDown(teardown) = &mut self.phase else { return };
        if !teardown.dropping {
            let fresh: Vec<CallId> =
                open.iter().copied().filter(|call| !teardown.hung_up.contains(call)).collect();
            teardown.hung_up.extend(&fresh);
            let waits = (!open.is_empty() || !self.in_flight.is_empty()) && now < teardown.calls_until;
            teardown.dropping = !waits && fresh.is_empty();
            let dropping = teardown.dropping;
            for call in fresh {
                let command = Command::Call(CallSelector::call(call), CallCommand::HangUp);
                self.execute(command, "teardown", Purpose::Teardown);
            }
            if !dropping {
                return;
            }
            // A phone that was still being created is dropped too; dropping one that does not exist
            // is harmless.
            if self.started_phones() {
                let made: Vec<_> = self.names.made().map(|phone| phone.in_run(self.setup.run)).collect();
                for phone in made {
                    let command = Command::Node(NodeCommand::DropPhone { phone, hang_up: true });
                    self.execute(command, "teardown", Purpose::Teardown);
                }
            }
        }
        let Phase::TearingDown(teardown) = &self.phase else { return };
        if self.in_flight.is_empty() || now >= teardown.until {
            self.in_flight.clear();
            self.conclude();
        }
    }
}
