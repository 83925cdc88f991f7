//! Named arguments from which a command is built: every surface reads its own spelling into these.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::id::CallId;

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// Any text, a target, digits.
    Text(String),
    /// A SIP status.
    Status(u16),
    /// Yes or no.
    Flag(bool),
    /// A duration.
    Time(Duration),
    /// A call.
    Call(CallId),
    /// Calls.
    Calls(Vec<CallId>),
    /// Names in order.
    Names(Vec<String>),
    /// Header names and their values.
    Headers(BTreeMap<String, String>),
    /// Frequencies in hertz.
    Frequencies(Vec<f64>),
    /// A level in dBFS.
    Level(f64),
}

impl Argument {
    /// Returns the value as results and the journal show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Status(status) => (*status).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Time(time) => json!(time.as_millis()),
            Self::Call(call) => call.0.into(),
            Self::Calls(calls) => calls.iter().map(|call| call.0).collect(),
            Self::Names(names) => json!(names),
            Self::Headers(headers) => json!(headers),
            Self::Frequencies(hz) => json!(hz),
            Self::Level(level) => json!(level),
        }
    }
}

/// Arguments by their slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(BTreeMap<&'static str, Argument>);

/// An argument that the command requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is missing")]
pub struct Missing(pub &'static str);

impl Arguments {
    /// Sets an argument.
    pub fn set(&mut self, slot: &'static str, value: Argument) {
        self.0.insert(slot, value);
    }

    /// Returns an argument, whatever it is.
    #[must_use]
    pub fn get(&self, slot: &str) -> Option<&Argument> {
        self.0.get(slot)
    }

    /// Returns a duration.
    #[must_use]
    pub fn time(&self, slot: &str) -> Option<Duration> {
        if let Some(Argument::Time(time)) = self.0.get(slot) { Some(*time) } else { None }
    }

    /// Returns a call.
    #[must_use]
    pub fn call(&self, slot: &str) -> Option<CallId> {
        if let Some(Argument::Call(call)) = self.0.get(slot) { Some(*call) } else { None }
    }

    /// Returns frequencies.
    #[must_use]
    pub fn frequencies(&self, slot: &str) -> Option<Vec<f64>> {
        if let Some(Argument::Frequencies(hz)) = self.0.get(slot) { Some(hz.clone()) } else { None }
    }

    /// Returns a level.
    #[must_use]
    pub fn level(&self, slot: &str) -> Option<f64> {
        if let Some(Argument::Level(level)) = self.0.get(slot) { Some(*level) } else { None }
    }

    /// Returns calls; empty if not given.
    #[must_use]
    pub fn calls(&self, slot: &str) -> Vec<CallId> {
        if let Some(Argument::Calls(calls)) = self.0.get(slot) { calls.clone() } else { Vec::new() }
    }

    /// Returns headers; empty if not given.
    #[must_use]
    pub fn headers(&self, slot: &str) -> BTreeMap<String, String> {
        if let Some(Argument::Headers(headers)) = self.0.get(slot) {
            headers.clone()
        } else {
            BTreeMap::new()
        }
    }

    /// Returns a text.
    ///
    /// # Errors
    /// It is not given.
    pub fn text(&self, slot: &'static str) -> Result<String, Missing> {
        if let Some(Argument::Text(text)) = self.0.get(slot) { Ok(text.clone()) } else { Err(Missing(slot)) }
    }

    /// Returns a status.
    ///
    /// # Errors
    /// It is not given.
    pub fn status(&self, slot: &'static str) -> Result<u16, Missing> {
        if let Some(Argument::Status(status)) = self.0.get(slot) { Ok(*status) } else { Err(Missing(slot)) }
    }

    /// Returns a yes or no.
    ///
    /// # Errors
    /// It is not given.
    pub fn flag(&self, slot: &'static str) -> Result<bool, Missing> {
        if let Some(Argument::Flag(flag)) = self.0.get(slot) { Ok(*flag) } else { Err(Missing(slot)) }
    }

    /// Returns names.
    ///
    /// # Errors
    /// They are not given.
    pub fn names(&self, slot: &'static str) -> Result<Vec<String>, Missing> {
        if let Some(Argument::Names(names)) = self.0.get(slot) {
            Ok(names.clone())
        } else {
            Err(Missing(slot))
        }
    }
}
