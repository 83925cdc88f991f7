//! Server transactions of the layer: opening them, repeats, responses, and what their timers do. RFC 3261 §17.2.

use super::layer::{Effect, Layer, TransactionId};
use super::{
    MergeKey, Notice, Room, ServerInput, ServerInvite, ServerInviteState, ServerKey, ServerOther,
    ServerOtherState, Step, TimerName, Timers, Transmission, hop,
};
use crate::message::{Message, Method, StatusCode, Via};
use crate::user_agent::{Flow, Transmit};
use std::time::Instant;

/// Either kind of server transaction.
#[derive(Debug)]
enum Machine {
    Invite(ServerInvite),
    Other(ServerOther),
}

impl Machine {
    fn start(method: &Method, timers: &Timers, reliable: bool) -> (Self, Step) {
        if *method == Method::Invite {
            let (machine, step) = ServerInvite::start(timers, reliable);
            (Self::Invite(machine), step)
        } else {
            let (machine, step) = ServerOther::start(timers, reliable);
            (Self::Other(machine), step)
        }
    }

    fn handle(&mut self, timers: &Timers, input: ServerInput) -> Step {
        match self {
            Self::Invite(machine) => machine.handle(timers, input),
            Self::Other(machine) => machine.handle(timers, input),
        }
    }
}

/// A server transaction with its messages.
#[derive(Debug)]
pub(crate) struct Server<S> {
    pub(crate) request: Message,
    /// Where responses go.
    pub(crate) flow: Flow,
    /// Topmost Via as responses carry it, with `received` and `rport` filled in.
    pub(crate) via: Via,
    /// Whom it belongs to.
    pub(crate) user: Option<S>,
    pub(super) key: ServerKey,
    machine: Machine,
    merge: Option<MergeKey>,
    last: Option<Message>,
    /// It belongs to no call.
    pub(super) of_stranger: bool,
    /// The room it is counted with.
    pub(super) room: Room,
}

impl<S> Server<S> {
    pub(crate) const fn last_response(&self) -> Option<&Message> {
        self.last.as_ref()
    }

    /// Tells whether a final response is still owed.
    pub(crate) fn is_open(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.state == ServerInviteState::Proceeding,
            Machine::Other(machine) => {
                matches!(machine.state, ServerOtherState::Trying | ServerOtherState::Proceeding)
            }
        }
    }
}

impl<C: Copy, S: Copy> Layer<C, S> {
    /// Returns the transaction that a request or ACK repeats or belongs to.
    pub(crate) fn server_of(&self, key: &ServerKey) -> Option<TransactionId> {
        self.server_keys.get(key).copied()
    }

    /// Returns the transaction that a received request repeats, or whose ACK it is.
    ///
    /// A retransmission has the CSeq of its request. If the transaction is over and the number
    /// differs, this is a new request under an old branch, as some send after a challenge; §17.2.3
    /// does not mean those to match.
    pub(crate) fn repeated_by(&self, key: &ServerKey, request: &Message) -> Option<TransactionId> {
        let id = self.server_of(key)?;
        let server = self.servers.get(&id)?;
        let number = |message: &Message| message.cseq().ok().map(|cseq| cseq.number);
        let another = request.method() != Method::Ack && number(request) != number(&server.request);
        (server.is_open() || !another).then_some(id)
    }

    /// Returns a server transaction.
    pub(crate) fn server(&self, id: TransactionId) -> Option<&Server<S>> {
        self.servers.get(&id)
    }

    /// Gives a transaction its owner; false when it is gone.
    pub(crate) fn attach_server(&mut self, id: TransactionId, user: S) -> bool {
        let server = self.servers.get_mut(&id);
        server.map(|server| server.user = Some(user)).is_some()
    }

    /// Tells whether a request came by another path before (§8.2.2.2).
    pub(crate) fn is_merged(&self, request: &Message) -> bool {
        MergeKey::of(request).is_some_and(|merge| self.merges.contains_key(&merge))
    }

    /// Takes a request that no transaction knows.
    pub(crate) fn open_server(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Message,
        via: Via,
        flow: Flow,
    ) -> Effect<S> {
        let id = self.fresh_id();
        let reliable = flow.transport.is_reliable();
        let (machine, step) = Machine::start(&request.method(), &self.values, reliable);
        let merge = MergeKey::of(request);
        if let Some(merge) = merge.clone() {
            // A copy by another path must not take the place of the one that is being answered.
            self.merges.insert_if_absent(merge, id);
        }
        let server = Server {
            machine,
            request: request.clone(),
            flow: hop::response_flow(flow, &via),
            via,
            user: None,
            key: key.clone(),
            merge,
            last: None,
            of_stranger: true,
            room: Room::default(),
        };
        self.server_keys.insert(key, id);
        self.servers.insert(id, server);
        self.count(id);
        self.arm(now, id, &step);
        match step.notice {
            Some(Notice::TryingDue) => self.send_trying(now, id),
            Some(Notice::Response | Notice::TimedOut | Notice::TransportFailed | Notice::Acknowledged)
            | None => Effect::none(id),
        }
    }

    /// Takes a repeat of a request, or the ACK of its failure response.
    pub(crate) fn receive_repeat(&mut self, now: Instant, id: TransactionId, method: &Method) -> Effect<S> {
        let input = if *method == Method::Ack { ServerInput::Ack } else { ServerInput::Request };
        self.drive_server(now, id, input, None)
    }

    /// Notes that the 2xx of an INVITE was acknowledged, which happens outside the transaction
    /// (§13.3.1.4).
    pub(crate) fn acknowledged(&mut self, now: Instant, id: TransactionId) -> Effect<S> {
        self.drive_server(now, id, ServerInput::Ack, None)
    }

    /// Gives a response to the machine, which decides whether it leaves.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        id: TransactionId,
        status: StatusCode,
        response: Message,
    ) -> Effect<S> {
        let input = if status.is_provisional() {
            ServerInput::Provisional
        } else if status.is_success() {
            ServerInput::Success
        } else {
            ServerInput::Failure
        };
        let invite = self.servers.get(&id).is_some_and(|server| matches!(server.machine, Machine::Invite(_)));
        if invite && status.is_success() {
            self.belongs_to_a_call(id);
        }
        let effect = self.drive_server(now, id, input, Some(response));
        self.count(id);
        effect
    }

    /// Notes that a transaction's response cannot be delivered.
    pub(crate) fn server_undeliverable(&mut self, now: Instant, id: TransactionId) -> Effect<S> {
        self.drive_server(now, id, ServerInput::TransportFailed, None)
    }

    pub(super) fn drive_server(
        &mut self,
        now: Instant,
        id: TransactionId,
        input: ServerInput,
        response: Option<Message>,
    ) -> Effect<S> {
        let Some(server) = self.servers.get_mut(&id) else { return Effect::none(id) };
        let step = server.machine.handle(&self.values, input);
        let transmit = match step.transmission {
            Some(Transmission::Response) => response.map(|response| {
                let repeated = server.last.as_ref().is_some_and(|last| last.bytes() == response.bytes());
                server.last = Some(response.clone());
                (response, repeated)
            }),
            Some(Transmission::LastResponse) => server.last.clone().map(|last| (last, true)),
            Some(Transmission::Request | Transmission::Ack) | None => None,
        };
        let (flow, user) = (server.flow, server.user);
        let failed = matches!(step.notice, Some(Notice::TimedOut | Notice::TransportFailed));
        let about = failed.then(|| (flow, server.request.clone()));
        self.arm(now, id, &step);
        if step.notice == Some(Notice::TryingDue) {
            return self.send_trying(now, id);
        }
        if step.terminated {
            self.drop_server(id);
        }
        Effect {
            transmit: transmit.map(|(message, again)| Transmit::message_on(flow, message, again)),
            notice: step.notice,
            user,
            about,
            over: step.terminated,
            ..Effect::none(id)
        }
    }

    /// §17.2.1: while its user takes its time, the layer itself confirms that the INVITE has
    /// arrived.
    fn send_trying(&mut self, now: Instant, id: TransactionId) -> Effect<S> {
        let Some(server) = self.servers.get(&id) else { return Effect::none(id) };
        let trying = hop::trying(&server.request, &server.via);
        self.drive_server(now, id, ServerInput::Provisional, Some(trying))
    }

    fn drop_server(&mut self, id: TransactionId) {
        self.timers.stop_all((id, TimerName::FIRST)..=(id, TimerName::LAST));
        let Some(server) = self.servers.remove(&id) else { return };
        self.discount(&server);
        if self.server_keys.get(&server.key) == Some(&id) {
            self.server_keys.remove(&server.key);
        }
        if let Some(merge) = server.merge
            && self.merges.get(&merge) == Some(&id)
        {
            self.merges.remove(&merge);
        }
    }
}
