//! All views behind one cheap handle.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CallView, Calls, Counters, Inbox, LinkView, Links, MessageView, PhoneView, Phones, RunView, Runs, Scope,
    SipMessages, SipThread, TimelineRow, timeline,
};
use crate::{
    event::{Envelope, Event, PhoneEvent, SystemEvent},
    id::{CallId, PhoneId, RunId, Seq},
    journal::{self, Asker, Attached, Fold, Journal, JournalError, KeptFold, PruneError, Pruned},
};

/// Reads of everything that happened; each one includes every append that has returned.
#[derive(Clone)]
pub struct Views {
    folded: Attached<Folded>,
    journal: Journal,
}

/// All views together: they are saved as one, so that they always show the same moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Folded {
    phones: Phones,
    calls: Calls,
    inbox: Inbox,
    sip_messages: SipMessages,
    runs: Runs,
    counters: Counters,
    links: Links,
}

/// A call that was not over when its process died.
#[derive(Clone, Debug, PartialEq)]
pub struct Dangling {
    /// What is known of the call; with its `dialog` it can be ended by BYE.
    pub call: Arc<CallView>,
    /// Position of the last INVITE that we sent, for a CANCEL if there is no dialog.
    pub invite_sent: Option<Seq>,
    /// Position of the last INVITE that we received, for a refusal.
    pub invite_received: Option<Seq>,
}

impl Fold for Folded {
    fn apply(&mut self, envelope: &Envelope) {
        self.phones.apply(envelope);
        self.calls.apply(envelope);
        self.inbox.apply(envelope);
        self.sip_messages.apply(envelope);
        self.runs.apply(envelope);
        self.counters.apply(envelope);
        self.links.apply(envelope);
        if let Event::Phone(PhoneEvent::Dropped {}) = &envelope.event {
            self.forget_a_phone();
        }
        if let Event::System(SystemEvent::Pruned { calls, .. }) = &envelope.event {
            self.forget_calls(calls);
        }
    }
}

impl KeptFold for Folded {
    const NAME: &'static str = "views";
    const VERSION: u32 = 7;
}

impl Folded {
    /// Forgets what retention removed.
    fn forget_calls(&mut self, ranges: &[[u64; 2]]) {
        for gone in self.calls.forget(ranges) {
            let others = self.calls.with_sip_call_id(&gone.sip_call_id);
            if !others.iter().any(|other| other.phone == gone.phone) {
                self.sip_messages.forget_thread(&gone.phone, &gone.sip_call_id);
            }
        }
        self.sip_messages.close_ranks();
    }

    /// Forgets the oldest dropped phone above the limit, unless its calls still have to be ended.
    fn forget_a_phone(&mut self) {
        let calls = &self.calls;
        if let Some(phone) = self.phones.forget_one(|phone| calls.active(phone).is_empty()) {
            self.inbox.forget(&phone);
            self.sip_messages.forget(&phone);
        }
    }
}

impl Views {
    /// Folds everything that `journal` holds and will hold, starting from the saved copy; blocks
    /// the thread meanwhile.
    #[must_use]
    pub fn attach(journal: &Journal) -> Self {
        Self { folded: journal.attach_kept(), journal: journal.clone() }
    }

    /// Returns a phone that exists.
    #[must_use]
    pub fn phone(&self, phone: &PhoneId) -> Option<Arc<PhoneView>> {
        self.read(|folded| folded.phones.get(phone)).filter(|phone| phone.dropped_at.is_none())
    }

    /// Returns the existing phones, in order of addition.
    #[must_use]
    pub fn phones(&self) -> Vec<Arc<PhoneView>> {
        self.read(|folded| folded.phones.present())
    }

    /// Returns the phones that exist or existed, in order of addition.
    #[must_use]
    pub fn phones_ever(&self) -> Vec<Arc<PhoneView>> {
        self.read(|folded| folded.phones.all())
    }

    /// Returns the links to phone systems that this process has.
    #[must_use]
    pub fn links(&self) -> Vec<Arc<LinkView>> {
        self.read(|folded| folded.links.all())
    }

    /// Returns a phone that exists or existed.
    #[must_use]
    pub fn phone_ever(&self, phone: &PhoneId) -> Option<Arc<PhoneView>> {
        self.read(|folded| folded.phones.get(phone))
    }

    /// Returns a call, running or ended.
    #[must_use]
    pub fn call(&self, call: CallId) -> Option<Arc<CallView>> {
        self.read(|folded| folded.calls.get(call))
    }

    /// Returns a phone's calls that are not over, oldest first.
    #[must_use]
    pub fn active_calls(&self, phone: &PhoneId) -> Vec<Arc<CallView>> {
        self.read(|folded| folded.calls.active(phone))
    }

    /// Returns every call that is not over, oldest first.
    #[must_use]
    pub fn all_active_calls(&self) -> Vec<Arc<CallView>> {
        self.read(|folded| folded.calls.all_active())
    }

    /// Returns the newest `last` ended calls in order of their end, of one phone or of all.
    #[must_use]
    pub fn history(&self, phone: Option<&PhoneId>, last: usize) -> Vec<Arc<CallView>> {
        self.read(|folded| folded.calls.history(phone, last))
    }

    /// Returns the calls with this `Call-ID` header, oldest first.
    #[must_use]
    pub fn calls_with_sip_call_id(&self, sip_call_id: &str) -> Vec<Arc<CallView>> {
        self.read(|folded| folded.calls.with_sip_call_id(sip_call_id))
    }

    /// Returns the calls that are not over, with what is needed to end them after a crash.
    #[must_use]
    pub fn dangling(&self) -> Vec<Dangling> {
        self.read(|folded| {
            let dangling = |call: Arc<CallView>| {
                let thread = folded.sip_messages.thread(&call.phone, &call.sip_call_id);
                let invite_sent = thread.and_then(|thread| thread.invite_sent);
                let invite_received = thread.and_then(|thread| thread.invite_received);
                Dangling { call, invite_sent, invite_received }
            };
            folded.calls.all_active().into_iter().map(dangling).collect()
        })
    }

    /// Returns the id for the next call: never used before in this journal.
    #[must_use]
    pub fn next_call_id(&self) -> CallId {
        self.read(|folded| folded.calls.next_id())
    }

    /// Returns the text messages that a phone received, oldest first.
    #[must_use]
    pub fn messages(&self, phone: &PhoneId) -> Vec<MessageView> {
        self.read(|folded| folded.inbox.of(phone))
    }

    /// Returns the positions of a phone's `sip.*` events, oldest first.
    #[must_use]
    pub fn sip_messages_of_phone(&self, phone: &PhoneId) -> Vec<Seq> {
        self.read(|folded| folded.sip_messages.of_phone(phone))
    }

    /// Returns the positions of a call's `sip.*` events, oldest first; empty for an unknown call.
    #[must_use]
    pub fn sip_messages_of_call(&self, call: CallId) -> Vec<Seq> {
        self.read(|folded| {
            let call = folded.calls.get(call)?;
            Some(
                folded
                    .sip_messages
                    .thread(&call.phone, &call.sip_call_id)?
                    .messages
                    .iter()
                    .copied()
                    .collect(),
            )
        })
        .unwrap_or_default()
    }

    /// Returns what a phone sent and received with a `Call-ID`.
    #[must_use]
    pub fn sip_thread(&self, phone: &PhoneId, sip_call_id: &str) -> Option<SipThread> {
        self.read(|folded| folded.sip_messages.thread(phone, sip_call_id).cloned())
    }

    /// Returns a run.
    #[must_use]
    pub fn run(&self, run: RunId) -> Option<Arc<RunView>> {
        self.read(|folded| folded.runs.get(run))
    }

    /// Returns the runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Arc<RunView>> {
        self.read(|folded| folded.runs.all())
    }

    /// Returns the id for the next run: never used before in this journal.
    #[must_use]
    pub fn next_run_id(&self) -> RunId {
        self.read(|folded| folded.runs.next_id())
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.read(|folded| folded.counters.clone())
    }

    /// Returns what happened in a call or run, as rows for people.
    ///
    /// # Errors
    /// [`JournalError`] if older events cannot be read back.
    pub async fn timeline(&self, scope: Scope) -> Result<Vec<TimelineRow>, JournalError> {
        timeline::rows(&self.journal, scope).await
    }

    fn read<R>(&self, look: impl FnOnce(&Folded) -> R) -> R {
        self.folded.read(look)
    }
}

/// Removes the calls and runs that are over and older than `until` from a data folder that another process uses.
///
/// # Errors
/// [`PruneError`] says what stopped it.
pub fn prune_beside(folder: &Path, until: Timestamp, asker: Asker) -> Result<Pruned, PruneError> {
    journal::prune_beside::<Folded>(folder, until, asker)
}
