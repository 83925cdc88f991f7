//! All dialogs of a user agent and the usages of each: RFC 3261 §12, RFC 5057.
//!
//! Dialogs come in sets. Those that a forked INVITE of ours creates share the Call-ID, the local
//! tag and, as §12.2.1.1 allows, the CSeq numbers; a dialog that the peer began is alone in its
//! set. A set lives as long as something uses one of its dialogs or may still create one.

use super::{DialogKey, DialogRecord};
use crate::auth::Credentials;
use crate::index::Index;
use crate::message::{Event, Message};
use crate::usage::{Subscription, Usage};
use crate::user_agent::{RequestId, SessionId};
use std::collections::BTreeMap;

/// Names one set of dialogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialogSetId(u64);

/// One dialog.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) record: DialogRecord,
    usages: Vec<Usage>,
}

impl Dialog {
    /// Returns the session that uses the dialog.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.usages.iter().find_map(|usage| match usage {
            Usage::Invite(session) => Some(*session),
            Usage::Subscription(_) => None,
        })
    }

    fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.usages.iter().filter_map(|usage| match usage {
            Usage::Invite(_) => None,
            Usage::Subscription(subscription) => Some(subscription),
        })
    }

    /// Returns the subscription that a NOTIFY with this Event is about.
    pub(crate) fn subscription_for(&self, event: &Event) -> Option<RequestId> {
        let mut candidates = self.subscriptions().filter(|subscription| subscription.takes(event));
        // When there is only one, its id does not matter: that of a challenged REFER is unknown
        // before its 202, and an intermediary may have changed it.
        let mut of_package = self.subscriptions().filter(|subscription| subscription.is_for(event));
        let only = of_package.next().filter(|_| of_package.next().is_none());
        candidates.next().or(only).map(|subscription| subscription.request)
    }

    /// Takes the CSeq of a request (§12.2.2).
    ///
    /// # Errors
    /// When it is not above the last one, which is returned.
    pub(crate) fn count(&mut self, number: u32) -> Result<(), u32> {
        if let Some(last) = self.record.remote_cseq.filter(|last| number <= *last) {
            return Err(last);
        }
        self.record.remote_cseq = Some(number);
        Ok(())
    }
}

/// Dialogs that share our half of their identity.
#[derive(Debug)]
pub(crate) struct DialogSet {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    /// Our From or To value without the tag.
    pub(crate) local_uri: String,
    /// User part of our Contact.
    pub(crate) user: String,
    /// Answers challenges to requests in these dialogs.
    pub(crate) credentials: Option<Credentials>,
    cseq: u32,
    dialogs: Vec<Dialog>,
    /// Whether only one dialog is left, the settled one: for a callee from the start, for a caller
    /// from the first 2xx.
    settled: bool,
}

impl DialogSet {
    pub(crate) const fn new(call_id: String, local_tag: String, local_uri: String, user: String) -> Self {
        Self {
            call_id,
            local_tag,
            local_uri,
            user,
            credentials: None,
            cseq: 0,
            dialogs: Vec::new(),
            settled: false,
        }
    }

    /// Returns the CSeq of the last request.
    pub(crate) const fn cseq(&self) -> u32 {
        self.cseq
    }

    /// Counts up and returns the CSeq of the next request.
    pub(crate) fn next_cseq(&mut self) -> u32 {
        self.cseq = self.cseq.wrapping_add(1);
        let cseq = self.cseq;
        if let Some(dialog) = self.dialog_mut() {
            dialog.record.local_cseq = cseq;
        }
        cseq
    }

    /// Returns the settled dialog.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        self.dialogs.first().filter(|_| self.settled)
    }

    /// Returns the settled dialog for changes.
    pub(crate) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        self.dialogs.first_mut().filter(|_| self.settled)
    }

    /// Returns the settled dialog, or else the latest early one.
    pub(crate) fn latest(&self) -> Option<&DialogRecord> {
        self.dialogs.last().map(|dialog| &dialog.record)
    }

    /// Returns the early dialogs of a caller.
    pub(crate) fn early(&self) -> impl Iterator<Item = &DialogRecord> {
        self.dialogs.iter().filter(|_| !self.settled).map(|dialog| &dialog.record)
    }

    /// Returns the dialog with a peer's tag.
    pub(crate) fn with_tag(&mut self, remote_tag: &str) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|dialog| dialog.record.remote_tag == remote_tag)
    }

    /// Tells whether there is a dialog with a peer's tag.
    pub(crate) fn has(&self, call_id: &str, remote_tag: &str) -> bool {
        self.call_id == call_id && self.dialogs.iter().any(|dialog| dialog.record.remote_tag == remote_tag)
    }

    /// Adds an early dialog of a session.
    pub(crate) fn add_early(&mut self, record: DialogRecord, session: SessionId) {
        self.dialogs.push(Dialog { record, usages: vec![Usage::Invite(session)] });
    }

    /// Settles on a dialog; the early ones end, but the usages of the one that became it stay.
    pub(crate) fn settle(&mut self, record: DialogRecord, session: SessionId) {
        let early = self.dialogs.drain(..).find(|early| early.record.remote_tag == record.remote_tag);
        let usages = early.map_or_else(|| vec![Usage::Invite(session)], |early| early.usages);
        self.dialogs.push(Dialog { record, usages });
        self.settled = true;
    }

    /// Forgets an early dialog.
    pub(crate) fn drop_early(&mut self, remote_tag: &str) {
        let settled = self.settled;
        self.dialogs.retain(|dialog| settled || dialog.record.remote_tag != remote_tag);
    }

    /// Adds a subscription to the dialog that requests go to.
    pub(crate) fn subscribe(&mut self, subscription: Subscription) {
        if let Some(dialog) = self.dialogs.last_mut() {
            dialog.usages.push(Usage::Subscription(subscription));
        }
    }

    /// Returns the subscription that a request made.
    pub(crate) fn subscription_mut(&mut self, request: RequestId) -> Option<&mut Subscription> {
        let usages = self.dialogs.iter_mut().flat_map(|dialog| &mut dialog.usages);
        usages
            .filter_map(|usage| match usage {
                Usage::Invite(_) => None,
                Usage::Subscription(subscription) => Some(subscription),
            })
            .find(|subscription| subscription.request == request)
    }

    /// Tells whether there is a subscription.
    pub(crate) fn has_subscription(&self) -> bool {
        self.dialogs.iter().any(|dialog| dialog.subscriptions().next().is_some())
    }

    /// Ends the subscription that a request made.
    pub(crate) fn unsubscribe(&mut self, request: RequestId) {
        self.end(
            |usage| matches!(usage, Usage::Subscription(subscription) if subscription.request == request),
        );
    }

    /// Ends every subscription.
    pub(crate) fn unsubscribe_all(&mut self) {
        self.end(|usage| matches!(usage, Usage::Subscription(_)));
    }

    /// Ends the use by the session.
    pub(crate) fn end_session(&mut self) {
        self.end(|usage| matches!(usage, Usage::Invite(_)));
    }

    fn usages(&self) -> usize {
        self.dialogs.iter().map(|dialog| dialog.usages.len()).sum()
    }

    fn end(&mut self, over: impl Fn(&Usage) -> bool) {
        for dialog in &mut self.dialogs {
            dialog.usages.retain(|usage| !over(usage));
        }
        self.dialogs.retain(|dialog| !dialog.usages.is_empty());
    }
}

/// All dialogs of one user agent.
#[derive(Debug)]
pub(crate) struct DialogTable {
    sets: BTreeMap<DialogSetId, DialogSet>,
    by_tag: Index<String, DialogSetId>,
    last_id: u64,
}

impl DialogTable {
    pub(crate) fn new() -> Self {
        Self { sets: BTreeMap::new(), by_tag: Index::new(), last_id: 0 }
    }

    /// Takes in a set that may have no dialog yet.
    pub(crate) fn open(&mut self, set: DialogSet) -> DialogSetId {
        self.last_id = self.last_id.wrapping_add(1);
        let id = DialogSetId(self.last_id);
        self.by_tag.insert(set.local_tag.clone(), id);
        self.sets.insert(id, set);
        id
    }

    pub(crate) fn get(&self, id: DialogSetId) -> Option<&DialogSet> {
        self.sets.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: DialogSetId) -> Option<&mut DialogSet> {
        self.sets.get_mut(&id)
    }

    /// Forgets a set that no usage holds any more.
    pub(crate) fn close_unused(&mut self, id: DialogSetId) {
        if self.sets.get(&id).is_some_and(|set| set.dialogs.is_empty())
            && let Some(set) = self.sets.remove(&id)
        {
            self.by_tag.remove(&set.local_tag);
        }
    }

    /// Finds the set with a dialog of this identity.
    pub(crate) fn find(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<DialogSetId> {
        let &id = self.by_tag.get(local_tag)?;
        self.sets.get(&id)?.has(call_id, remote_tag).then_some(id)
    }

    /// Finds the dialog that a received request belongs to: its set, and the peer's tag in it.
    pub(crate) fn of_request(&self, request: &Message) -> Option<(DialogSetId, String)> {
        let to = request.to().ok()?;
        let from = request.from().ok()?;
        let remote_tag = from.tag().unwrap_or_default();
        let id = self.find(&request.call_id().ok()?, to.tag()?, remote_tag)?;
        Some((id, remote_tag.to_owned()))
    }

    /// Finds the session that uses a dialog.
    pub(crate) fn session_with(&self, key: &DialogKey) -> Option<SessionId> {
        let id = self.find(&key.call_id, &key.local_tag, &key.remote_tag)?;
        let dialogs = &self.sets.get(&id)?.dialogs;
        dialogs.iter().find(|dialog| dialog.record.remote_tag == key.remote_tag)?.session()
    }

    /// Returns the sets that are left, one line each.
    pub(crate) fn leftovers(&self) -> impl Iterator<Item = String> + '_ {
        self.sets.iter().map(|(id, set)| format!("dialogs {} with {} usages", id.0, set.usages()))
    }
}
