//! Showing a phone's registration, and waiting for it.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::select::done;
use crate::{
    command::{Code, Command, Outcome, Rejection},
    id::PhoneId,
    mcp::{
        arguments::arguments,
        catalog::{ActionDefinition, Hints, Label, action},
        compat::rows,
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

/// How long to wait for the registrar's answer before the result reports what is known.
pub(super) const REGISTRATION_WAIT: Duration = Duration::from_secs(1);

pub(super) fn actions() -> Vec<ActionDefinition> {
    let label = |name, title, about, hints| Label { name, title, about, hints };
    vec![action(
        label(
            "get_registration_status",
            "Registration",
            "Show whether the phone is registered and the registrar's last answer.",
            Hints::Reads,
        ),
        get_registration_status,
    )]
}

arguments! {
    /// No arguments.
    Nothing {}
}

async fn get_registration_status(
    services: Arc<Services>,
    phone: PhoneId,
    _: Nothing,
    _: CallContext,
) -> Reply {
    match services.views.phone(&phone) {
        None => Reply::no_phone(phone.as_str(), &services.phone_ids()),
        Some(view) => {
            let mut object = rows::object([("phone_id", phone.as_str().into())]);
            object.extend(rows::registration(&view.registration));
            Reply::compat(Value::Object(object))
        }
    }
}

/// Registers, waits for the answer, and reports it.
pub(super) async fn register(
    services: &Services,
    phone: &PhoneId,
    command: Command,
    context: &CallContext,
) -> Result<Reply, Reply> {
    let before = services.journal.head();
    let outcome = match services.execute.execute(command, context.cause.clone()).await {
        Ok(outcome) => outcome,
        // A registrar's refusal is a result of this tool, not its failure.
        Err(rejection) if is_the_registrars(&rejection) => {
            Outcome { seq: services.journal.head(), call: None, calls: Vec::new() }
        }
        Err(rejection) => {
            return Err(Reply::compat_rejection(&rejection, &[("phone_id", phone.as_str().into())]));
        }
    };
    services.registrations_settled(std::slice::from_ref(phone), before, REGISTRATION_WAIT).await;
    let registration = services.views.phone(phone).map(|view| rows::registration(&view.registration));
    let more: Vec<(String, Value)> = registration.into_iter().flatten().collect();
    let more: Vec<(&str, Value)> = more.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    Ok(done(phone, &more, &outcome))
}

fn is_the_registrars(rejection: &Rejection) -> bool {
    matches!(rejection.code, Code::PeerRejected | Code::TimedOut | Code::NotRegistered)
}
