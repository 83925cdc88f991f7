//! Turns an action with its phone and call into a command, and into the arguments that reports
//! show.

use serde_json::{Map, Value};

use super::{
    super::{
        dialect::WHICH_PHONE,
        model::{Action, ArgumentTemplate, CallRef, CallTarget, CommandTemplate, PhoneRef, Step},
    },
    seen::resolve,
    world::Names,
};
use crate::{
    command::{
        Addressee, Argument, Arguments, CallCommand, CallSelector, Command, Made, NodeCommand, Parameter,
        PhoneCommand, Sound, Verb,
    },
    event::Subject,
    id::{CallId, PhoneId, RunId},
};

/// The phone and call that the actions of a list use by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// The hook's phone, otherwise the event's.
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

/// Finds the phone and call of one step.
pub(super) struct Whom<'a> {
    pub(super) names: &'a Names,
    pub(super) context: &'a Context,
    pub(super) run: RunId,
    /// Whether the document is of the older form, whose users know other words.
    pub(super) older: bool,
}

impl Whom<'_> {
    /// Returns the step's phone, if one is given or inherited.
    pub(super) fn said_phone(&self, step: &Step) -> Option<PhoneId> {
        match &step.phone {
            PhoneRef::Named(id) => Some(id.clone()),
            PhoneRef::Nobody => None,
            PhoneRef::Inherited => self.context.phone.clone(),
        }
    }

    /// Returns the step's phone by its name outside the run, or the only phone there is.
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

    /// Returns the step's call: the one it names, otherwise the event's, otherwise whichever fits
    /// on its phone.
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

    /// Builds the command of a step; `None` for steps that give none.
    pub(super) fn prepare(&self, step: &Step) -> Result<Option<Prepared>, String> {
        let Action::Do { command, .. } = &step.action else { return Ok(None) };
        let verb = command.kind.verb();
        let arguments = self.fill(command)?;
        let made = verb.made(&arguments).map_err(|missing| missing.to_string())?;
        let args = noted(verb, &arguments, &made);
        let prepared = match made {
            Made::Phone(command) if verb.addressee == Addressee::PhoneOrAll => {
                self.on_phone_or_all(step, args, command)
            }
            Made::Phone(command) => self.on_phone(step, args, command)?,
            Made::Call(command) => self.on_call(step, args, command)?,
            Made::Conference(calls) => self.on_calls(step, args, calls)?,
        };
        Ok(Some(prepared))
    }

    /// Fills in the placeholders of a command's arguments.
    fn fill(&self, command: &CommandTemplate) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        for (slot, template) in &command.arguments {
            let value = match template {
                ArgumentTemplate::Filled(value) => value.clone(),
                ArgumentTemplate::Text(text) => Argument::Text(self.names.fill(text)?),
                ArgumentTemplate::Call(call) => Argument::Call(self.call(call)?),
                ArgumentTemplate::Calls(calls) => {
                    Argument::Calls(calls.iter().map(|call| self.call(call)).collect::<Result<_, _>>()?)
                }
                ArgumentTemplate::Headers(headers) => {
                    let filled =
                        headers.iter().map(|(name, value)| Ok((name.clone(), self.names.fill(value)?)));
                    Argument::Headers(filled.collect::<Result<_, String>>()?)
                }
            };
            arguments.set(slot, value);
        }
        Ok(arguments)
    }

    /// Hanging up all calls is the only command that can go to every phone at once.
    fn on_phone_or_all(&self, step: &Step, args: Value, command: PhoneCommand) -> Prepared {
        let phone = self.said_phone(step).map(|phone| self.names.outside(phone));
        let subject = Subject { phone: phone.clone(), call: None, run: Some(self.run) };
        let command = match phone {
            Some(phone) => Command::Phone(phone, command),
            None => Command::Node(NodeCommand::HangUpAll),
        };
        Prepared { command, args, subject }
    }

    fn on_phone(&self, step: &Step, args: Value, command: PhoneCommand) -> Result<Prepared, String> {
        let phone = self.phone(step)?;
        let subject = Subject { phone: Some(phone.clone()), call: None, run: Some(self.run) };
        Ok(Prepared { command: Command::Phone(phone, command), args, subject })
    }

    /// Unless the step names a phone, its calls may be of several; users of the older form know no
    /// such conference.
    fn on_calls(&self, step: &Step, args: Value, calls: Vec<CallId>) -> Result<Prepared, String> {
        let any = !self.older && !calls.is_empty() && !matches!(step.phone, PhoneRef::Named(_));
        let phone = if any { None } else { Some(self.phone(step)?) };
        let subject = Subject { phone: phone.clone(), call: None, run: Some(self.run) };
        Ok(Prepared { command: Command::Node(NodeCommand::Conference { phone, calls }), args, subject })
    }

    fn on_call(&self, step: &Step, args: Value, command: CallCommand) -> Result<Prepared, String> {
        let call = self.selector(step)?;
        let phone = call.phone.clone().or_else(|| self.said_phone(step));
        let subject = Subject { phone, call: call.call, run: Some(self.run) };
        Ok(Prepared { command: Command::Call(call, command), args, subject })
    }
}

/// Returns the arguments as the journal shows them.
fn noted(verb: &Verb, arguments: &Arguments, made: &Made) -> Value {
    let note = |parameter: &Parameter| {
        let key = parameter.action.as_ref()?.noted?;
        let value = arguments.get(parameter.slot).map_or(Value::Null, Argument::to_json);
        Some((key.to_owned(), value))
    };
    let mut noted: Map<String, Value> = verb.parameters.iter().filter_map(note).collect();
    // Whatever is played is shown in place of the file.
    if let Made::Call(CallCommand::Play { sound, .. }) = made {
        noted.insert("file".to_owned(), words(sound).into());
    }
    Value::Object(noted)
}

fn words(sound: &Sound) -> String {
    match sound {
        Sound::File(file) => file.clone(),
        Sound::Tone { hz, .. } => {
            let shown: Vec<_> = hz.iter().map(|hz| format!("{hz} Hz")).collect();
            format!("tone {}", shown.join(" + "))
        }
        Sound::Echo => "echo".to_owned(),
    }
}
