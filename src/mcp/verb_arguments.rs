//! The arguments of a verb as a tool takes them: schema and reader for the verb's row.

use std::{collections::BTreeMap, time::Duration};

use rmcp::model::JsonObject;
use serde_json::Value;

use super::arguments::{Argument as Typed, Parameter, Problems, Reader};
use crate::{
    command::{self, Argument, Arguments, Need, Sort, ToolArgument, Verb},
    id::CallId,
};

/// Returns the parameters of a verb's tool, in the order of its row.
pub(super) fn parameters(verb: &Verb) -> Vec<Parameter> {
    let offered = verb.parameters.iter().filter_map(|each| Some((each, each.tool.as_ref()?)));
    offered.map(|(parameter, tool)| described(parameter, tool)).collect()
}

fn described(parameter: &command::Parameter, tool: &ToolArgument) -> Parameter {
    let schema = match parameter.sort {
        Sort::Text | Sort::Target | Sort::Digits => String::schema(),
        Sort::Status(..) => u16::schema(),
        Sort::Flag => bool::schema(),
        Sort::Call => CallId::schema(),
        Sort::Calls => Vec::<CallId>::schema(),
        Sort::Names => Vec::<String>::schema(),
        Sort::Headers => BTreeMap::<String, String>::schema(),
        Sort::Time => u32::schema(),
        Sort::Frequencies(..) => Vec::<f64>::schema(),
        Sort::Level => f64::schema(),
    };
    let default = match parameter.need {
        Need::Status(status) => Some(Value::from(status)),
        Need::Flag(flag) => Some(flag.into()),
        Need::Text(text) => Some(text.into()),
        Need::Required | Need::Unless(_) | Need::AllCalls | Need::Optional => None,
    };
    let nullable = parameter.need == Need::Optional;
    Parameter { name: tool.name, about: tool.about, schema, nullable, default }
}

/// Reads the arguments of a call.
///
/// # Errors
/// Every parameter that is missing or does not fit, all at once.
pub(super) fn read(verb: &Verb, given: JsonObject) -> Result<Arguments, Problems> {
    let mut reader = Reader::new(given);
    let mut arguments = Arguments::default();
    for parameter in verb.parameters {
        let value = match &parameter.tool {
            Some(tool) => take(&mut reader, parameter, tool.name),
            None => parameter.need.default(),
        };
        if let Some(value) = value {
            arguments.set(parameter.slot, value);
        }
    }
    reader.finish().map(|()| arguments)
}

fn take(reader: &mut Reader, parameter: &command::Parameter, name: &'static str) -> Option<Argument> {
    let need = parameter.need;
    let text = if let Need::Text(text) = need { Some(text.to_owned()) } else { None };
    let status = if let Need::Status(status) = need { Some(status) } else { None };
    let flag = if let Need::Flag(flag) = need { Some(flag) } else { None };
    match parameter.sort {
        Sort::Text | Sort::Target | Sort::Digits => one(reader, name, need, text, Argument::Text),
        Sort::Status(..) => one(reader, name, need, status, Argument::Status),
        Sort::Flag => one(reader, name, need, flag, Argument::Flag),
        Sort::Call => one(reader, name, need, None, Argument::Call),
        Sort::Calls => one(reader, name, need, None, Argument::Calls),
        Sort::Names => one(reader, name, need, None, Argument::Names),
        Sort::Headers => one(reader, name, need, None, Argument::Headers),
        Sort::Time => {
            one::<u32>(reader, name, need, None, |ms| Argument::Time(Duration::from_millis(ms.into())))
        }
        Sort::Frequencies(..) => one(reader, name, need, None, Argument::Frequencies),
        Sort::Level => one(reader, name, need, None, Argument::Level),
    }
}

fn one<T: Typed>(
    reader: &mut Reader,
    name: &'static str,
    need: Need,
    default: Option<T>,
    wrap: impl FnOnce(T) -> Argument,
) -> Option<Argument> {
    let value = match need {
        Need::Optional => reader.take::<Option<T>>(name, None).flatten(),
        Need::Required
        | Need::Unless(_)
        | Need::AllCalls
        | Need::Status(_)
        | Need::Flag(_)
        | Need::Text(_) => reader.take(name, default),
    };
    value.map(wrap)
}
