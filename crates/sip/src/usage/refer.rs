//! REFER, and the subscription to its progress that it makes in the dialog: RFC 3515, RFC 4488.
//!
//! The subscription exists from the REFER on, because a NOTIFY may overtake its 202. It ends with a
//! refusal, with the NOTIFY that says so, or a while after its session; until then it keeps the
//! dialog alive (RFC 5057 §5.1).

use super::invite::{SessionError, SessionEvent};
use super::{Subscription, SubscriptionTimer};
use crate::dialog::{DialogSet, DialogSetId};
use crate::message::{HeaderName, Message, Method, StatusCode, SubscriptionStatus};
use crate::user_agent::{
    Anomaly, Deadline, Flow, IncomingId, NamedHeaders, Reply, RequestFailure, RequestId, SessionId, UserAgent,
};
use std::time::Instant;

impl UserAgent {
    /// Asks the peer to contact `refer_to`, a URI or a whole name-addr; put Referred-By or Refer-Sub into `headers`.
    ///
    /// # Errors
    /// When the session has no dialog.
    pub fn refer(
        &mut self,
        now: Instant,
        id: SessionId,
        refer_to: &str,
        mut headers: NamedHeaders,
    ) -> Result<RequestId, SessionError> {
        // Without brackets the parameters of a URI would be those of the header (§20).
        let target = if refer_to.contains('<') { refer_to.to_owned() } else { format!("<{refer_to}>") };
        headers.insert(0, (HeaderName::ReferTo, target));
        let request = self.send_in_dialog(now, id, Method::Refer, headers, None)?;
        if let Some(dialogs) = self.dialogs_of_mut(id) {
            let cseq = dialogs.cseq();
            dialogs.subscribe(Subscription { package: "refer", request, id: cseq });
        }
        Ok(request)
    }

    /// Takes the final outcome of a request that may have been a REFER.
    pub(crate) fn refer_outcome(
        &mut self,
        id: SessionId,
        request: RequestId,
        outcome: Result<&Message, RequestFailure>,
    ) {
        let Some(dialogs) = self.dialogs_of_mut(id) else { return };
        let Some(subscription) = dialogs.subscription_mut(request) else { return };
        let refused = |response: &Message| {
            let accepted = response.status().is_some_and(StatusCode::is_success);
            // RFC 4488 §4: the peer may accept without a subscription.
            let silent = response.header(HeaderName::ReferSub);
            !accepted || silent.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
        };
        match outcome {
            Ok(response) if !refused(response) => {
                // A challenge may have used up a number.
                subscription.id = response.cseq().map_or(subscription.id, |cseq| cseq.number);
            }
            Ok(_) | Err(_) => dialogs.unsubscribe(request),
        }
    }

    /// Takes a NOTIFY: a session hears of it when it is about a REFER of its own.
    pub(crate) fn receive_notify(
        &mut self,
        now: Instant,
        (set, remote_tag): (DialogSetId, &str),
        session: Option<SessionId>,
        server: u64,
        flow: Flow,
        notify: &Message,
    ) {
        if self.note_notify(set, remote_tag, notify).is_none() {
            let status = StatusCode::CALL_DOES_NOT_EXIST;
            self.refuse(now, server, flow, notify, Anomaly::NoSubscription, status);
            return;
        }
        let (request, message) = (IncomingId(server), notify.clone());
        match session {
            Some(session) => self.session_event(session, SessionEvent::Notify { request, message }),
            None => self.notified_late(now, set, server),
        }
    }

    /// Takes note of a NOTIFY; `None` when it belongs to no subscription of ours.
    fn note_notify(&mut self, set: DialogSetId, remote_tag: &str, notify: &Message) -> Option<()> {
        let event = notify.event().ok().flatten()?;
        let dialogs = self.dialogs.get_mut(set)?;
        let request = dialogs.with_tag(remote_tag)?.subscription_for(&event)?;
        let state = notify.subscription_state().ok().flatten();
        if state.is_some_and(|state| state.status == SubscriptionStatus::Terminated) {
            dialogs.unsubscribe(request);
        }
        Some(())
    }

    /// Takes a NOTIFY whose session is over: it is no longer reported, but it is not a mistake of
    /// the peer either.
    fn notified_late(&mut self, now: Instant, set: DialogSetId, server: u64) {
        self.answer(now, server, StatusCode::OK, None, Reply::default());
        if !self.dialogs.get(set).is_some_and(DialogSet::has_subscription) {
            self.deadlines.stop(Deadline::Subscription(set, SubscriptionTimer::Outlived));
            self.dialogs.close_unused(set);
        }
    }

    /// Gives the subscriptions of a session that has just ended some time to end too.
    pub(crate) fn outlive(&mut self, now: Instant, id: SessionId) {
        let Some(set) = self.sessions.get(&id).map(|session| session.dialogs) else { return };
        if self.dialogs.get(set).is_some_and(DialogSet::has_subscription) {
            let deadline = Deadline::Subscription(set, SubscriptionTimer::Outlived);
            self.arm(now, deadline, self.config.timers.f);
        }
    }

    pub(crate) fn subscription_timer(&mut self, set: DialogSetId, timer: SubscriptionTimer) {
        match timer {
            SubscriptionTimer::Outlived => {
                if let Some(dialogs) = self.dialogs.get_mut(set) {
                    dialogs.unsubscribe_all();
                    self.dialogs.close_unused(set);
                }
            }
        }
    }
}
