//! The one timer of a phone, and what it is for.
//!
//! One task sleeps for the actor's whole life. It is told of a deadline only when that comes before
//! the one it sleeps until. Later deadlines are looked up when it wakes, so moving them, as SIP
//! does all the time, costs nothing.

use std::time::Duration;

use offhook_sip::{
    registration::RegistrationTimer, session::InviteTimer, transaction::TimerName, usage::SubscriptionTimer,
    user_agent::Reason,
};
use ractor::ActorRef;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::actor::PhoneMessage;
use crate::event::TimerReason;

/// What a deadline of a phone is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The engine asked for it, for this reason.
    Engine(Reason),
    /// A closing phone has waited long enough for the answer to its first REGISTER.
    RegistrarSilent,
    /// A closing phone has run out of time.
    ClosingLimit,
    /// The count of unrecorded messages is due.
    LeftOut,
}

/// The deadlines of a phone and the clock that wakes it.
#[derive(Debug)]
pub(super) struct Alarm {
    engine: Option<(Instant, Reason)>,
    registrar: Option<Instant>,
    closing: Option<Instant>,
    left_out: Option<Instant>,
    /// What the clock sleeps until.
    armed: Option<Instant>,
    clock: watch::Sender<Option<Instant>>,
}

impl Alarm {
    /// Starts the clock task, which ends when the alarm is dropped.
    pub(super) fn start(phone: ActorRef<PhoneMessage>) -> Self {
        let (clock, wanted) = watch::channel(None);
        tokio::spawn(sleep(wanted, phone));
        Self { engine: None, registrar: None, closing: None, left_out: None, armed: None, clock }
    }

    /// Sets the engine's next deadline.
    pub(super) fn follow_engine(&mut self, next: Option<(std::time::Instant, Reason)>) {
        self.engine = next.map(|(at, reason)| (Instant::from_std(at), reason));
        self.arm();
    }

    /// Limits how long the phone waits for a registrar that has never accepted it.
    pub(super) fn limit_registrar(&mut self, wait: Duration) {
        self.registrar = Some(Instant::now() + wait);
        self.arm();
    }

    /// Limits how long closing may take.
    pub(super) fn limit_closing(&mut self, wait: Duration) {
        self.closing = Some(Instant::now() + wait);
        self.arm();
    }

    /// Sets when the count of unrecorded messages is due.
    pub(super) fn follow_evidence(&mut self, due: Option<Instant>) {
        if self.left_out != due {
            self.left_out = due;
            self.arm();
        }
    }

    /// Notes that the clock has rung; [`Self::take_due`] then returns what is due.
    pub(super) const fn rang(&mut self) {
        self.armed = None;
    }

    /// Takes the earliest deadline that has passed; if none has, makes sure the clock rings again.
    pub(super) fn take_due(&mut self) -> Option<Due> {
        let due = self.next().filter(|(at, _)| *at <= Instant::now()).map(|(_, due)| due);
        match due {
            Some(Due::Engine(_)) => self.engine = None,
            Some(Due::RegistrarSilent) => self.registrar = None,
            Some(Due::ClosingLimit) => self.closing = None,
            Some(Due::LeftOut) => self.left_out = None,
            None => self.arm(),
        }
        due
    }

    fn next(&self) -> Option<(Instant, Due)> {
        let engine = self.engine.map(|(at, reason)| (at, Due::Engine(reason)));
        let registrar = self.registrar.map(|at| (at, Due::RegistrarSilent));
        let closing = self.closing.map(|at| (at, Due::ClosingLimit));
        let left_out = self.left_out.map(|at| (at, Due::LeftOut));
        engine.into_iter().chain(registrar).chain(closing).chain(left_out).min_by_key(|(at, _)| *at)
    }

    fn arm(&mut self) {
        let Some((at, _)) = self.next() else { return };
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            self.clock.send_replace(Some(at));
        }
    }
}

/// Rings at each requested time until the phone is gone.
async fn sleep(mut wanted: watch::Receiver<Option<Instant>>, phone: ActorRef<PhoneMessage>) {
    loop {
        let at = *wanted.borrow_and_update();
        let rung = match at {
            None => None,
            Some(at) => Some(timeout_at(at, wanted.changed()).await),
        };
        let moved = match rung {
            Some(Ok(moved)) => moved,
            Some(Err(_)) => {
                // The phone may be gone by then.
                drop(phone.cast(PhoneMessage::Deadline));
                wanted.changed().await
            }
            None => wanted.changed().await,
        };
        if moved.is_err() {
            return;
        }
    }
}

/// Returns the name of a reason in the journal.
pub(super) const fn timer_reason(reason: Reason) -> TimerReason {
    match reason {
        Reason::Transaction(timer) => of_transaction(timer),
        Reason::Invite(InviteTimer::RepeatAnswer) => TimerReason::RepeatAnswer,
        Reason::Invite(InviteTimer::AckMissing) => TimerReason::AckMissing,
        Reason::Invite(InviteTimer::RepeatProvisional) => TimerReason::RepeatProvisional,
        Reason::Invite(InviteTimer::CancelLimit) | Reason::Recovery => TimerReason::CancelLimit,
        Reason::Invite(InviteTimer::Expires) => TimerReason::InviteExpired,
        Reason::Invite(InviteTimer::Glare) => TimerReason::Glare,
        Reason::Subscription(SubscriptionTimer::Outlived) => TimerReason::SubscriptionOutlived,
        Reason::Registration(RegistrationTimer::Refresh) => TimerReason::RegistrationRefresh,
        Reason::Registration(RegistrationTimer::Retry) => TimerReason::RegistrationRetry,
        Reason::Registration(RegistrationTimer::KeepAlive) => TimerReason::KeepAlive,
    }
}

const fn of_transaction(timer: TimerName) -> TimerReason {
    match timer {
        TimerName::A => TimerReason::TimerA,
        TimerName::B => TimerReason::TimerB,
        TimerName::D => TimerReason::TimerD,
        TimerName::E => TimerReason::TimerE,
        TimerName::F => TimerReason::TimerF,
        TimerName::G => TimerReason::TimerG,
        TimerName::H => TimerReason::TimerH,
        TimerName::I => TimerReason::TimerI,
        TimerName::J => TimerReason::TimerJ,
        TimerName::K => TimerReason::TimerK,
        TimerName::L => TimerReason::TimerL,
        TimerName::M => TimerReason::TimerM,
        TimerName::Trying => TimerReason::Trying,
        TimerName::Unanswered => TimerReason::Unanswered,
    }
}
