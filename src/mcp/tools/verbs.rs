//! Actions that give a command: one handler for all verbs, and the extra results of a few.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    outcome::{Settled, settle},
    select::{call_of, done, execute, existing, merge, refuse},
};
use crate::{
    command::{
        Addressee, Argument, Arguments, CallSelector, Command, CommandKind, Made, NodeCommand, Outcome,
        Parameter, Verb,
    },
    id::{CallId, PhoneId},
    mcp::{
        catalog::{ActionDefinition, verb},
        compat::{rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
};

pub(super) fn actions() -> Vec<ActionDefinition> {
    let verbs = CommandKind::ALL.iter().map(|kind| kind.verb()).filter(|verb| verb.make.is_some());
    verbs.filter_map(|row| row.tool.as_ref().map(|tool| verb(row, tool, act))).collect()
}

async fn act(
    services: Arc<Services>,
    phone: PhoneId,
    verb: &'static Verb,
    given: Arguments,
    context: CallContext,
) -> Reply {
    merge(carry_out(&services, &phone, verb, given, &context).await)
}

async fn carry_out(
    services: &Services,
    phone: &PhoneId,
    verb: &'static Verb,
    mut given: Arguments,
    context: &CallContext,
) -> Result<Reply, Reply> {
    let chosen = match verb.addressee {
        Addressee::Call if verb.kind == CommandKind::AttendedTransfer => {
            two_calls(services, phone, &mut given)?
        }
        Addressee::Call => call_of(services, phone, given.call("call"))?,
        Addressee::Phone | Addressee::PhoneOrAll | Addressee::Node => {
            existing(services, phone)?;
            CallSelector::any_of(phone.clone())
        }
    };
    if verb.kind == CommandKind::Conference {
        several_calls(services, phone, &given)?;
    }
    let command = match verb.made(&given).map_err(|missing| refuse(phone, missing.to_string()))? {
        Made::Phone(command) => Command::Phone(phone.clone(), command),
        Made::Call(command) => Command::Call(chosen, command),
        Made::Conference(calls) => {
            Command::Node(NodeCommand::Conference { phone: Some(phone.clone()), calls })
        }
    };
    if verb.kind == CommandKind::Register {
        return super::registration::register(services, phone, command, context).await;
    }
    let outcome = execute(services, phone, command, context).await?;
    let settled = settle(services, phone, verb.kind, &given, &outcome, context).await;
    let mut more = answer(services, verb, &given, &outcome);
    if verb.kind == CommandKind::AttendedTransfer {
        more.push(("transferred", (settled == Some(Settled::Done)).into()));
    }
    more.extend(settled.iter().flat_map(Settled::keys));
    Ok(done(phone, &more, &outcome))
}

/// Returns what a verb's result has besides `status`, the phone and the journal position.
fn answer(
    services: &Services,
    verb: &Verb,
    given: &Arguments,
    outcome: &Outcome,
) -> Vec<(&'static str, Value)> {
    if matches!(verb.kind, CommandKind::PlaceCall | CommandKind::Answer) {
        let call = outcome.call.or(given.call("call"));
        return call.map_or_else(Vec::new, |call| with_state(services, call));
    }
    if verb.kind == CommandKind::AttendedTransfer {
        return Vec::new();
    }
    let mut more = echoes(verb, given);
    if verb.kind == CommandKind::Conference {
        more.push(("participants", outcome.calls.len().into()));
    }
    more
}

/// Returns the arguments that the result repeats, the call first; one that was not given is null.
fn echoes(verb: &Verb, given: &Arguments) -> Vec<(&'static str, Value)> {
    let repeated = |parameter: &Parameter| {
        let key = parameter.tool.as_ref()?.echo?;
        Some((key, given.get(parameter.slot).map_or(Value::Null, Argument::to_json)))
    };
    let (mut calls, others): (Vec<_>, Vec<_>) = verb.parameters.iter().partition(|each| each.slot == "call");
    calls.extend(others);
    calls.into_iter().filter_map(repeated).collect()
}

fn with_state(services: &Services, call: CallId) -> Vec<(&'static str, Value)> {
    let state = services.views.call(call).map(|call| rows::state(&call));
    vec![("call_id", call.0.into()), ("state", json!(state))]
}

/// Chooses the calls of an attended transfer: by default the oldest call is transferred to the
/// second oldest.
fn two_calls(services: &Services, phone: &PhoneId, given: &mut Arguments) -> Result<CallSelector, Reply> {
    existing(services, phone)?;
    let (source, target) = (given.call("call"), given.call("target"));
    for call in [source, target].into_iter().flatten() {
        call_of(services, phone, Some(call))?;
    }
    let active: Vec<CallId> = services.views.active_calls(phone).iter().map(|call| call.id).collect();
    let source = source.or_else(|| active.iter().copied().find(|call| Some(*call) != target));
    let target = target.or_else(|| active.iter().copied().find(|call| Some(*call) != source));
    let (Some(source), Some(target)) = (source, target) else {
        return Err(refuse(phone, words::two_calls_to_transfer(phone)));
    };
    given.set("target", Argument::Call(target));
    Ok(CallSelector { phone: Some(phone.clone()), call: Some(source) })
}

fn several_calls(services: &Services, phone: &PhoneId, given: &Arguments) -> Result<(), Reply> {
    let calls = given.calls("calls");
    for call in &calls {
        call_of(services, phone, Some(*call))?;
    }
    if calls.len() < 2 { Err(refuse(phone, words::two_calls_to_confer(phone))) } else { Ok(()) }
}
