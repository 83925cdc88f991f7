//! Taking up what an earlier process left: its phones, their registrations, the calls that dangle.

use super::Switchboard;
use crate::{
    event::{Cause, DialogIdentity, EndCause, Event, PhoneEvent, SipEvent, Subject},
    id::{PhoneId, Seq},
    journal::{Journal, Query},
    phone::Dangling,
    secret::Secret,
    view::{CallView, PhoneView, Views},
};

/// Returns the calls of a phone that the journal says are up.
pub(super) fn dangling(views: &Views, journal: &Journal, phone: &PhoneId, why: EndCause) -> Vec<Dangling> {
    let message = |seq: Option<Seq>| -> Option<SipEvent> {
        match &journal.get(seq?)?.event {
            Event::Sip(event) => Some(event.clone()),
            Event::Phone(_) | Event::Call(_) | Event::Media(_) | Event::Run(_) | Event::System(_) => None,
        }
    };
    // Journals of the first version say only by the call itself that its dialog is complete.
    let complete = |call: &CallView| {
        let dialog = call.dialog.clone()?;
        Some(DialogIdentity { confirmed: dialog.confirmed || call.established_at.is_some(), ..dialog })
    };
    let of_phone = views.dangling().into_iter().filter(|left| left.call.phone == *phone);
    of_phone
        .map(|left| Dangling {
            call: left.call.id,
            direction: left.call.direction,
            dialog: complete(&left.call),
            established: left.call.established_at.is_some(),
            invite: message(left.invite_sent).or_else(|| message(left.invite_received)),
            why,
        })
        .collect()
}

/// Returns the port on which a phone received SIP before.
pub(super) fn last_port(views: &Views, phone: &PhoneId) -> Option<u16> {
    let bound = views.phone(phone)?.bound.clone()?;
    bound.parse::<std::net::SocketAddr>().ok().map(|address| address.port())
}

impl Switchboard {
    /// Starts the phones that the journal knows; one that a run created is only closed in order.
    pub(super) async fn take_up(&self) {
        let phones = self.inner.views.phones();
        for phone in phones {
            let password = self
                .with_credentials(|credentials| credentials.get(&phone.id).cloned())
                .flatten()
                .unwrap_or_else(|| Secret::new(String::new()));
            let of_run = self.belongs_to_a_run(&phone);
            if let Err(rejection) = self.revive(&phone, password, of_run).await {
                tracing::warn!(phone = %phone.id, error = %rejection, "phone cannot be taken up again");
                let reason = rejection.sentence;
                let failed = PhoneEvent::RegistrationFailed { status: None, reason, retry_in_ms: None };
                self.inner.journal.append(Subject::phone(phone.id.clone()), Cause::Start, failed);
            }
            if of_run {
                let (switchboard, id) = (self.clone(), phone.id.clone());
                // Ending it on the wire may take a while; the new process need not wait.
                tokio::spawn(async move {
                    if let Err(rejection) = switchboard.drop_phone(id, true, Cause::Start).await {
                        tracing::warn!(error = %rejection, "phone of an earlier run did not close in order");
                    }
                });
            }
        }
    }

    async fn revive(
        &self,
        phone: &PhoneView,
        password: Secret<String>,
        of_run: bool,
    ) -> Result<(), crate::command::Rejection> {
        let why = EndCause::ProcessRestarted;
        let dangling = dangling(&self.inner.views, &self.inner.journal, &phone.id, why);
        let mut spec = phone.spec.clone();
        // A run's phone is about to go; registering it again would only be undone.
        spec.register = spec.register && !of_run;
        self.launch(phone.id.clone(), spec, password, dangling, Cause::Start).await.map(|_| ())
    }

    fn belongs_to_a_run(&self, phone: &PhoneView) -> bool {
        let added = Query {
            phone: Some(phone.id.clone()),
            kinds: vec!["phone.added".into()],
            newest_first: true,
            limit: Some(1),
            ..Query::default()
        };
        self.inner
            .journal
            .query(&added)
            .is_ok_and(|found| found.iter().any(|added| matches!(added.cause, Cause::Run { .. })))
    }
}
