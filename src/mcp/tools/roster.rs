//! Tools that add, change, show and remove phones.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{ACTION_NAMES, names_of, profile, registration::REGISTRATION_WAIT};
use crate::{
    command::{AddPhone, Command, CommandKind, NodeCommand, PhoneChanges, PhoneCommand},
    config::transport,
    event::{CallPhase, PhoneSpec},
    id::PhoneId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::{rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
    secret::Secret,
    view::PhoneView,
};

pub(super) fn tools() -> Vec<ToolDefinition> {
    let reads = |name, title, about| Label { name, title, about, hints: Hints::Reads };
    let list = reads(
        "list_phones",
        "List phones",
        "List all SIP phones with registration state and active call count.",
    );
    let get = reads("get_phone", "Phone details", "Show one phone: settings, registration, active calls.");
    let tools = [
        Some(compat(list, list_phones)),
        of_verb(CommandKind::AddPhone, |label| compat(label, add_phone)),
        of_verb(CommandKind::DropPhone, |label| compat(label, drop_phone)),
        Some(compat(get, get_phone)),
        of_verb(CommandKind::UpdatePhone, |label| compat(label, update_phone)),
        Some(profile::load_phones_tool()),
    ];
    tools.into_iter().flatten().collect()
}

/// Defines the tool of a verb that consists of a phone's settings; its arguments are spelled out
/// here.
fn of_verb(kind: CommandKind, define: impl FnOnce(Label) -> ToolDefinition) -> Option<ToolDefinition> {
    kind.verb().tool.as_ref().map(|tool| define(Label::of(tool)))
}

arguments! {
    /// No arguments.
    Nothing {}
}

/// Most phones that `list_phones` shows: an agent reads no more, and it answers within a
/// millisecond.
const SHOWN: usize = 100;

async fn list_phones(services: Arc<Services>, _: Nothing, _: CallContext) -> Reply {
    let row = |phone: &Arc<PhoneView>| {
        rows::phone_row(phone, services.views.active_calls(&phone.id).len(), names_of(&phone.id))
    };
    let all = services.roster();
    let phones: Vec<Value> = all.iter().take(SHOWN).map(row).collect();
    let mut list = rows::object([("total_count", all.len().into()), ("phones", phones.into())]);
    if let Some(hidden) = all.len().checked_sub(SHOWN).filter(|hidden| *hidden > 0) {
        list.insert("more".into(), format!("{hidden} more; get_phone shows one by its phone_id").into());
    }
    Reply::compat(Value::Object(list))
}

arguments! {
    /// Arguments of `add_phone`.
    AddPhoneArguments {
        /// Name of the phone: a-z 0-9 _, 1 to 32.
        phone_id: String,
        /// Registrar host, optionally with :port.
        domain: String,
        /// User name, also for authentication.
        username: String,
        /// Password.
        password: Secret<String>,
        /// udp or tcp.
        transport: String = "udp",
        /// Local SIP port; 0 chooses one.
        local_port: u16 = 0u16,
        /// Codecs to offer and accept, in order; all by default. Names that are not available are left out and listed.
        codecs: Option<Vec<String>>,
        /// Answer incoming calls at once.
        auto_answer: bool = false,
        /// Require SRTP; not built yet, refused.
        srtp: bool = false,
        /// Realm to answer; any by default.
        realm: Option<String>,
        /// Send a REGISTER.
        register: bool = true,
        /// Record calls to WAV files.
        recording_enabled: bool = false,
        /// Capture SIP, RTP and RTCP of the phone into pcap files.
        capture_enabled: bool = false,
    }
}

async fn add_phone(services: Arc<Services>, given: AddPhoneArguments, context: CallContext) -> Reply {
    let named = given.phone_id.clone();
    let refuse = |error: String| Reply::compat_error(error, &[("phone_id", named.as_str().into())]);
    let phone: PhoneId = match PhoneId::plain(&given.phone_id) {
        Ok(phone) => phone,
        Err(error) => return refuse(words::invalid_phone(&error)),
    };
    let transport = match transport(&given.transport) {
        Ok(transport) => transport,
        Err(error) => return refuse(error.to_string()),
    };
    let spec = PhoneSpec {
        domain: given.domain,
        username: given.username,
        realm: given.realm.filter(|realm| !realm.is_empty()),
        transport,
        transport_text: Some(given.transport),
        local_port: given.local_port,
        codecs: given.codecs,
        auto_answer: given.auto_answer,
        srtp: given.srtp,
        register: given.register,
        recording_enabled: given.recording_enabled,
        capture_enabled: given.capture_enabled,
    };
    let add = AddPhone { phone: phone.clone(), spec, password: given.password };
    match add_and_settle(&services, vec![add], &context, REGISTRATION_WAIT).await.pop() {
        Some((_, Ok(view))) => {
            let mut object = rows::object([("status", "ok".into())]);
            object.extend(rows::phone_added(&view, ACTION_NAMES.len()));
            object.insert("seq".into(), services.journal.head().0.into());
            Reply::compat(Value::Object(object)).with_roster_changed()
        }
        Some((_, Err(error))) => {
            // A replaced phone may be gone although its successor was refused; then the client has
            // to be told.
            let gone = services.views.phone(&phone).is_none();
            let reply = refuse(error);
            if gone { reply.with_roster_changed() } else { reply }
        }
        None => refuse(words::phone_not_found(phone.as_str())),
    }
}

/// Adds phones one after another, then waits for all their registrations together.
pub(super) async fn add_and_settle(
    services: &Services,
    phones: Vec<AddPhone>,
    context: &CallContext,
    within: Duration,
) -> Vec<(PhoneId, Result<Arc<PhoneView>, String>)> {
    let before = services.journal.head();
    let mut added = Vec::new();
    let mut registering = Vec::new();
    for add in phones {
        let (phone, registers) = (add.phone.clone(), add.spec.register);
        let command = Command::Node(NodeCommand::AddPhone(add));
        let outcome = services.execute.execute(command, context.cause.clone()).await;
        if outcome.is_ok() && registers {
            registering.push(phone.clone());
        }
        added.push((phone, outcome));
    }
    services.registrations_settled(&registering, before, within).await;
    let view =
        |phone: &PhoneId| services.views.phone(phone).ok_or_else(|| words::phone_not_found(phone.as_str()));
    added
        .into_iter()
        .map(|(phone, outcome)| {
            let seen =
                outcome.map_err(|rejection| words::refused(&rejection.what)).and_then(|_| view(&phone));
            (phone, seen)
        })
        .collect()
}

arguments! {
    /// Arguments of `drop_phone`.
    DropPhone {
        /// Which phone.
        phone_id: String,
        /// Hang up its calls first.
        hangup_calls: bool = true,
    }
}

async fn drop_phone(services: Arc<Services>, given: DropPhone, context: CallContext) -> Reply {
    let known = known_phone(&services, &given.phone_id);
    let Some(phone) = known else {
        return not_in_roster(&services, &given.phone_id).with_roster_changed();
    };
    let command =
        Command::Node(NodeCommand::DropPhone { phone: phone.id.clone(), hang_up: given.hangup_calls });
    match services.execute.execute(command, context.cause).await {
        Ok(outcome) => Reply::compat(json!({
            "status": "ok",
            "phone_id": given.phone_id,
            "tools_removed": ACTION_NAMES.len(),
            "seq": outcome.seq,
        }))
        .with_roster_changed(),
        Err(rejection) => Reply::compat_rejection(&rejection, &[("phone_id", given.phone_id.into())]),
    }
}

fn not_in_roster(services: &Services, given: &str) -> Reply {
    let instead = words::phones_instead(given, &services.phone_ids());
    Reply::compat_error(words::phone_not_in_roster(given), &[instead])
}

fn known_phone(services: &Services, phone: &str) -> Option<Arc<PhoneView>> {
    services.views.phone(&phone.parse().ok()?)
}

arguments! {
    /// Arguments of `get_phone`.
    GetPhone {
        /// Which phone.
        phone_id: String,
    }
}

async fn get_phone(services: Arc<Services>, given: GetPhone, _: CallContext) -> Reply {
    let Some(phone) = known_phone(&services, &given.phone_id) else {
        return not_in_roster(&services, &given.phone_id);
    };
    let now = services.now();
    let calls = services.views.active_calls(&phone.id).iter().map(|call| rows::call_row(call, now)).collect();
    Reply::compat(rows::phone_details(&phone, calls, names_of(&phone.id)))
}

arguments! {
    /// Arguments of `update_phone`; what is absent stays.
    UpdatePhoneArguments {
        /// Which phone.
        phone_id: String,
        /// Answer incoming calls at once.
        auto_answer: Option<bool>,
        /// New codecs; an empty list allows all again. Running calls get a re-INVITE.
        codecs: Option<Vec<String>>,
        /// New password, for running calls too; a registered phone registers again.
        password: Option<Secret<String>>,
        /// New realm, for running calls too; a registered phone registers again.
        realm: Option<String>,
        /// Require SRTP; not built yet, refused.
        srtp: Option<bool>,
        /// Record calls, running ones included.
        recording_enabled: Option<bool>,
        /// Capture SIP, RTP and RTCP of the phone into pcap files.
        capture_enabled: Option<bool>,
    }
}

async fn update_phone(services: Arc<Services>, given: UpdatePhoneArguments, context: CallContext) -> Reply {
    let Some(phone) = known_phone(&services, &given.phone_id) else {
        return not_in_roster(&services, &given.phone_id);
    };
    let calls = services.views.active_calls(&phone.id);
    let (codecs, recording) = (given.codecs.clone(), given.recording_enabled);
    let before = services.journal.head();
    let changes = PhoneChanges {
        auto_answer: given.auto_answer,
        codecs: given.codecs,
        password: given.password,
        realm: given.realm,
        srtp: given.srtp,
        recording_enabled: given.recording_enabled,
        capture_enabled: given.capture_enabled,
    };
    let again = changes.reregisters();
    let command = Command::Phone(phone.id.clone(), PhoneCommand::Update(changes));
    let outcome = match services.execute.execute(command, context.cause).await {
        Ok(outcome) => outcome,
        Err(rejection) => {
            return Reply::compat_rejection(&rejection, &[("phone_id", given.phone_id.into())]);
        }
    };
    let asked = |view: Arc<PhoneView>| view.registration.seq > before;
    let reregistered = again && services.views.phone(&phone.id).is_some_and(asked);
    if reregistered {
        services.registrations_settled(std::slice::from_ref(&phone.id), before, REGISTRATION_WAIT).await;
    }
    let view = services.views.phone(&phone.id).unwrap_or(phone);
    let mut object = rows::object([
        ("status", "ok".into()),
        ("phone_id", view.id.as_str().into()),
        ("reregistered", reregistered.into()),
        ("codecs", codecs.as_ref().map_or_else(|| json!(view.spec.codecs), |given| json!(given))),
        ("recording_enabled", view.spec.recording_enabled.into()),
        ("capture_enabled", view.spec.capture_enabled.into()),
    ]);
    object.extend(codecs.is_some().then(|| rows::unavailable_codecs(&view.spec)).flatten());
    object.extend(rows::registration(&view.registration));
    if recording.is_some() {
        let ids: Vec<u64> = calls.iter().map(|call| call.id.0).collect();
        object.insert("affected_call_ids".into(), ids.into());
    }
    if codecs.is_some() {
        let up = calls.iter().filter(|call| call.phase == CallPhase::Established);
        let ids: Vec<u64> = up.map(|call| call.id.0).collect();
        object.insert("codec_reinvited_call_ids".into(), ids.into());
    }
    object.insert("seq".into(), outcome.seq.0.into());
    Reply::compat(Value::Object(object))
}
