//! A finding of the checker: place, rule, sentence and suggestion.

use std::fmt;

use serde::Serialize;

pub use crate::nearest::nearest;

/// A place in a file, counted from 1; unknown in documents that came as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, or 0 when unknown.
    pub line: u32,
    /// Column in characters, or 0 when unknown.
    pub column: u32,
}

impl Position {
    /// Returns `line:column`, or nothing when the place is unknown.
    #[must_use]
    pub fn text(self) -> Option<String> {
        (self.line > 0).then(|| self.to_string())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One step on the path from the document's root to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// An index of a list, from 0.
    Index(usize),
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The document cannot be run.
    Error,
    /// The document can be run, but probably does not say what was meant.
    Warning,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident => $text:literal),* $(,)?) => {
        /// The complete list of what the checker looks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$doc])* $name),* }

        impl Rule {
            /// Every rule with its code, in the order of the reference.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];

            /// Returns the code printed in brackets.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

rules! {
    /// The text is not YAML, or not one document.
    Syntax => "syntax",
    /// A value has the wrong type for its place.
    WrongType => "wrong-type",
    /// A key that has no meaning here.
    UnknownKey => "unknown-key",
    /// A required key is missing.
    MissingKey => "missing-key",
    /// An action that does not exist.
    UnknownAction => "unknown-action",
    /// An event that never happens.
    UnknownEvent => "unknown-event",
    /// A field that the event does not have.
    UnknownField => "unknown-field",
    /// A value outside the allowed set or range.
    BadValue => "bad-value",
    /// A text that is not a duration.
    BadDuration => "bad-duration",
    /// A text that is neither a SIP URI nor an extension.
    BadUri => "bad-uri",
    /// A regular expression that does not compile.
    BadRegex => "bad-regex",
    /// A phone that the scenario does not declare.
    UndefinedPhone => "undefined-phone",
    /// A call handle that no earlier step captures.
    UndefinedCall => "undefined-call",
    /// A `${name}` that is not defined.
    UndefinedName => "undefined-name",
    /// The same name is used twice.
    Duplicate => "duplicate",
    /// Running this cannot show anything.
    NothingExpected => "nothing-expected",
    /// No step can cause what is waited for.
    NeverHappens => "never-happens",
    /// The step comes before what it needs can exist.
    TooEarly => "too-early",
    /// The step comes after the call it uses has ended.
    CallOver => "call-over",
    /// A step that is never reached.
    Unreachable => "unreachable",
    /// The waits together take longer than the run may.
    TimeoutTooShort => "timeout-too-short",
    /// A PBX profile or a phones file that cannot be used.
    BadProfile => "bad-profile",
    /// A file that does not exist.
    MissingFile => "missing-file",
    /// The outcome depends on something that the document does not say.
    OutsideState => "outside-state",
    /// A pause that waits for nothing.
    BareWait => "bare-wait",
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its severity.
    pub level: Level,
    /// The rule.
    pub rule: Rule,
    /// Where it is in the text.
    pub at: Position,
    /// The path in the document's structure.
    pub path: Vec<Segment>,
    /// The sentence, which quotes the offending text.
    pub text: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// Returns the path as text, such as `steps[2].make_call.to`.
    #[must_use]
    pub fn path_text(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) if text.is_empty() => text.push_str(key),
                Segment::Key(key) => {
                    text.push('.');
                    text.push_str(key);
                }
                Segment::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    /// Returns the one-line form `path:line:col: level[code]: text (did you mean 'x'?)`.
    #[must_use]
    pub fn line(&self, source: &str) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = match self.at.text() {
            Some(at) => format!("{source}:{at}"),
            None if self.path.is_empty() => source.to_owned(),
            None => format!("{source}: {}", self.path_text()),
        };
        let hint = self.suggestion.as_ref().map(|s| format!(" (did you mean '{s}'?)")).unwrap_or_default();
        format!("{place}: {level}[{}]: {}{hint}", self.rule.code(), self.text)
    }

    /// Returns the finding as a JSON object for `--json` and tool results.
    #[must_use]
    pub fn to_json(&self, source: &str) -> serde_json::Value {
        serde_json::json!({
            "file": source,
            "line": (self.at.line > 0).then_some(self.at.line),
            "column": (self.at.line > 0).then_some(self.at.column),
            "path": self.path_text(),
            "level": self.level,
            "code": self.rule.code(),
            "text": self.text,
            "suggestion": self.suggestion,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_prints_like_a_compiler() {
        let finding = Diagnostic {
            level: Level::Error,
            rule: Rule::UnknownAction,
            at: Position { line: 3, column: 5 },
            path: vec![Segment::Key("steps".into()), Segment::Index(2)],
            text: "unknown action 'make_cal'".into(),
            suggestion: Some("make_call".into()),
        };
        assert_eq!(
            finding.line("a.yaml"),
            "a.yaml:3:5: error[unknown-action]: unknown action 'make_cal' (did you mean 'make_call'?)"
        );
        let inline = Diagnostic { at: Position::default(), ..finding };
        assert!(inline.line("scenario").starts_with("scenario: steps[2]: error["));
    }
}
