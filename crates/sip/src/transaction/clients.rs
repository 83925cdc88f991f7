//! Client transactions of the layer: starting them, and what their responses, timers and lost transports do.
//! RFC 3261 §17.1.

use super::layer::{Effect, Layer, TransactionId};
use super::{
    ClientInput, ClientInvite, ClientInviteState, ClientKey, ClientOther, ClientOtherState, Step, TimerName,
    Timers, Transmission, hop,
};
use crate::message::{Message, Method};
use crate::user_agent::{Flow, Transmit};
use std::time::Instant;

/// Either kind of client transaction.
#[derive(Debug)]
enum Machine {
    Invite(ClientInvite),
    Other(ClientOther),
}

impl Machine {
    fn start(method: &Method, timers: &Timers, reliable: bool) -> (Self, Step) {
        if *method == Method::Invite {
            let (machine, step) = ClientInvite::start(timers, reliable);
            (Self::Invite(machine), step)
        } else {
            let (machine, step) = ClientOther::start(timers, reliable);
            (Self::Other(machine), step)
        }
    }

    fn handle(&mut self, timers: &Timers, input: ClientInput) -> Step {
        match self {
            Self::Invite(machine) => machine.handle(timers, input),
            Self::Other(machine) => machine.handle(timers, input),
        }
    }
}

/// A client transaction with its messages.
#[derive(Debug)]
pub(crate) struct Client<C> {
    pub(crate) request: Message,
    pub(crate) flow: Flow,
    pub(super) key: ClientKey,
    machine: Machine,
    ack: Option<Message>,
    /// Who is told about responses; `None` once it lost interest.
    user: Option<C>,
}

impl<C> Client<C> {
    /// Tells whether a response has come.
    pub(crate) fn was_heard(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.state != ClientInviteState::Calling,
            Machine::Other(machine) => machine.state != ClientOtherState::Trying,
        }
    }

    /// Tells whether it matters that the request was not delivered: an INVITE that got a response
    /// was delivered at least once.
    pub(super) fn waits_for_its_request(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.state == ClientInviteState::Calling,
            Machine::Other(machine) => {
                matches!(machine.state, ClientOtherState::Trying | ClientOtherState::Proceeding)
            }
        }
    }
}

impl<C: Copy, S: Copy> Layer<C, S> {
    /// Puts a request on the wire as a new transaction.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        branch: String,
        request: Message,
        flow: Flow,
        user: Option<C>,
    ) -> (TransactionId, Transmit) {
        let method = request.method();
        let (machine, step) = Machine::start(&method, &self.values, flow.transport.is_reliable());
        let transmit = Transmit::message_on(flow, request.clone(), false);
        let key = ClientKey { branch, method };
        let id = self.keep_client(Client { request, flow, key, machine, ack: None, user });
        self.arm(now, id, &step);
        (id, transmit)
    }

    /// Takes up an INVITE that was sent before this layer existed.
    pub(crate) fn resume_invite(
        &mut self,
        branch: String,
        invite: &Message,
        flow: Flow,
        user: C,
    ) -> TransactionId {
        let machine = ClientInvite::resume(&self.values, flow.transport.is_reliable());
        let key = ClientKey { branch, method: Method::Invite };
        let machine = Machine::Invite(machine);
        self.keep_client(Client { request: invite.clone(), flow, key, machine, ack: None, user: Some(user) })
    }

    fn keep_client(&mut self, client: Client<C>) -> TransactionId {
        let id = self.fresh_id();
        self.client_keys.insert(client.key.clone(), id);
        self.clients.insert(id, client);
        id
    }

    /// Returns a client transaction.
    pub(crate) fn client(&self, id: TransactionId) -> Option<&Client<C>> {
        self.clients.get(&id)
    }

    /// Tells whether a response would find its transaction.
    pub(crate) fn has_client(&self, key: &ClientKey) -> bool {
        self.client_keys.contains_key(key)
    }

    /// Notes that nobody waits for a transaction any more; it lives on to absorb repeats.
    pub(crate) fn release_client(&mut self, id: TransactionId) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.user = None;
        }
    }

    /// Ends a transaction whatever its state.
    pub(crate) fn drop_client(&mut self, id: TransactionId) {
        self.timers.stop_all((id, TimerName::FIRST)..=(id, TimerName::LAST));
        if let Some(client) = self.clients.remove(&id) {
            self.client_keys.remove(&client.key);
        }
    }

    /// Takes a response; `None` when it belongs to no transaction.
    pub(crate) fn receive_response(
        &mut self,
        now: Instant,
        key: &ClientKey,
        response: &Message,
    ) -> Option<Effect<C>> {
        let id = *self.client_keys.get(key)?;
        let status = response.status()?;
        let input = if status.is_provisional() {
            ClientInput::Provisional
        } else if status.is_success() {
            ClientInput::Success
        } else {
            ClientInput::Failure
        };
        Some(self.drive_client(now, id, input, Some(response)))
    }

    /// Notes that a transaction's request cannot be delivered.
    pub(crate) fn client_undeliverable(&mut self, now: Instant, id: TransactionId) -> Effect<C> {
        self.drive_client(now, id, ClientInput::TransportFailed, None)
    }

    pub(super) fn drive_client(
        &mut self,
        now: Instant,
        id: TransactionId,
        input: ClientInput,
        response: Option<&Message>,
    ) -> Effect<C> {
        let Some(client) = self.clients.get_mut(&id) else { return Effect::none(id) };
        let step = client.machine.handle(&self.values, input);
        let transmit = match step.transmission {
            Some(Transmission::Request) => Some((client.request.clone(), true)),
            Some(Transmission::Ack) => {
                let repeated = client.ack.is_some();
                if client.ack.is_none() {
                    client.ack = response.and_then(|response| hop::failure_ack(&client.request, response));
                }
                client.ack.clone().map(|ack| (ack, repeated))
            }
            Some(Transmission::Response | Transmission::LastResponse) | None => None,
        };
        let flow = client.flow;
        let user = client.user;
        self.arm(now, id, &step);
        if step.terminated {
            self.drop_client(id);
        }
        Effect {
            transmit: transmit.map(|(message, again)| Transmit::message_on(flow, message, again)),
            notice: step.notice,
            user,
            over: step.terminated,
            ..Effect::none(id)
        }
    }
}
