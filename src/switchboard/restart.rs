//! Taking over what an earlier process left: its phones, their registrations, the dangling calls.

use std::net::SocketAddr;

use super::Switchboard;
use crate::{
    command::Rejection,
    event::{Cause, DialogIdentity, EndCause, Event, PhoneEvent, PhoneSpec, SipEvent, Subject},
    id::{PhoneId, Seq},
    journal::Journal,
    phone::{Dangling, Left},
    secret::Secret,
    view::{CallView, PhoneView, Views},
};

/// Returns the calls of a phone that the journal says are up.
pub(super) async fn dangling(
    views: &Views,
    journal: &Journal,
    phone: &PhoneId,
    why: EndCause,
) -> Vec<Dangling> {
    // Journals of the first version do not record that a dialog is confirmed; that the call was
    // established tells.
    let complete = |call: &CallView| {
        let dialog = call.dialog.clone()?;
        Some(DialogIdentity { confirmed: dialog.confirmed || call.established_at.is_some(), ..dialog })
    };
    let mut found = Vec::new();
    for left in views.dangling().into_iter().filter(|left| left.call.phone == *phone) {
        let sent = message(journal, left.invite_sent).await;
        let invite = match sent {
            Some(_) => sent,
            None => message(journal, left.invite_received).await,
        };
        // No process knows how long the call was up after the last fact about it.
        let known = journal.get(left.call.latest).await.map(|latest| latest.at);
        let lasted_ms = known.map_or(0, |known| left.call.lasted_ms(known));
        found.push(Dangling {
            left: Left { call: left.call.id, why, lasted_ms },
            direction: left.call.direction,
            dialog: complete(&left.call),
            established: left.call.established_at.is_some(),
            invite,
        });
    }
    found
}

async fn message(journal: &Journal, seq: Option<Seq>) -> Option<SipEvent> {
    match &journal.get(seq?).await?.event {
        Event::Sip(event) => Some(event.clone()),
        Event::Phone(_)
        | Event::Call(_)
        | Event::Media(_)
        | Event::Capture(_)
        | Event::Run(_)
        | Event::System(_) => None,
    }
}

/// Returns the port on which a phone last received SIP.
pub(super) fn last_port(views: &Views, phone: &PhoneId) -> Option<u16> {
    let phone = views.phone_ever(phone)?;
    phone.last_bound.map(|address| address.port())
}

/// Returns where the other side of a call was, without asking DNS.
fn remote(left: &Dangling) -> Option<SocketAddr> {
    let of_invite = || Some(left.invite.as_ref()?.on_wire()?.remote);
    left.dialog.as_ref().map(|dialog| dialog.remote).or_else(of_invite)
}

impl Switchboard {
    /// Starts the phones that the journal knows. A phone that a run created, or that was dropped
    /// before its calls had ended, only ends those calls; starting does not wait for that.
    pub(super) async fn take_up(&self) {
        let (journal, views) = (&self.inner.journal, &self.inner.views);
        let mut gone = Vec::new();
        for phone in views.phones_ever() {
            if phone.dropped_at.is_some() && views.active_calls(&phone.id).is_empty() {
                continue;
            }
            let dangling = dangling(views, journal, &phone.id, EndCause::ProcessRestarted).await;
            if phone.dropped_at.is_none() && phone.of_a_run {
                journal.append(Subject::phone(phone.id.clone()), Cause::Start, PhoneEvent::Dropped {});
                gone.push((phone, dangling));
            } else if phone.dropped_at.is_none() {
                self.revive(&phone, dangling).await;
            } else {
                gone.push((phone, dangling));
            }
        }
        // Only now, so that none of them takes the port of a phone that stays.
        for (phone, dangling) in gone {
            let (switchboard, turn) = (self.clone(), self.inner.turns.take(&phone.id).await);
            tokio::spawn(async move {
                if let Err(rejection) = switchboard.end_calls(&phone, dangling).await {
                    tracing::warn!(phone = %phone.id, error = %rejection, "calls cannot be ended on the wire");
                }
                drop(turn);
            });
        }
    }

    async fn revive(&self, phone: &PhoneView, dangling: Vec<Dangling>) {
        let (id, spec, password) = (phone.id.clone(), phone.spec.clone(), self.password(&phone.id).await);
        if let Err(rejection) = self.launch(id, spec, password, dangling, Cause::Start).await {
            tracing::warn!(phone = %phone.id, error = %rejection, "phone cannot be taken up again");
            let reason = rejection.to_string();
            let failed = PhoneEvent::RegistrationFailed { status: None, reason, retry_in_ms: None };
            self.inner.journal.append(Subject::phone(phone.id.clone()), Cause::Start, failed);
        }
    }

    /// Ends the calls of a dropped phone on the wire and removes its password; a phone for which
    /// that fails keeps its dangling calls.
    async fn end_calls(&self, phone: &PhoneView, dangling: Vec<Dangling>) -> Result<(), Rejection> {
        if !dangling.is_empty() {
            let (id, password) = (phone.id.clone(), self.password(&phone.id).await);
            // Its domain may no longer resolve, and its port may be taken; the address of its calls
            // is enough.
            let domain = dangling.iter().find_map(remote);
            let domain = domain.map_or_else(|| phone.spec.domain.clone(), |remote| remote.to_string());
            let spec = PhoneSpec { domain, local_port: 0, ..phone.spec.clone() };
            self.launch_to_end_calls(id, spec, password, dangling).await?;
        }
        self.forget_password(&phone.id).await;
        Ok(())
    }

    async fn password(&self, phone: &PhoneId) -> Secret<String> {
        self.inner.passwords.get(phone).await.unwrap_or_default()
    }
}
