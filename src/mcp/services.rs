//! What the tools use: one door for commands, the journal and its views for reads, the scenario
//! engine.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::runs::Runs;
use crate::{
    artifact::{ArtifactFolder, sidecar_of},
    command::Execute,
    event::{Event, PhoneEvent},
    id::{PhoneId, Seq},
    journal::{About, Interest, Journal, Kinds},
    view::{PhoneView, Views},
};

/// Everything that a server needs.
#[derive(Clone)]
pub struct Services {
    /// The one door for everything that changes something.
    pub execute: Arc<dyn Execute>,
    /// The event log.
    pub journal: Journal,
    /// Folds of the journal; every read of the server uses them.
    pub views: Views,
    /// The scenario engine.
    pub runs: Arc<dyn Runs>,
    /// Where recordings are, and how their paths are shown.
    pub recordings: ArtifactFolder,
    /// Where captures are, and how their paths are shown.
    pub captures: ArtifactFolder,
    /// Time zone for times of day in logs and histories.
    pub zone: TimeZone,
    /// Canceled when the server is to stop; tools that wait then stop waiting.
    pub closing: CancellationToken,
}

impl Services {
    /// Returns the phones of the roster, oldest first: those that exist and belong to no run. A run
    /// looks after its own.
    pub(super) fn roster(&self) -> Vec<Arc<PhoneView>> {
        let mut phones = self.views.phones();
        phones.retain(|phone| phone.id.run().is_none());
        phones
    }

    /// Returns the names of the roster.
    pub(super) fn phone_ids(&self) -> Vec<PhoneId> {
        self.roster().iter().map(|phone| phone.id.clone()).collect()
    }

    /// Returns the phones with a current binding.
    pub(super) fn registered_phones(&self) -> Vec<PhoneId> {
        let phones = self.views.phones();
        phones.iter().filter(|phone| phone.registration.registered).map(|phone| phone.id.clone()).collect()
    }

    /// Returns the path of a recording as the user sees it.
    pub(super) fn shown(&self, recording: &str) -> String {
        self.recordings.shown(Path::new(recording)).display().to_string()
    }

    /// Returns the path of a recording's sidecar as the user sees it, if there is one.
    pub(super) async fn shown_sidecar(&self, recording: &str) -> Option<String> {
        let sidecar = sidecar_of(Path::new(recording));
        let there = tokio::fs::metadata(&sidecar).await.is_ok_and(|found| found.is_file());
        there.then(|| self.recordings.shown(&sidecar).display().to_string())
    }

    /// Returns the wall time now.
    pub(super) fn now(&self) -> Timestamp {
        self.journal.wall().now()
    }

    /// Waits until each of the phones has an outcome of its registration after `after`, for
    /// `within` at most.
    pub(super) async fn registrations_settled(&self, phones: &[PhoneId], after: Seq, within: Duration) {
        let deadline = Instant::now() + within;
        let mut open: Vec<&PhoneId> = phones.iter().collect();
        let interest = Interest {
            subjects: phones.iter().cloned().map(About::Phone).collect(),
            kinds: Kinds::of(&SETTLING),
        };
        let mut reader = self.journal.reader_of(after, interest);
        while !open.is_empty() {
            let next = tokio::select! {
                next = timeout_at(deadline, reader.next()) => next,
                () = self.closing.cancelled() => return,
            };
            // A reader that fell behind continues at the oldest event; only the deadline ends the
            // wait.
            let Ok(next) = next else { return };
            let Ok(envelope) = next else { continue };
            // The end of an earlier phone of the same name says nothing about this one.
            let of_this_life =
                |phone: &PhoneId| self.views.phone(phone).is_none_or(|view| envelope.seq > view.first);
            if settles(&envelope.event) {
                open.retain(|phone| envelope.subject.phone.as_ref() != Some(*phone) || !of_this_life(phone));
            }
        }
    }
}

/// Kinds that [`settles`] looks at.
const SETTLING: [&str; 1] = ["phone.*"];

fn settles(event: &Event) -> bool {
    matches!(
        event,
        Event::Phone(
            PhoneEvent::Registered { .. }
                | PhoneEvent::RegistrationFailed { .. }
                | PhoneEvent::Unregistered { .. }
                | PhoneEvent::Crashed { .. }
                | PhoneEvent::Dropped {}
        )
    )
}
