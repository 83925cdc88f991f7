//! Ending on the wire what an earlier process left open, from its journal: BYE, CANCEL, or a final response.

use super::engine::UserAgent;
use super::event::{Event, Output, RequestFailure, RequestId, SessionId};
use super::flow::Flow;
use super::outgoing::{Outgoing, User};
use super::reason::Deadline;
use super::write::{self, ContactForm, Draft, Reply};
use crate::auth::Credentials;
use crate::dialog::{DialogRecord, Ours, Party, plan};
use crate::message::{HeaderName, Message, Method, StatusCode, Uri};
use crate::transaction::{ServerKey, hop};
use crate::transport::Transport;
use std::net::SocketAddr;
use std::time::Instant;

/// How far the CSeq jumps ahead of a journaled record, which may lag behind what was really sent: a record that lags
/// further must not be kept.
pub const CSEQ_JUMP: u32 = 100;

impl UserAgent {
    /// Sends BYE in a dialog of an earlier process, [`CSEQ_JUMP`] ahead of the record; the outcome comes as
    /// [`Event::Response`].
    pub fn end_dialog(
        &mut self,
        now: Instant,
        record: &DialogRecord,
        credentials: Option<Credentials>,
    ) -> RequestId {
        let id = RequestId(self.fresh_id());
        let user = User::Request(id);
        match self.dialog_request(record, Method::Bye, Vec::new()) {
            Some((draft, destination)) => {
                let cseq = record.local_cseq.saturating_add(CSEQ_JUMP);
                self.send_request(now, Outgoing::new(user, draft, cseq, &destination, credentials));
            }
            None => {
                let outcome = Err(RequestFailure::NoDestination);
                self.raise(Event::Response { id, provisional: false, outcome });
            }
        }
        id
    }

    /// Cancels an INVITE that an earlier process sent on `flow`. A 2xx that arrives all the same is acknowledged and
    /// ended with BYE. The outcome of the INVITE comes as [`Event::Response`].
    pub fn cancel_recorded(
        &mut self,
        now: Instant,
        invite: &Message,
        flow: Flow,
        credentials: Option<Credentials>,
    ) -> RequestId {
        let request = RequestId(self.fresh_id());
        let branch = invite.top_via().ok().and_then(|via| via.branch().map(str::to_owned));
        let (Some(branch), Some(uri), Ok(cseq)) = (branch, invite.request_uri(), invite.cseq()) else {
            let outcome = Err(RequestFailure::NoDestination);
            self.raise(Event::Response { id: request, provisional: false, outcome });
            return request;
        };
        let draft = Draft {
            method: Method::Invite,
            uri,
            contact: ContactForm::Absent,
            headers: Vec::new(),
            body: None,
        };
        let destination = super::Destination::default();
        let mut outgoing =
            Outgoing::new(User::Recorded(request), draft, cseq.number, &destination, credentials);
        outgoing.flow = Some(flow);
        let id = self.fresh_id();
        outgoing.client = Some(self.transactions.resume_invite(branch, invite, flow, id));
        self.outgoing.insert(id, Box::new(outgoing));
        self.send_cancel(now, invite, flow, &Vec::new());
        // Nothing else would end the wait when the peer has forgotten the INVITE too.
        self.arm(now, Deadline::Recovery(id), self.config.timers.b);
        request
    }

    /// Gives an INVITE that an earlier process received its final response. `local_tag` is the To tag that the
    /// earlier process used in provisional responses, if it sent any.
    pub fn reject_recorded(
        &mut self,
        now: Instant,
        invite: &Message,
        flow: Flow,
        status: StatusCode,
        local_tag: Option<String>,
    ) {
        let Ok(via) = invite.top_via() else { return };
        let key = ServerKey::of(invite, &via, &Method::Invite);
        if self.transactions.server_of(&key).is_some() {
            return;
        }
        let via = via.stamped(flow.remote.ip(), flow.remote.port());
        let id = self.open_server(now, key, invite, via, flow);
        self.answer(now, id, status, None, Reply { to_tag: local_tag, ..Reply::default() });
    }

    /// Sends the CANCEL of an INVITE on the same hop (§9.1).
    pub(crate) fn send_cancel(
        &mut self,
        now: Instant,
        invite: &Message,
        flow: Flow,
        headers: &write::NamedHeaders,
    ) {
        let Some(cancel) = hop::cancel(invite, headers) else { return };
        let Ok(via) = cancel.top_via() else { return };
        let Some(branch) = via.branch() else { return };
        let (_, transmit) = self.transactions.start(now, branch.to_owned(), cancel, flow, None);
        self.outputs.push_back(Output::Transmit(transmit));
    }

    pub(crate) fn recovery_expired(&mut self, now: Instant, id: u64) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let client = outgoing.client.take();
        self.outgoing_failed(now, id, RequestFailure::Timeout);
        if let Some(client) = client {
            self.transactions.drop_client(client);
        }
    }

    pub(crate) fn recorded_outcome(
        &mut self,
        now: Instant,
        request: RequestId,
        id: u64,
        outcome: Result<&Message, RequestFailure>,
    ) {
        self.deadlines.stop(Deadline::Recovery(id));
        if let Ok(response) = outcome
            && response.status().is_some_and(StatusCode::is_success)
            && let Some(dialog) = self.recorded_dialog(id, response)
        {
            let acks = self.outgoing.get(&id).map_or(&[][..], |outgoing| &outgoing.acks);
            let known = acks.iter().find(|(tag, ..)| *tag == dialog.remote_tag).cloned();
            if let Some((_, flow, ack)) = known {
                self.transmit(flow, ack, true);
                return;
            }
            let ack = self.acknowledge_and_end(now, &dialog, id, None);
            if let (Some((flow, ack)), Some(outgoing)) = (ack, self.outgoing.get_mut(&id)) {
                outgoing.acks.push((dialog.remote_tag, flow, ack));
            }
        }
        self.raise(Event::Response { id: request, provisional: false, outcome: outcome.cloned() });
    }

    fn recorded_dialog(&self, id: u64, response: &Message) -> Option<DialogRecord> {
        let outgoing = self.outgoing.get(&id)?;
        let from = Party::of(&response.from().ok()?);
        let flow = outgoing.flow?;
        let user = response.from().ok()?.uri.user().unwrap_or_default().to_owned();
        let ours = Ours {
            tag: &from.tag,
            uri: &from.uri,
            contact: self.own_contact(&user, flow).unwrap_or_default(),
            flow,
            local_cseq: outgoing.cseq,
        };
        DialogRecord::from_response(&outgoing.draft.uri, response, ours)
    }

    /// Acknowledges a 2xx that nobody wants and ends its dialog.
    pub(crate) fn acknowledge_and_end(
        &mut self,
        now: Instant,
        dialog: &DialogRecord,
        outgoing: u64,
        session: Option<SessionId>,
    ) -> Option<(Flow, Message)> {
        let invite = self.outgoing.get(&outgoing)?;
        let (cseq, credentials) = (invite.cseq, invite.credentials.clone());
        let sent = invite.sent_credentials.clone();
        // Its name is not resolved first: nobody keeps this dialog, and we know where the answerer
        // was heard from.
        let ack = self.send_ack(dialog, cseq, None, &sent, &[]);
        let user = User::Surplus(session);
        if let Some((draft, destination)) = self.dialog_request(dialog, Method::Bye, Vec::new()) {
            let cseq = dialog.local_cseq.saturating_add(1);
            self.send_request(now, Outgoing::new(user, draft, cseq, &destination, credentials));
        }
        ack
    }

    /// Sends the ACK of a 2xx, which is not a transaction (§13.2.2.4), to the first of these
    /// places, or to the dialog's next hop when there are none, and returns it for repeats.
    pub(crate) fn send_ack(
        &mut self,
        dialog: &DialogRecord,
        cseq: u32,
        body: Option<write::Body>,
        credentials: &write::NamedHeaders,
        places: &[(Transport, SocketAddr)],
    ) -> Option<(Flow, Message)> {
        let (mut draft, destination) = self.dialog_request(dialog, Method::Ack, Vec::new())?;
        draft.body = body;
        draft.contact = ContactForm::Absent;
        let reachable =
            |&&(transport, _): &&(Transport, SocketAddr)| self.config.address(transport).is_some();
        let place = places.iter().find(reachable).or(destination.candidates.first());
        let &(transport, remote) = place?;
        let local = self.config.address(transport)?;
        let branch = self.ids.branch();
        let rport = self.config.rport;
        let attempt = write::Attempt { transport, local, branch: &branch, cseq, rport, credentials };
        let message = draft.write(&attempt);
        let flow = Flow { transport, local, remote };
        self.transmit(flow, message.clone(), false);
        Some((flow, message))
    }

    /// Returns the URI that has to be resolved before anything is sent in a dialog, if its host is
    /// a name.
    pub(crate) fn name_towards(&self, dialog: &DialogRecord) -> Option<Uri> {
        plan(dialog).filter(|_| self.config.follow_names)?.destination.name
    }

    /// Drafts a request inside a dialog (§12.2.1.1).
    pub(crate) fn dialog_request(
        &self,
        dialog: &DialogRecord,
        method: Method,
        extra: write::NamedHeaders,
    ) -> Option<(Draft, super::Destination)> {
        let plan = plan(dialog)?;
        let tagged =
            |uri: &str, tag: &str| if tag.is_empty() { uri.to_owned() } else { format!("{uri};tag={tag}") };
        let mut headers: write::NamedHeaders =
            plan.routes.into_iter().map(|route| (HeaderName::Route, route)).collect();
        headers.push((HeaderName::From, tagged(&dialog.local_uri, &dialog.local_tag)));
        headers.push((HeaderName::To, tagged(&dialog.remote_uri, &dialog.remote_tag)));
        headers.push((HeaderName::CallId, dialog.call_id.clone()));
        self.push_product(&mut headers);
        headers.extend(extra);
        let contact = match method {
            Method::Invite | Method::Update | Method::Refer | Method::Subscribe | Method::Notify => {
                ContactForm::Fixed(dialog.contact.clone())
            }
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Options
            | Method::Message
            | Method::Info
            | Method::Publish
            | Method::Prack
            | Method::Extension(_) => ContactForm::Absent,
        };
        let reachable = |&(transport, _): &(Transport, SocketAddr)| self.config.address(transport).is_some();
        let mut destination = plan.destination;
        if !destination.candidates.iter().any(reachable) {
            // The peer's Contact asks for a transport that we do not have; the path it came by is better than none.
            destination.candidates = vec![(dialog.flow.transport, dialog.flow.remote)];
        }
        destination.name.take_if(|_| !self.config.follow_names);
        Some((Draft { method, uri: plan.uri, contact, headers, body: None }, destination))
    }
}
