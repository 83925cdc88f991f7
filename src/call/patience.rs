//! How long a call may ring. An outbound call is canceled three minutes after the other side's last
//! provisional response. An inbound one that nobody answers is refused with 480 after the same
//! time, so that callers who never give up do not fill a phone.
//!
//! RFC 3261 §13.3.1.1: a callee that needs longer repeats its provisional response every minute,
//! and §16.6 gives proxies the same three minutes. Without any response Timer B ends the call; that
//! is the engine's business.

use std::time::Duration;

use ractor::ActorRef;
use tokio::{task::AbortHandle, time::Instant};

use super::{CallMessage, Request, actor::Shell};
use crate::event::{CallEvent, CallPhase as Phase, Cause, Direction, TimerReason};

/// How long silence may follow a provisional response.
const LIMIT: Duration = Duration::from_secs(180);

/// The reason given when an outbound call is canceled.
pub(super) const NO_ANSWER: &str = "nobody answered within 180 s of the last provisional response";
/// The reason given when an inbound call is refused.
const NOT_TAKEN: &str = "nobody answered within 180 s";

/// The clock of a call that waits for its answer.
#[derive(Debug, Default)]
pub(super) struct Patience {
    heard: Option<Instant>,
    timer: Option<AbortHandle>,
    /// We have given up; the end that follows is caused by the timer.
    pub(super) over: bool,
}

impl Drop for Patience {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

impl Shell {
    /// Starts the clock of an inbound call.
    pub(super) fn rings_here(&mut self) {
        if self.waits_for_answer() {
            let me = self.me.clone();
            self.patience.heard = Some(Instant::now());
            self.wait_for_answer(&me, LIMIT);
        }
    }

    /// Notes a provisional response.
    pub(super) fn heard(&mut self, me: &ActorRef<CallMessage>) {
        if self.waits_for_answer() {
            self.patience.heard = Some(Instant::now());
            if self.patience.timer.is_none() {
                self.wait_for_answer(me, LIMIT);
            }
        }
    }

    /// Gives up, unless a provisional response has come in the meantime.
    pub(super) fn patience_over(&mut self, me: &ActorRef<CallMessage>) {
        self.patience.timer = None;
        if !self.waits_for_answer() {
            return;
        }
        let quiet = self.patience.heard.map_or(LIMIT, |heard| heard.elapsed());
        match LIMIT.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
            Some(rest) => self.wait_for_answer(me, rest),
            None => {
                let cause = Cause::Timer { reason: TimerReason::NoAnswer };
                self.append(CallEvent::Ending {}, &cause);
                match self.state.direction {
                    Direction::Outbound => {
                        self.patience.over = true;
                        self.ask(Request::HangUp, &cause);
                    }
                    Direction::Inbound => {
                        self.last_status = Some((480, NOT_TAKEN.to_owned()));
                        self.ask(Request::Respond { status: 480, sdp: None }, &cause);
                    }
                }
            }
        }
    }

    fn wait_for_answer(&mut self, me: &ActorRef<CallMessage>, wait: Duration) {
        let timer = me.send_after(wait, || CallMessage::PatienceOver);
        self.patience.timer = Some(timer.abort_handle());
    }

    /// Stops the clock once there is an answer.
    pub(super) fn stop_waiting(&mut self) {
        if let Some(timer) = self.patience.timer.take() {
            timer.abort();
        }
    }

    fn waits_for_answer(&self) -> bool {
        matches!(self.state.phase, Phase::Calling | Phase::Incoming | Phase::Early)
    }
}
