//! What a user does when its engine reports something: answer, refuse, ring, reply.

use crate::message::{Method, StatusCode};
use crate::usage::invite::SessionEvent;
use crate::user_agent::{Body, Event, IncomingId, SessionId, UserAgent};
use std::fmt;
use std::time::{Duration, Instant};

/// Something to be done later, at a virtual time.
pub(crate) type Later = Box<dyn FnOnce(&mut UserAgent, Instant)>;

/// A script's hands: the engine, the time, and a way to act later.
pub struct Desk<'a> {
    /// The engine that reported the event.
    pub agent: &'a mut UserAgent,
    /// The virtual time.
    pub now: Instant,
    pub(crate) later: &'a mut Vec<(Duration, Later)>,
}

impl Desk<'_> {
    /// Does something after a while.
    pub fn after(&mut self, wait: Duration, action: impl FnOnce(&mut UserAgent, Instant) + 'static) {
        self.later.push((wait, Box::new(action)));
    }
}

impl fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Reacts to the events of one engine.
pub trait Script {
    /// Takes one event.
    fn event(&mut self, desk: &mut Desk<'_>, event: &Event);
}

impl<F: FnMut(&mut Desk<'_>, &Event)> Script for F {
    fn event(&mut self, desk: &mut Desk<'_>, event: &Event) {
        self(desk, event);
    }
}

/// How an incoming call is answered in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Final {
    /// 200 with this session description.
    Accept(String),
    /// This status.
    Refuse(StatusCode),
    /// Never.
    Ignore,
}

/// A user who answers by itself: rings, answers, accepts re-INVITEs, and replies 200 to everything else.
#[derive(Debug, Clone)]
pub struct UasScript {
    /// When 180 goes out; not at all when absent.
    pub ring_after: Option<Duration>,
    /// When the final response goes out.
    pub answer_after: Duration,
    /// Which one that is.
    pub answer: Final,
    /// How re-INVITEs are answered, at once.
    pub reoffer: Final,
    /// Hangs up this long after the ACK.
    pub hang_up_after: Option<Duration>,
}

impl Default for UasScript {
    fn default() -> Self {
        Self {
            ring_after: Some(Duration::ZERO),
            answer_after: Duration::from_millis(100),
            answer: Final::Accept(super::SDP.to_owned()),
            reoffer: Final::Accept(super::SDP.to_owned()),
            hang_up_after: None,
        }
    }
}

impl UasScript {
    fn incoming(&self, desk: &mut Desk<'_>, id: SessionId) {
        if let Some(wait) = self.ring_after {
            desk.after(wait, move |agent, now| give(agent, now, id, StatusCode::RINGING, None));
        }
        let answer = self.answer.clone();
        if answer != Final::Ignore {
            desk.after(self.answer_after, move |agent, now| finish(agent, now, id, answer));
        }
    }
}

fn finish(agent: &mut UserAgent, now: Instant, id: SessionId, answer: Final) {
    match answer {
        Final::Accept(sdp) => give(agent, now, id, StatusCode::OK, Some(Body::sdp(sdp))),
        Final::Refuse(status) => give(agent, now, id, status, None),
        Final::Ignore => {}
    }
}

fn give(agent: &mut UserAgent, now: Instant, id: SessionId, status: StatusCode, body: Option<Body>) {
    // The caller may have gone by now; then there is nothing left to answer.
    let _gone = agent.respond(now, id, status, None, body, Vec::new());
}

fn reply(desk: &mut Desk<'_>, request: IncomingId, method: &Method) {
    let status = if *method == Method::Refer { StatusCode::ACCEPTED } else { StatusCode::OK };
    // It may be too late to reply, which is harmless.
    let _gone = desk.agent.reply_status(desk.now, request, status);
}

impl Script for UasScript {
    fn event(&mut self, desk: &mut Desk<'_>, event: &Event) {
        match event {
            Event::Request { id, message, .. } => reply(desk, *id, &message.method()),
            Event::Session { id, event } => match event {
                SessionEvent::Incoming { .. } => self.incoming(desk, *id),
                SessionEvent::Reoffered { .. } => {
                    let (id, answer) = (*id, self.reoffer.clone());
                    finish(desk.agent, desk.now, id, answer);
                }
                SessionEvent::GlareOver => {
                    // The peer may have been faster again.
                    let _pending = desk.agent.reinvite(desk.now, *id, Body::sdp(super::SDP));
                }
                SessionEvent::Refer { request, message }
                | SessionEvent::Notify { request, message }
                | SessionEvent::Info { request, message }
                | SessionEvent::Message { request, message } => reply(desk, *request, &message.method()),
                SessionEvent::Acknowledged { .. } => {
                    if let (Some(wait), id) = (self.hang_up_after, *id) {
                        desk.after(wait, move |agent, now| {
                            // Hanging up twice is harmless.
                            let _ending = agent.hang_up(now, id, Vec::new());
                        });
                    }
                }
                SessionEvent::Trying
                | SessionEvent::Provisional { .. }
                | SessionEvent::Answered { .. }
                | SessionEvent::SurplusAnswer { .. }
                | SessionEvent::Modified { .. }
                | SessionEvent::ModifyFailed { .. }
                | SessionEvent::Glare { .. }
                | SessionEvent::RequestDone { .. }
                | SessionEvent::Rejected { .. }
                | SessionEvent::Canceled { .. }
                | SessionEvent::Ending { .. }
                | SessionEvent::Ended { .. } => {}
            },
            Event::Registration { .. }
            | Event::Response { .. }
            | Event::Resolve { .. }
            | Event::FailedOver { .. }
            | Event::Anomaly { .. } => {}
        }
    }
}
