//! Phones as supervised children.

use super::{
    execute::{cannot_start, not_found},
    restart,
    supervisor::Supervised,
};
use crate::{
    command::{Outcome, Rejection},
    event::{CallEvent, Cause, EndCause, Party, PhoneEvent, PhoneSpec, Subject},
    id::{PhoneId, Seq},
    phone::{PhoneActor, PhoneArguments, PhoneMessage, Shared},
    secret::Secret,
    view::Views,
};

/// What supervising phones needs.
pub(super) struct Phones {
    pub(super) shared: Shared,
    pub(super) views: Views,
}

/// A phone's current settings, and its password if that changed.
pub(super) struct Changed {
    pub(super) spec: PhoneSpec,
    pub(super) password: Option<Secret<String>>,
}

impl Phones {
    fn append(&self, phone: &PhoneId, cause: Cause, event: PhoneEvent) -> Seq {
        self.shared.journal.append(self.shared.subject(phone), cause, event)
    }
}

impl Supervised for Phones {
    type Id = PhoneId;
    type Arguments = PhoneArguments;
    type Message = PhoneMessage;
    type Actor = PhoneActor;
    type Change = Changed;

    const COMES_BACK: bool = true;

    fn actor() -> PhoneActor {
        PhoneActor
    }

    fn close(hang_up: bool, cause: Cause) -> PhoneMessage {
        PhoneMessage::Close { hang_up, cause }
    }

    fn change(arguments: &mut PhoneArguments, Changed { spec, password }: Changed) {
        arguments.spec = spec;
        if let Some(password) = password {
            arguments.password = password;
        }
    }

    async fn next_life(&self, id: &PhoneId, arguments: PhoneArguments) -> PhoneArguments {
        let journal = &self.shared.journal;
        PhoneArguments {
            dangling: restart::dangling(&self.views, journal, id, EndCause::Crashed).await,
            life: arguments.life + 1,
            ..arguments
        }
    }

    fn last_life(arguments: PhoneArguments) -> PhoneArguments {
        PhoneArguments { closing: true, ..arguments }
    }

    fn is_known(&self, id: &PhoneId) -> bool {
        self.views.phone(id).is_some()
    }

    fn has_left_work(&self, id: &PhoneId) -> bool {
        !self.views.active_calls(id).is_empty()
    }

    fn cannot_start(&self, id: &PhoneId, why: &str) -> Rejection {
        cannot_start(id, why)
    }

    fn not_found(&self, id: &PhoneId) -> Rejection {
        not_found(id)
    }

    fn outcome(&self) -> Outcome {
        Outcome { seq: self.shared.journal.head(), call: None, calls: Vec::new() }
    }

    fn failed(&self, id: &PhoneId, arguments: &mut PhoneArguments, reason: &str) {
        let seq = self.append(id, Cause::Failure, PhoneEvent::Crashed { reason: reason.to_owned() });
        arguments.cause = Cause::Event { seq };
        let last_port = restart::last_port(&self.views, id);
        arguments.last_port = last_port.or(arguments.last_port);
    }

    fn over(&self, _: &PhoneId, _: &PhoneArguments, _: Option<&str>) {}

    fn restarted(&self, id: &PhoneId, arguments: &PhoneArguments, attempt: u32) {
        self.append(id, arguments.cause.clone(), PhoneEvent::Restarted { attempt });
    }

    fn dropped(&self, id: &PhoneId, cause: &Cause) {
        // A phone that stops with its process comes back with the next one.
        if self.is_known(id) && *cause != Cause::Stop {
            self.append(id, cause.clone(), PhoneEvent::Dropped {});
        }
    }

    fn forgotten(&self, id: &PhoneId, cause: &Cause) {
        // When the process stops everything stays as it is: the next one ends what is still up.
        if *cause == Cause::Stop {
            return;
        }
        for left in self.views.active_calls(id) {
            let ended = CallEvent::Ended {
                by: Party::Local,
                cause: EndCause::Crashed,
                status: None,
                reason: "the phone was dropped after a failure".to_owned(),
                duration_ms: left.lasted_ms(self.shared.journal.wall().now()),
            };
            let subject = Subject { call: Some(left.id), ..self.shared.subject(id) };
            self.shared.journal.append(subject, cause.clone(), ended);
        }
    }
}
