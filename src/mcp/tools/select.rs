//! Which phone and which call an action means, with the error sentences that clients know.

use serde_json::Value;

use crate::{
    command::{CallSelector, Command, Outcome, Refused, Rejection},
    id::{CallId, PhoneId},
    mcp::{compat::words, context::CallContext, result::Reply, services::Services},
    view::CallView,
};

/// Refuses an action in the shape that all phone actions share.
pub(super) fn refuse(phone: &PhoneId, error: impl Into<String>) -> Reply {
    Reply::compat_error(error, &[("phone_id", phone.as_str().into())])
}

/// Checks that the phone exists.
pub(super) fn existing(services: &Services, phone: &PhoneId) -> Result<(), Reply> {
    match services.views.phone(phone) {
        Some(_) => Ok(()),
        None => Err(Reply::no_phone(phone.as_str(), &services.phone_ids())),
    }
}

/// Checks that a call is up and belongs to the phone; if no call is given, that the phone has any.
pub(super) fn call_of(
    services: &Services,
    phone: &PhoneId,
    call: Option<CallId>,
) -> Result<CallSelector, Reply> {
    existing(services, phone)?;
    let Some(id) = call else {
        return if services.views.active_calls(phone).is_empty() {
            Err(no_call(services, phone, words::no_active_call(phone), None))
        } else {
            Ok(CallSelector::any_of(phone.clone()))
        };
    };
    match services.views.call(id) {
        None => Err(no_call(services, phone, words::call_not_found(id), None)),
        Some(call) if !call.is_active() => {
            Err(no_call(services, phone, words::call_not_found(id), Some(&call)))
        }
        Some(call) if call.phone != *phone => {
            Err(refuse(phone, words::call_of_another_phone(id, &call.phone, phone)))
        }
        Some(_) => Ok(CallSelector { phone: Some(phone.clone()), call: Some(id) }),
    }
}

/// Refuses an action for want of a call: with what became of the one that was meant, else with what there is.
fn no_call(services: &Services, phone: &PhoneId, error: String, meant: Option<&CallView>) -> Reply {
    let active: Vec<CallId> = services.views.active_calls(phone).iter().map(|call| call.id).collect();
    // Who names no call means the last one, if there is none any more.
    let last = services.views.history(Some(phone), 1).pop().filter(|_| active.is_empty());
    let more = match meant.or(last.as_deref()) {
        Some(call) => ("story", words::story(call, services.now()).into()),
        None => words::calls_instead(phone, &active),
    };
    Reply::compat_error(error, &[("phone_id", phone.as_str().into()), more])
}

/// Executes a command of a phone action.
pub(super) async fn execute(
    services: &Services,
    phone: &PhoneId,
    command: Command,
    context: &CallContext,
) -> Result<Outcome, Reply> {
    services
        .execute
        .execute(command, context.cause.clone())
        .await
        .map_err(|rejection| refused(services, phone, &rejection))
}

/// Answers a rejected command; a phone whose calls do not ring has calls all the same.
fn refused(services: &Services, phone: &PhoneId, rejection: &Rejection) -> Reply {
    let active: Vec<CallId> = services.views.active_calls(phone).iter().map(|call| call.id).collect();
    if matches!(rejection.what, Refused::NoCallOf(_)) && !active.is_empty() {
        let more = [
            ("phone_id", phone.as_str().into()),
            ("code", rejection.code.as_str().into()),
            words::calls_instead(phone, &active),
        ];
        return Reply::compat_error(words::no_ringing_call(phone), &more);
    }
    Reply::compat_rejection(rejection, &[("phone_id", phone.as_str().into())])
}

/// Answers an action that was done: `status` first, then the phone, then `more`, the journal
/// position last.
pub(super) fn done(phone: &PhoneId, more: &[(&str, Value)], outcome: &Outcome) -> Reply {
    let mut object =
        crate::mcp::compat::rows::object([("status", "ok".into()), ("phone_id", phone.as_str().into())]);
    object.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    object.insert("seq".into(), outcome.seq.0.into());
    Reply::compat(Value::Object(object))
}

/// Returns either side: the error is an answer too.
pub(super) fn merge(result: Result<Reply, Reply>) -> Reply {
    result.unwrap_or_else(|refusal| refusal)
}
