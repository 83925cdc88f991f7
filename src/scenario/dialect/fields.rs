//! Reading a mapping key by key, collecting every mistake in it.

use super::super::{
    diagnostic::{Diagnostic, Level, Position, Rule, Segment, nearest},
    node::{Content, Entry, Node},
};

/// The reader's state while it goes through a document.
#[derive(Debug, Default)]
pub(super) struct Lower {
    /// Findings so far.
    pub(super) findings: Vec<Diagnostic>,
    /// The current path in the document's structure.
    path: Vec<Segment>,
    /// Whether unknown keys and events are only warnings.
    pub(super) lenient: bool,
    /// Names of the declared phones.
    pub(super) phones: Vec<String>,
    /// Names under which some step captures a call.
    pub(super) captures: Vec<String>,
    /// Names of the document's own variables.
    pub(super) vars: Vec<String>,
    /// Names of the PBX profile's numbers.
    pub(super) numbers: Vec<String>,
    /// Whether there may be other numbers.
    pub(super) open: bool,
    /// Labels of the checkpoints.
    pub(super) checkpoints: Vec<String>,
}

impl Lower {
    /// Adds a finding.
    pub(super) fn find(
        &mut self,
        level: Level,
        rule: Rule,
        at: Position,
        text: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let path = self.path.clone();
        self.findings.push(Diagnostic { level, rule, at, path, text: text.into(), suggestion });
    }

    /// Adds an error without a suggestion.
    pub(super) fn error(&mut self, rule: Rule, at: Position, text: impl Into<String>) {
        self.find(Level::Error, rule, at, text, None);
    }

    /// Adds an error, or a warning where the older form tolerates it.
    pub(super) fn strict(
        &mut self,
        rule: Rule,
        at: Position,
        text: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let level = if self.lenient { Level::Warning } else { Level::Error };
        self.find(level, rule, at, text, suggestion);
    }

    /// Reads something under `key`.
    pub(super) fn under<R>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(Segment::Key(key.to_owned()));
        let result = read(self);
        self.path.pop();
        result
    }

    /// Returns whether the current key says that its value is in milliseconds.
    pub(super) fn counts_milliseconds(&self) -> bool {
        matches!(self.path.last(), Some(Segment::Key(key)) if key == "ms" || key.ends_with("_ms"))
    }

    /// Reads every item of a list, or the single value in its place.
    pub(super) fn each<R>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<R>,
    ) -> Vec<R> {
        let items = match &node.content {
            Content::List(items) => items.as_slice(),
            Content::Null => &[],
            Content::Bool(_) | Content::Number { .. } | Content::Text(_) | Content::Map(_) => {
                std::slice::from_ref(node)
            }
        };
        let mut results = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            self.path.push(Segment::Index(index));
            results.extend(read(self, item));
            self.path.pop();
        }
        results
    }

    /// Requires a list where a single value would be a mistake.
    pub(super) fn list_only(&mut self, node: &Node, what: &str) -> bool {
        match node.content {
            Content::List(_) | Content::Null => true,
            Content::Bool(_) | Content::Number { .. } | Content::Text(_) | Content::Map(_) => {
                let text = format!("{what} must be a list, not {}", node.describe());
                self.error(Rule::WrongType, node.at, text);
                false
            }
        }
    }
}

/// The entries of a mapping; each can be taken once.
pub(super) struct Fields<'a> {
    entries: Vec<&'a Entry>,
    asked: Vec<&'static str>,
    /// Where the mapping begins.
    pub(super) at: Position,
    what: String,
}

impl<'a> Fields<'a> {
    /// Opens a mapping; anything else is a finding.
    pub(super) fn open(lower: &mut Lower, node: &'a Node, what: &str) -> Option<Self> {
        match &node.content {
            Content::Map(entries) => Some(Self {
                entries: entries.iter().collect(),
                asked: Vec::new(),
                at: node.at,
                what: what.to_owned(),
            }),
            Content::Null
            | Content::Bool(_)
            | Content::Number { .. }
            | Content::Text(_)
            | Content::List(_) => {
                let text = format!("{what} must be a mapping, not {}", node.describe());
                lower.error(Rule::WrongType, node.at, text);
                None
            }
        }
    }

    /// Creates fields from some entries.
    pub(super) fn of(entries: impl IntoIterator<Item = &'a Entry>, at: Position, what: &str) -> Self {
        Self { entries: entries.into_iter().collect(), asked: Vec::new(), at, what: what.to_owned() }
    }

    /// Takes the first entry that has one of these names.
    pub(super) fn take(&mut self, names: &[&'static str]) -> Option<&'a Entry> {
        self.asked.extend(names);
        let at = names.iter().find_map(|name| self.entries.iter().position(|entry| entry.key == *name))?;
        Some(self.entries.remove(at))
    }

    /// Takes an entry and reads its value, unless the value is null.
    pub(super) fn read<R>(
        &mut self,
        lower: &mut Lower,
        names: &[&'static str],
        read: impl FnOnce(&mut Lower, &'a Node) -> Option<R>,
    ) -> Option<R> {
        let entry = self.take(names)?;
        if entry.value.content == Content::Null {
            return None;
        }
        lower.under(&entry.key, |lower| read(lower, &entry.value))
    }

    /// Like [`Self::read`], with a finding if the key is missing.
    pub(super) fn require<R>(
        &mut self,
        lower: &mut Lower,
        names: &[&'static str],
        read: impl FnOnce(&mut Lower, &'a Node) -> Option<R>,
    ) -> Option<R> {
        let there = names.iter().any(|name| {
            self.entries.iter().any(|entry| entry.key == *name && entry.value.content != Content::Null)
        });
        if !there {
            let name = names.first().copied().unwrap_or_default();
            lower.error(Rule::MissingKey, self.at, format!("{} needs '{name}'", self.what));
            self.take(names);
            return None;
        }
        self.read(lower, names, read)
    }

    /// Returns whether nothing is left to take.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports the entries that were not taken.
    pub(super) fn finish(self, lower: &mut Lower) {
        for entry in &self.entries {
            let text = format!("unknown key '{}' in {}", entry.key, self.what);
            let suggestion = nearest(&entry.key, self.asked.iter().copied());
            lower.strict(Rule::UnknownKey, entry.key_at, text, suggestion);
        }
    }
}
