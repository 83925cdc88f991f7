//! Actions that place, answer, change and end calls.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::select::{call_of, done, echo, execute, existing, merge, refuse};
use crate::{
    command::{CallCommand, CallSelector, Command, PhoneCommand},
    id::{CallId, PhoneId},
    mcp::{
        arguments::arguments,
        catalog::{ActionDefinition, Hints, Label, action},
        compat::{rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

pub(super) fn actions() -> Vec<ActionDefinition> {
    let mut actions = answering();
    actions.extend(talking());
    actions
}

const fn label(name: &'static str, title: &'static str, about: &'static str, hints: Hints) -> Label {
    Label { name, title, about, hints }
}

/// Actions that begin and end calls.
fn answering() -> Vec<ActionDefinition> {
    vec![
        action(
            label(
                "make_call",
                "Place a call",
                "Place a SIP call (send INVITE) and return its call_id at once; follow it with wait_for_event or get_call_info.",
                Hints::Dials,
            ),
            make_call,
        ),
        action(
            label(
                "answer_call",
                "Answer a call",
                "Answer a ringing incoming call with 200, or send a provisional 180 or 183.",
                Hints::Dials,
            ),
            answer_call,
        ),
        action(
            label(
                "reject_call",
                "Reject a call",
                "Refuse an incoming call, 486 Busy Here by default.",
                Hints::Ends,
            ),
            reject_call,
        ),
        action(
            label(
                "hangup",
                "Hang up",
                "Hang up a call: BYE, CANCEL or a refusal, as its state asks.",
                Hints::Ends,
            ),
            hangup,
        ),
    ]
}

/// Actions on calls that are up.
fn talking() -> Vec<ActionDefinition> {
    vec![
        action(label("hold", "Hold", "Put a call on hold (re-INVITE, sendonly).", Hints::Settles), hold),
        action(
            label("unhold", "Resume", "Take a held call back (re-INVITE, sendrecv).", Hints::Settles),
            unhold,
        ),
        action(
            label("send_dtmf", "Send DTMF", "Send DTMF digits on a call, as for an IVR menu.", Hints::Dials),
            send_dtmf,
        ),
        action(
            label(
                "blind_transfer",
                "Blind transfer",
                "Transfer the other party of a call to an address (REFER).",
                Hints::Dials,
            ),
            blind_transfer,
        ),
        action(
            label(
                "attended_transfer",
                "Attended transfer",
                "Connect the other parties of two calls of the phone (REFER with Replaces).",
                Hints::Dials,
            ),
            attended_transfer,
        ),
        action(
            label("conference", "Conference", "Mix the audio of several calls of the phone.", Hints::Settles),
            conference,
        ),
    ]
}

arguments! {
    /// Arguments of `make_call`.
    MakeCall {
        /// SIP URI to call, such as sip:600@pbx.example; a bare extension is dialed at the phone's domain.
        dest_uri: String,
        /// Extra headers for the INVITE.
        headers: Option<BTreeMap<String, String>>,
    }
}

async fn make_call(services: Arc<Services>, phone: PhoneId, given: MakeCall, context: CallContext) -> Reply {
    merge(
        async {
            existing(&services, &phone)?;
            let headers = given.headers.unwrap_or_default();
            let command =
                Command::Phone(phone.clone(), PhoneCommand::PlaceCall { target: given.dest_uri, headers });
            let outcome = execute(&services, &phone, command, &context).await?;
            let placed = outcome.call.map_or_else(Vec::new, |call| with_state(&services, call));
            Ok(done(&phone, &placed, &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of `answer_call`.
    AnswerCall {
        /// Which call; the oldest ringing one by default.
        call_id: Option<CallId>,
        /// 180 or 183 to ring, 200 to answer.
        status_code: u16 = 200u16,
    }
}

async fn answer_call(
    services: Arc<Services>,
    phone: PhoneId,
    given: AnswerCall,
    context: CallContext,
) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, given.call_id)?;
            let command = Command::Call(call, CallCommand::Answer { status: given.status_code });
            let outcome = execute(&services, &phone, command, &context).await?;
            let answered = outcome.call.or(given.call_id);
            let answered = answered.map_or_else(Vec::new, |call| with_state(&services, call));
            Ok(done(&phone, &answered, &outcome))
        }
        .await,
    )
}

fn with_state(services: &Services, call: CallId) -> Vec<(&'static str, serde_json::Value)> {
    let state = services.views.call(call).map(|call| rows::state(call.phase));
    vec![("call_id", call.0.into()), ("state", json!(state))]
}

arguments! {
    /// Arguments of `reject_call`.
    RejectCall {
        /// Which call; the oldest ringing one by default.
        call_id: Option<CallId>,
        /// Final status, 300 to 699.
        status_code: u16 = 486u16,
    }
}

async fn reject_call(
    services: Arc<Services>,
    phone: PhoneId,
    given: RejectCall,
    context: CallContext,
) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, given.call_id)?;
            let command = Command::Call(call, CallCommand::Reject { status: given.status_code });
            let outcome = execute(&services, &phone, command, &context).await?;
            let more = [("call_id", echo(given.call_id)), ("status_code", given.status_code.into())];
            Ok(done(&phone, &more, &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of actions on one call, chosen by default.
    AnyCall {
        /// Which call; the oldest active one by default.
        call_id: Option<CallId>,
    }
}

async fn hangup(services: Arc<Services>, phone: PhoneId, given: AnyCall, context: CallContext) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, given.call_id)?;
            let outcome =
                execute(&services, &phone, Command::Call(call, CallCommand::HangUp), &context).await?;
            Ok(done(&phone, &[("call_id", echo(given.call_id))], &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of actions on one call that must be named.
    OneCall {
        /// Which call.
        call_id: CallId,
    }
}

async fn hold(services: Arc<Services>, phone: PhoneId, given: OneCall, context: CallContext) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, Some(given.call_id))?;
            let outcome =
                execute(&services, &phone, Command::Call(call, CallCommand::Hold), &context).await?;
            Ok(done(&phone, &[("call_id", given.call_id.0.into())], &outcome))
        }
        .await,
    )
}

async fn unhold(services: Arc<Services>, phone: PhoneId, given: OneCall, context: CallContext) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, Some(given.call_id))?;
            let outcome =
                execute(&services, &phone, Command::Call(call, CallCommand::Resume), &context).await?;
            Ok(done(&phone, &[("call_id", given.call_id.0.into())], &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of `send_dtmf`.
    SendDtmf {
        /// Which call.
        call_id: CallId,
        /// Digits 0-9 * # A-D.
        digits: String,
    }
}

async fn send_dtmf(services: Arc<Services>, phone: PhoneId, given: SendDtmf, context: CallContext) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, Some(given.call_id))?;
            let command =
                Command::Call(call, CallCommand::SendDigits { digits: given.digits.clone(), duration: None });
            let outcome = execute(&services, &phone, command, &context).await?;
            let more = [("call_id", given.call_id.0.into()), ("digits", given.digits.into())];
            Ok(done(&phone, &more, &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of `blind_transfer`.
    BlindTransfer {
        /// SIP URI or extension to transfer to.
        dest_uri: String,
        /// Which call; the oldest active one by default.
        call_id: Option<CallId>,
    }
}

async fn blind_transfer(
    services: Arc<Services>,
    phone: PhoneId,
    given: BlindTransfer,
    context: CallContext,
) -> Reply {
    merge(
        async {
            let call = call_of(&services, &phone, given.call_id)?;
            let command = Command::Call(call, CallCommand::Transfer { to: given.dest_uri.clone() });
            let outcome = execute(&services, &phone, command, &context).await?;
            let more = [("call_id", echo(given.call_id)), ("transfer_to", given.dest_uri.into())];
            Ok(done(&phone, &more, &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of `attended_transfer`.
    AttendedTransfer {
        /// Call whose party is transferred; the older of the first two by default.
        call_id: Option<CallId>,
        /// Call whose party it is connected to; the newer of the first two by default.
        dest_call_id: Option<CallId>,
    }
}

async fn attended_transfer(
    services: Arc<Services>,
    phone: PhoneId,
    given: AttendedTransfer,
    context: CallContext,
) -> Reply {
    merge(
        async {
            existing(&services, &phone)?;
            for call in [given.call_id, given.dest_call_id].into_iter().flatten() {
                call_of(&services, &phone, Some(call))?;
            }
            let active: Vec<CallId> =
                services.views.active_calls(&phone).iter().map(|call| call.id).collect();
            let source = given
                .call_id
                .or_else(|| active.iter().copied().find(|call| Some(*call) != given.dest_call_id));
            let target =
                given.dest_call_id.or_else(|| active.iter().copied().find(|call| Some(*call) != source));
            let (Some(source), Some(target)) = (source, target) else {
                return Err(refuse(&phone, words::two_calls_to_transfer(&phone)));
            };
            let call = CallSelector { phone: Some(phone.clone()), call: Some(source) };
            let command = Command::Call(call, CallCommand::AttendedTransfer { target: Some(target) });
            let outcome = execute(&services, &phone, command, &context).await?;
            Ok(done(&phone, &[("transferred", true.into())], &outcome))
        }
        .await,
    )
}

arguments! {
    /// Arguments of `conference`.
    Conference {
        /// At least two calls of the phone.
        call_ids: Vec<CallId>,
    }
}

async fn conference(
    services: Arc<Services>,
    phone: PhoneId,
    given: Conference,
    context: CallContext,
) -> Reply {
    merge(
        async {
            existing(&services, &phone)?;
            for call in &given.call_ids {
                call_of(&services, &phone, Some(*call))?;
            }
            if given.call_ids.len() < 2 {
                return Err(refuse(&phone, words::two_calls_to_confer(&phone)));
            }
            let command =
                Command::Phone(phone.clone(), PhoneCommand::Conference { calls: given.call_ids.clone() });
            let outcome = execute(&services, &phone, command, &context).await?;
            let ids: Vec<u64> = given.call_ids.iter().map(|call| call.0).collect();
            let participants = if outcome.calls.is_empty() { ids.len() } else { outcome.calls.len() };
            let more = [("call_ids", ids.into()), ("participants", participants.into())];
            Ok(done(&phone, &more, &outcome))
        }
        .await,
    )
}
