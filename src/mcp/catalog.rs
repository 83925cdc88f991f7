//! Every tool, and how a name is resolved to its tool.
//!
//! A phone action is defined once and shown in two projections: `<phone_id>_<action>`, bound to a
//! phone, and `<action>` with a `phone_id`. Calls are accepted under both names, whatever the list
//! shows.

use std::{future::Future, pin::Pin, sync::Arc};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::{
    arguments::{Argument, Arguments, Parameter, Reader, Style, schema},
    context::CallContext,
    exposure::Projection,
    result::Reply,
    services::Services,
    unknown_arguments::{Known, Unknown},
    verb_arguments,
};
use crate::{
    command::{self, Effect, ToolName, Verb},
    id::PhoneId,
    nearest::nearest,
};

type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;
type Handler = Box<dyn Fn(Arc<Services>, JsonObject, CallContext) -> Answer + Send + Sync>;
type PhoneHandler = Box<dyn Fn(Arc<Services>, PhoneId, JsonObject, CallContext) -> Answer + Send + Sync>;

/// What a client may assume about a tool before calling it.
#[derive(Clone, Copy)]
pub(super) enum Hints {
    /// Changes nothing.
    Reads,
    /// Changes something, but calling it again changes nothing more.
    Settles,
    /// Reaches the telephone network, each time again.
    Dials,
    /// Ends or removes something.
    Ends,
}

impl Hints {
    fn annotations(self, title: &str) -> ToolAnnotations {
        let (reads, destroys, idempotent, open) = match self {
            Self::Reads => (true, false, true, false),
            Self::Settles => (false, false, true, true),
            Self::Dials => (false, false, false, true),
            Self::Ends => (false, true, true, true),
        };
        ToolAnnotations::with_title(title)
            .read_only(reads)
            .destructive(destroys)
            .idempotent(idempotent)
            .open_world(open)
    }
}

/// What clients see of a tool, apart from its arguments.
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// The name used in calls.
    pub(super) name: &'static str,
    /// The name for people.
    pub(super) title: &'static str,
    /// What it does, in a tester's words.
    pub(super) about: &'static str,
    /// What may be assumed about it.
    pub(super) hints: Hints,
}

impl Label {
    /// Returns the label in a verb's row.
    pub(super) const fn of(tool: &ToolName) -> Self {
        let hints = match tool.effect {
            Effect::Settles => Hints::Settles,
            Effect::Dials => Hints::Dials,
            Effect::Ends => Hints::Ends,
        };
        Self { name: tool.name, title: tool.title, about: tool.about, hints }
    }
}

/// A tool that is listed for every client.
pub(super) struct ToolDefinition {
    descriptor: Tool,
    handler: Handler,
}

/// Defines a tool of the compatible surface.
pub(super) fn compat<A, F, R>(label: Label, handler: F) -> ToolDefinition
where
    A: Arguments,
    F: Fn(Arc<Services>, A, CallContext) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let output = json!({ "type": "object", "additionalProperties": true, "title": format!("{}DictOutput", label.name) });
    let descriptor = describe(label, schema(label.name, &A::parameters(), Style::Compat), output);
    ToolDefinition { descriptor, handler: erase(handler, Style::Compat) }
}

/// Defines a native tool; `output` is the schema of its structured content.
pub(super) fn native<A, F, R>(label: Label, output: Value, handler: F) -> ToolDefinition
where
    A: Arguments,
    F: Fn(Arc<Services>, A, CallContext) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let descriptor = describe(label, schema(label.name, &A::parameters(), Style::Native), output);
    ToolDefinition { descriptor, handler: erase(handler, Style::Native) }
}

fn erase<A, F, R>(handler: F, style: Style) -> Handler
where
    A: Arguments,
    F: Fn(Arc<Services>, A, CallContext) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let known = Known::of(&A::parameters());
    Box::new(move |services, given, context| {
        let unknown = known.unknown(&given);
        if let (Some(unknown), Style::Native) = (unknown.as_ref(), style) {
            return ready(Reply::unknown(unknown));
        }
        let answer: Answer = match A::read(given) {
            Ok(arguments) => Box::pin(handler(services, arguments, context)),
            Err(problems) => ready(Reply::invalid(problems)),
        };
        telling(answer, unknown)
    })
}

fn ready(reply: Reply) -> Answer {
    Box::pin(std::future::ready(reply))
}

/// Adds to an answer which arguments are unknown.
fn telling(answer: Answer, unknown: Option<Unknown>) -> Answer {
    match unknown {
        Some(unknown) => Box::pin(async move { answer.await.ignoring(&unknown) }),
        None => answer,
    }
}

fn describe(label: Label, input: JsonObject, output: Value) -> Tool {
    let mut tool =
        Tool::new(label.name, label.about, input).with_annotations(label.hints.annotations(label.title));
    if let Value::Object(output) = output {
        tool = tool.with_raw_output_schema(Arc::new(output));
    }
    tool
}

/// An action that every phone has.
pub(super) struct ActionDefinition {
    name: &'static str,
    /// As listed for one phone; the name is the bare action's.
    of_a_phone: Tool,
    /// As listed once, with `phone_id`.
    of_all_phones: Tool,
    /// What it takes with a `phone_id`.
    known: Known,
    handler: PhoneHandler,
}

/// Defines a phone action.
pub(super) fn action<A, F, R>(label: Label, handler: F) -> ActionDefinition
where
    A: Arguments,
    F: Fn(Arc<Services>, PhoneId, A, CallContext) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let handler: PhoneHandler = Box::new(move |services, phone, given, context| match A::read(given) {
        Ok(arguments) => Box::pin(handler(services, phone, arguments, context)),
        Err(problems) => ready(Reply::invalid(problems)),
    });
    action_with(label, A::parameters(), handler)
}

/// Defines the action of a verb; its handler gets the arguments by their slots.
pub(super) fn verb<F, R>(verb: &'static Verb, tool: &ToolName, handler: F) -> ActionDefinition
where
    F: Fn(Arc<Services>, PhoneId, &'static Verb, command::Arguments, CallContext) -> R
        + Send
        + Sync
        + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let label = Label::of(tool);
    let handler: PhoneHandler =
        Box::new(move |services, phone, given, context| match verb_arguments::read(verb, given) {
            Ok(arguments) => Box::pin(handler(services, phone, verb, arguments, context)),
            Err(problems) => ready(Reply::invalid(problems)),
        });
    action_with(label, verb_arguments::parameters(verb), handler)
}

fn action_with(label: Label, own: Vec<Parameter>, handler: PhoneHandler) -> ActionDefinition {
    let known = Known::of(&own);
    let handler: PhoneHandler = Box::new(move |services, phone, given, context| {
        let unknown = known.unknown(&given);
        telling(handler(services, phone, given, context), unknown)
    });
    let output = json!({ "type": "object", "additionalProperties": true, "title": format!("{}DictOutput", label.name) });
    let of_a_phone = describe(label, schema(label.name, &own, Style::Compat), output.clone());
    let mut parameters = vec![Parameter {
        name: "phone_id",
        about: "Which phone.",
        schema: PhoneId::schema(),
        nullable: false,
        default: None,
    }];
    parameters.extend(own);
    let of_all_phones = describe(label, schema(label.name, &parameters, Style::Compat), output);
    let known = Known::of(&parameters);
    ActionDefinition { name: label.name, of_a_phone, of_all_phones, known, handler }
}

/// All tools.
pub(super) struct Catalog {
    tools: Vec<ToolDefinition>,
    actions: Vec<ActionDefinition>,
}

/// A resolved name.
pub(super) enum Resolved<'a> {
    /// A tool of its own.
    Tool(&'a ToolDefinition),
    /// An action bound to a phone by its name.
    OfPhone(&'a ActionDefinition, PhoneId),
    /// An action that takes a `phone_id`.
    OfAnyPhone(&'a ActionDefinition),
}

impl Catalog {
    pub(super) const fn new(tools: Vec<ToolDefinition>, actions: Vec<ActionDefinition>) -> Self {
        Self { tools, actions }
    }

    /// Lists the tools as a client sees them, in an order that depends only on the phones.
    pub(super) fn list(&self, projection: Projection, phones: &[PhoneId]) -> Vec<Tool> {
        let mut list: Vec<Tool> = self.tools.iter().map(|tool| tool.descriptor.clone()).collect();
        match projection {
            Projection::Static => {
                list.extend(self.actions.iter().map(|action| action.of_all_phones.clone()));
            }
            Projection::Dynamic => {
                list.reserve_exact(phones.len() * self.actions.len());
                for phone in phones {
                    list.extend(self.actions.iter().map(|action| action.bound_to(phone)));
                }
            }
        }
        list
    }

    /// Finds a tool's descriptor by the name that a call uses.
    pub(super) fn descriptor(&self, name: &str) -> Option<Tool> {
        self.resolve(name).map(|resolved| match resolved {
            Resolved::Tool(tool) => tool.descriptor.clone(),
            Resolved::OfPhone(action, phone) => action.bound_to(&phone),
            Resolved::OfAnyPhone(action) => action.of_all_phones.clone(),
        })
    }

    /// Finds the tool that a mistyped name probably means.
    pub(super) fn near(&self, name: &str, phones: &[PhoneId]) -> Option<String> {
        let actions = || self.actions.iter().map(|action| action.name);
        let of_phone = |phone: &PhoneId| {
            let rest = name.strip_prefix(phone.as_str())?.strip_prefix('_')?;
            nearest(rest, actions()).map(|action| format!("{phone}_{action}"))
        };
        let tools = self.tools.iter().map(|tool| &*tool.descriptor.name);
        phones.iter().find_map(of_phone).or_else(|| nearest(name, tools.chain(actions())))
    }

    /// Resolves a name, without checking that the phone exists.
    pub(super) fn resolve(&self, name: &str) -> Option<Resolved<'_>> {
        if let Some(tool) = self.tools.iter().find(|tool| tool.descriptor.name == name) {
            return Some(Resolved::Tool(tool));
        }
        if let Some(action) = self.actions.iter().find(|action| action.name == name) {
            return Some(Resolved::OfAnyPhone(action));
        }
        self.actions.iter().find_map(|action| {
            let phone = name.strip_suffix(action.name)?.strip_suffix('_')?.parse().ok()?;
            Some(Resolved::OfPhone(action, phone))
        })
    }
}

impl ActionDefinition {
    /// Returns the bare name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    fn bound_to(&self, phone: &PhoneId) -> Tool {
        let mut tool = self.of_a_phone.clone();
        tool.name = format!("{phone}_{}", tool.name).into();
        let about = tool.description.as_deref().unwrap_or_default();
        tool.description = Some(format!("[phone {phone}] {about}").into());
        tool
    }
}

impl Resolved<'_> {
    /// Calls the tool.
    pub(super) fn call(
        &self,
        services: Arc<Services>,
        mut given: JsonObject,
        context: CallContext,
    ) -> Answer {
        match self {
            Self::Tool(tool) => (tool.handler)(services, given, context),
            Self::OfPhone(action, phone) => (action.handler)(services, phone.clone(), given, context),
            Self::OfAnyPhone(action) => {
                let unknown = action.known.unknown(&given);
                match take_phone(&services, &mut given) {
                    Ok(phone) => (action.handler)(services, phone, given, context),
                    Err(refusal) => telling(ready(refusal), unknown),
                }
            }
        }
    }
}

/// Takes the phone's name out of the arguments; an invalid name is treated as a phone that does not
/// exist.
fn take_phone(services: &Services, given: &mut JsonObject) -> Result<PhoneId, Reply> {
    let mut only = JsonObject::new();
    only.extend(given.remove_entry("phone_id"));
    let mut reader = Reader::new(only);
    let name: Option<String> = reader.take("phone_id", None);
    reader.finish().map_err(Reply::invalid)?;
    let name = name.unwrap_or_default();
    name.parse().map_err(|_| Reply::no_phone(&name, &services.phone_ids()))
}
