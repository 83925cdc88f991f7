//! An action with its phone and call becomes a command, and the arguments that reports show.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{
        dialect::WHICH_PHONE,
        model::{Action, CallRef, CallTarget, PhoneRef, SoundChoice, Step},
        vars::Template,
    },
    seen::resolve,
    world::Names,
};
use crate::{
    command::{CallCommand, CallSelector, Command, NodeCommand, PhoneCommand, Sound},
    event::Subject,
    id::{CallId, PhoneId, RunId},
};

/// Whom the actions of a list are about when they do not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// The hook's phone, else the event's.
    pub(super) phone: Option<PhoneId>,
    /// The event's call.
    pub(super) call: Option<CallId>,
    /// The phone of that call.
    pub(super) call_phone: Option<PhoneId>,
}

/// A command and how it appears in the journal.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) command: Command,
    pub(super) args: Value,
    pub(super) subject: Subject,
}

/// Whom one step is about.
pub(super) struct Whom<'a> {
    pub(super) names: &'a Names,
    pub(super) context: &'a Context,
    pub(super) run: RunId,
    /// Whether the document is of the older form, whose users know other words.
    pub(super) older: bool,
}

impl Whom<'_> {
    /// Returns the step's phone, as far as one is said or inherited.
    pub(super) fn said_phone(&self, step: &Step) -> Option<PhoneId> {
        match &step.phone {
            PhoneRef::Named(id) => Some(id.clone()),
            PhoneRef::Nobody => None,
            PhoneRef::Inherited => self.context.phone.clone(),
        }
    }

    /// Returns the step's phone as it is called outside, or the only one there is.
    fn phone(&self, step: &Step) -> Result<PhoneId, String> {
        self.own_phone(step).map(|phone| self.names.outside(phone))
    }

    fn own_phone(&self, step: &Step) -> Result<PhoneId, String> {
        if let Some(phone) = self.said_phone(step) {
            return Ok(phone);
        }
        let mut phones = self.names.phones.keys();
        match (phones.next(), phones.next()) {
            (None, _) => Err("no phone exists".to_owned()),
            (Some(only), None) => Ok(only.clone()),
            (Some(_), Some(_)) => {
                let fallback = self.names.phones.keys().find(|phone| phone.as_str() == "default");
                let words =
                    if self.older { WHICH_PHONE } else { "several phones exist: name one with 'phone'" };
                fallback.cloned().ok_or_else(|| words.to_owned())
            }
        }
    }

    /// Returns the step's call: the one that it names, else the event's, else whichever fits on its phone.
    fn selector(&self, step: &Step) -> Result<CallSelector, String> {
        let call = match &step.call {
            CallTarget::Ref(call) => Some(self.call(call)?),
            CallTarget::Any => None,
            // A step that names another phone means that phone's call, not the event's.
            CallTarget::Inherited => match &step.phone {
                PhoneRef::Named(phone) if self.context.call_phone.as_ref() != Some(phone) => None,
                PhoneRef::Named(_) | PhoneRef::Nobody | PhoneRef::Inherited => self.context.call,
            },
        };
        match call {
            Some(call) => {
                let named = match &step.phone {
                    PhoneRef::Named(phone) => Some(self.names.outside(phone.clone())),
                    PhoneRef::Nobody | PhoneRef::Inherited => None,
                };
                Ok(CallSelector { phone: named, call: Some(call) })
            }
            None => Ok(CallSelector::any_of(self.phone(step)?)),
        }
    }

    /// Returns the call that a reference names.
    pub(super) fn call(&self, call: &CallRef) -> Result<CallId, String> {
        resolve(call, &self.names.calls).ok_or_else(|| match call {
            CallRef::Captured(name) => format!("no call is known as ${name} yet"),
            CallRef::Id(id) => format!("{id} is unknown"),
        })
    }

    /// Makes the command of a step; none for steps that command nothing.
    pub(super) fn prepare(&self, step: &Step) -> Result<Option<Prepared>, String> {
        let names = self.names;
        let prepared = match &step.action {
            Action::PlaceCall { to, headers, .. } => self.place(step, to, headers)?,
            Action::SendMessage { to, body, content_type } => self.message(step, to, body, content_type)?,
            Action::Conference { calls } => self.conference(step, calls)?,
            Action::Register => self.on_phone(step, json!({}), PhoneCommand::Register)?,
            Action::Unregister => self.on_phone(step, json!({}), PhoneCommand::Unregister)?,
            Action::HangUpAll => self.hang_up_all(step),
            Action::Answer { status } => {
                self.on_call(step, json!({ "status_code": status }), CallCommand::Answer { status: *status })?
            }
            Action::Reject { status } => {
                self.on_call(step, json!({ "status_code": status }), CallCommand::Reject { status: *status })?
            }
            Action::HangUp => self.on_call(step, json!({}), CallCommand::HangUp)?,
            Action::Hold => self.on_call(step, json!({}), CallCommand::Hold)?,
            Action::Resume => self.on_call(step, json!({}), CallCommand::Resume)?,
            Action::StopPlaying => self.on_call(step, json!({}), CallCommand::StopPlaying)?,
            Action::SendDigits { digits, duration } => {
                let (digits, duration) = (names.fill(digits)?, *duration);
                let args = json!({ "digits": digits });
                self.on_call(step, args, CallCommand::SendDigits { digits, duration })?
            }
            Action::Transfer { to } => {
                let to = names.fill(to)?;
                self.on_call(step, json!({ "to": to }), CallCommand::Transfer { to })?
            }
            Action::AttendedTransfer { target } => {
                let target = target.as_ref().map(|target| self.call(target)).transpose()?;
                let args = json!({ "dest_call_id": target.map(|target| target.0) });
                self.on_call(step, args, CallCommand::AttendedTransfer { target })?
            }
            Action::Play { sound, repeat } => {
                let ((sound, file), repeat) = (self.sound(sound)?, *repeat);
                let args = json!({ "file": file, "loop": repeat });
                self.on_call(step, args, CallCommand::Play { sound, repeat })?
            }
            Action::Record { on } => {
                let on = *on;
                self.on_call(step, json!({ "on": on }), CallCommand::Record { on })?
            }
            Action::SetCodecs { codecs } => {
                let codecs = codecs.clone();
                let args = json!({ "codecs": codecs });
                self.on_call(step, args, CallCommand::SetCodecs { codecs })?
            }
            Action::Wait { .. }
            | Action::WaitUntil { .. }
            | Action::Emit { .. }
            | Action::Checkpoint { .. } => {
                return Ok(None);
            }
            Action::Log { .. } | Action::Expect(_) | Action::Never { .. } | Action::HoldFor { .. } => {
                return Ok(None);
            }
        };
        Ok(Some(prepared))
    }

    fn hang_up_all(&self, step: &Step) -> Prepared {
        let phone = self.said_phone(step).map(|phone| self.names.outside(phone));
        let subject = Subject { phone: phone.clone(), call: None, run: Some(self.run) };
        let command = match phone {
            Some(phone) => Command::Phone(phone, PhoneCommand::HangUpAll),
            None => Command::Node(NodeCommand::HangUpAll),
        };
        Prepared { command, args: json!({}), subject }
    }

    fn on_phone(&self, step: &Step, args: Value, command: PhoneCommand) -> Result<Prepared, String> {
        let phone = self.phone(step)?;
        let subject = Subject { phone: Some(phone.clone()), call: None, run: Some(self.run) };
        Ok(Prepared { command: Command::Phone(phone, command), args, subject })
    }

    fn on_call(&self, step: &Step, args: Value, command: CallCommand) -> Result<Prepared, String> {
        let call = self.selector(step)?;
        let phone = call.phone.clone().or_else(|| self.said_phone(step));
        let subject = Subject { phone, call: call.call, run: Some(self.run) };
        Ok(Prepared { command: Command::Call(call, command), args, subject })
    }

    fn place(
        &self,
        step: &Step,
        to: &Template,
        headers: &BTreeMap<String, Template>,
    ) -> Result<Prepared, String> {
        let target = self.names.fill(to)?;
        let mut filled = BTreeMap::new();
        for (name, value) in headers {
            filled.insert(name.clone(), self.names.fill(value)?);
        }
        let args = json!({ "dest_uri": target });
        self.on_phone(step, args, PhoneCommand::PlaceCall { target, headers: filled })
    }

    fn message(
        &self,
        step: &Step,
        to: &Template,
        body: &Template,
        content_type: &str,
    ) -> Result<Prepared, String> {
        let (to, body) = (self.names.fill(to)?, self.names.fill(body)?);
        let args = json!({ "to": to, "body": body, "content_type": content_type });
        let content_type = content_type.to_owned();
        self.on_phone(step, args, PhoneCommand::SendMessage { to, body, content_type })
    }

    fn conference(&self, step: &Step, calls: &[CallRef]) -> Result<Prepared, String> {
        let calls: Vec<CallId> = calls.iter().map(|call| self.call(call)).collect::<Result<_, _>>()?;
        let args = json!({ "call_ids": calls.iter().map(|call| call.0).collect::<Vec<_>>() });
        self.on_phone(step, args, PhoneCommand::Conference { calls })
    }

    fn sound(&self, sound: &SoundChoice) -> Result<(Sound, String), String> {
        Ok(match sound {
            SoundChoice::File(file) => {
                let file = self.names.fill(file)?;
                (Sound::File(file.clone()), file)
            }
            SoundChoice::Tone { hz, level_dbfs, duration } => {
                let shown: Vec<_> = hz.iter().map(|hz| format!("{hz} Hz")).collect();
                let sound = Sound::Tone { hz: hz.clone(), level_dbfs: *level_dbfs, duration: *duration };
                (sound, format!("tone {}", shown.join(" + ")))
            }
            SoundChoice::Echo => (Sound::Echo, "echo".to_owned()),
        })
    }
}
