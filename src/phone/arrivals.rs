//! What arrives from the network: what is recorded, and what the engine does with it.

use offhook_sip::{
    message::{HeaderName, Message},
    user_agent::{Flow, Input, RequestFailure},
};
use tokio::time::Instant;

use super::{
    actor::Shell,
    evidence::Belonging,
    wire::{self, summarize},
};
use crate::{
    event::{Cause, SipEvent, SipSummary},
    net::Arrival,
};

impl Shell {
    /// Handles one arrival; returns the cause of what follows.
    pub(super) fn arrival(&mut self, arrival: Arrival) -> Cause {
        let now = Instant::now().into_std();
        self.report_refusals();
        match arrival {
            Arrival::Message { flow, message, permit } => {
                let cause = self.message(flow, &message);
                drop(permit);
                cause
            }
            Arrival::Unparsable { flow, bytes, permit } => {
                if !self.evidence.admits(Belonging::Nothing, bytes.len()) {
                    // The engine could only say that it is not a SIP message.
                    return Cause::Network;
                }
                let received = wire::received(flow, SipSummary::default(), &bytes);
                let seq = self.append(received, &Cause::Network);
                // Feed it to the engine all the same, to record what is wrong with it.
                self.agent.handle_input(now, Input::Received { flow, bytes: &bytes });
                drop(permit);
                Cause::Sip { seq }
            }
            Arrival::Failed { flow, error, .. } => {
                let cause = self.not_sent(flow, &error);
                self.agent.handle_input(now, Input::TransportFailed { flow });
                cause
            }
            Arrival::Returned { flow, sent, error, .. } => {
                if !self.agent.awaits_delivery(flow, &sent) {
                    // It carried a keep-alive, an ACK, something that has since arrived, or nothing
                    // of ours.
                    tracing::debug!(phone = %self.id, remote = %flow.remote, %error, "a datagram came back");
                    return Cause::Network;
                }
                let cause = self.not_sent(flow, &error);
                self.agent.handle_input(now, Input::Returned { flow, sent: &sent });
                cause
            }
            Arrival::Closed { flow, .. } => {
                self.agent.handle_input(now, Input::TransportFailed { flow });
                Cause::Network
            }
            Arrival::Unframeable { flow, error, .. } => {
                self.anomaly_of_flow(flow, format!("the stream cannot be framed: {error}"))
            }
        }
    }

    fn message(&mut self, flow: Flow, message: &Message) -> Cause {
        // Anybody can write a Call-ID; a message belongs to a call only if it matches a dialog or
        // transaction of it.
        let call = message.header(HeaderName::CallId).and_then(|id| self.sip_call_ids.get(&*id)).copied();
        let call = call.filter(|_| self.agent.expects(message));
        let belonging = self.belonging(message, call.is_some());
        let cause = if self.evidence.admits(belonging, message.bytes().len()) {
            let received = wire::received(flow, summarize(message), message.bytes());
            let seq = self.shared.journal.append(self.subject(call), Cause::Network, received);
            Cause::Sip { seq }
        } else {
            self.evidence.silent = true;
            self.turn_away_unwritten();
            Cause::Network
        };
        self.agent.handle_input(Instant::now().into_std(), Input::Message { flow, message });
        let provisional = message.status().is_some_and(|status| status.is_provisional());
        if let Some(call) = call.filter(|_| provisional) {
            self.heard(call);
        }
        cause
    }

    /// Notes that a message could not be sent; whatever fails because of it gives the reason too.
    fn not_sent(&mut self, flow: Flow, error: &std::io::Error) -> Cause {
        self.unsent = Some(format!("{}: {}: {error}", RequestFailure::Transport, flow.remote));
        self.anomaly_of_flow(flow, format!("sending failed: {error}"))
    }

    fn anomaly_of_flow(&mut self, flow: Flow, what: String) -> Cause {
        if !self.evidence.admits_anomaly() {
            return Cause::Network;
        }
        Cause::Event { seq: self.append(SipEvent::anomaly(what, flow.remote), &Cause::Network) }
    }

    /// Resets what was kept for the message just handled: whether it is unrecorded, and why its
    /// call is refused.
    pub(super) fn handled(&mut self) {
        self.evidence.silent = false;
        self.turned_away = None;
        self.alarm.follow_evidence(self.evidence.due());
    }

    /// Records how many messages were not recorded.
    pub(super) fn tell_left_out(&mut self) -> Cause {
        if let Some((left_out, within)) = self.evidence.take_left_out() {
            let over_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
            let what = format!(
                "{} messages ({} bytes) within {over_ms} ms were not recorded: more came than is kept",
                left_out.messages, left_out.bytes
            );
            let (count, over_ms) = (Some(left_out.messages), Some(over_ms));
            self.append(SipEvent::Anomaly { what, remote: None, count, over_ms }, &Cause::Network);
        }
        Cause::Network
    }

    fn report_refusals(&mut self) {
        let refused = self.signaling.as_ref().map_or(0, |signaling| signaling.refused());
        if refused > self.refused {
            let count = refused - self.refused;
            self.refused = refused;
            self.append(SipEvent::Refused { count }, &Cause::Network);
        }
    }
}
