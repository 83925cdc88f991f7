//! Reading expectations: what must happen, what must not, and how both are put into words.

use std::time::Duration;

use super::{
    super::{
        diagnostic::{Position, Rule},
        model::{CallRef, Clause, ClauseKind, EventMatcher, Expectation, Metric, Scope, Since},
        node::{Content, Node},
    },
    action::event_patterns,
    events,
    fields::{Fields, Lower},
    scalar,
};
use crate::event::{Comparison, Condition, EndCause, EventPattern, Party};

/// Combines parts into a group.
type MakeGroup = fn(Vec<Clause>) -> ClauseKind;

/// How long an expectation waits by default.
pub(super) const DEFAULT_WITHIN: Duration = Duration::from_secs(5);

/// Reads the value of `expect`.
pub(super) fn expectation(lower: &mut Lower, node: Option<&Node>, at: Position) -> Option<Expectation> {
    let node = something(lower, node, at, "expect")?;
    if let Content::Map(_) = node.content {
        let mut fields = Fields::open(lower, node, "'expect'")?;
        let within = fields.read(lower, &["within", "timeout"], scalar::duration).unwrap_or(DEFAULT_WITHIN);
        let since = fields.read(lower, &["since"], since).unwrap_or_default();
        let capture = fields.read(lower, &["as"], scalar::capture);
        let clause = clause_of(lower, fields, at)?;
        return Some(Expectation { clause, within, since, capture });
    }
    let clause = clause(lower, node, at)?;
    Some(Expectation { clause, within: DEFAULT_WITHIN, since: Since::LastCommand, capture: None })
}

/// Reads the value of `never`.
pub(super) fn never(lower: &mut Lower, node: Option<&Node>, at: Position) -> Option<(Clause, Duration)> {
    let node = something(lower, node, at, "never")?;
    let mut fields = Fields::open(lower, node, "'never'")?;
    let during = fields.require(lower, &["during", "for", "within"], scalar::duration);
    let clause = clause_of(lower, fields, at)?;
    Some((clause, during?))
}

fn something<'a>(lower: &mut Lower, node: Option<&'a Node>, at: Position, what: &str) -> Option<&'a Node> {
    let empty = match node.map(|node| &node.content) {
        None | Some(Content::Null) => true,
        Some(Content::List(items)) => items.is_empty(),
        Some(Content::Map(entries)) => entries.is_empty(),
        Some(Content::Bool(_) | Content::Number { .. } | Content::Text(_)) => false,
    };
    if empty {
        lower.error(Rule::NothingExpected, at, format!("'{what}' says nothing"));
        return None;
    }
    node
}

fn since(lower: &mut Lower, node: &Node) -> Option<Since> {
    let word = scalar::text(lower, node)?;
    if word == "start" {
        return Some(Since::Start);
    }
    if !lower.checkpoints.contains(&word) {
        let text = format!("no checkpoint has the label '{word}'; 'start' means the run's beginning");
        lower.error(Rule::UndefinedName, node.at, text);
    }
    Some(Since::Checkpoint(word))
}

/// Reads one clause: a name, a list (in order) or a mapping.
pub(super) fn clause(lower: &mut Lower, node: &Node, at: Position) -> Option<Clause> {
    let at = if node.at.line > 0 { node.at } else { at };
    match &node.content {
        Content::Text(_) => {
            let events = event_patterns(lower, node)?;
            let matcher = EventMatcher { events, ..EventMatcher::default() };
            Some(event_clause(at, matcher, Comparison::AtLeast(1.0)))
        }
        Content::List(_) => parts(lower, node).map(|parts| group(at, "in order", parts, ClauseKind::InOrder)),
        Content::Map(_) => {
            let fields = Fields::open(lower, node, "the expectation")?;
            clause_of(lower, fields, at)
        }
        Content::Null | Content::Bool(_) | Content::Number { .. } => {
            let text = format!("expected an event's name or a mapping, not {}", node.describe());
            lower.error(Rule::WrongType, node.at, text);
            None
        }
    }
}

fn parts(lower: &mut Lower, node: &Node) -> Option<Vec<Clause>> {
    if !lower.list_only(node, "the group") {
        return None;
    }
    let parts = lower.each(node, |lower, item| clause(lower, item, node.at));
    if parts.is_empty() {
        lower.error(Rule::NothingExpected, node.at, "the group is empty");
        return None;
    }
    Some(parts)
}

fn group(at: Position, how: &str, parts: Vec<Clause>, make: MakeGroup) -> Clause {
    let words: Vec<_> = parts.iter().map(|part| part.words.as_str()).collect();
    Clause { at, words: format!("{how}: {}", words.join("; ")), kind: make(parts) }
}

fn clause_of(lower: &mut Lower, mut fields: Fields<'_>, at: Position) -> Option<Clause> {
    let at = if fields.at.line > 0 { fields.at } else { at };
    let groups: [(&'static str, &'static str, MakeGroup); 3] = [
        ("all", "all of", ClauseKind::All),
        ("any", "any of", ClauseKind::Any),
        ("in_order", "in order", ClauseKind::InOrder),
    ];
    for (key, how, make) in groups {
        if let Some(entry) = fields.take(&[key]) {
            let parts = lower.under(key, |lower| parts(lower, &entry.value));
            fields.finish(lower);
            return parts.map(|parts| group(at, how, parts, make));
        }
    }
    let clause = if let Some(entry) = fields.take(&["event", "when"]) {
        let events = lower.under(&entry.key, |lower| event_patterns(lower, &entry.value))?;
        let matcher = matcher(lower, &mut fields, events);
        let count = fields
            .read(lower, &["count"], |lower, node| scalar::comparison(lower, node, Comparison::AtLeast));
        event_clause(at, matcher, count.unwrap_or(Comparison::AtLeast(1.0)))
    } else if let Some(entry) = fields.take(&["digits"]) {
        let digits = lower.under(&entry.key, |lower| scalar::digits(lower, &entry.value))?;
        let scope = scope(lower, &mut fields);
        let words = format!("digits {digits}{}", scope_words(&scope));
        Clause { at, words, kind: ClauseKind::Digits { scope, digits } }
    } else if let Some(entry) = fields.take(&["tone"]) {
        let hz = lower.under(&entry.key, |lower| scalar::number(lower, &entry.value))?;
        let tolerance = fields.read(lower, &["tolerance"], scalar::number).unwrap_or(10.0);
        let scope = scope(lower, &mut fields);
        let words = format!("a tone of {hz} Hz{}", scope_words(&scope));
        Clause { at, words, kind: ClauseKind::Tone { scope, hz, tolerance } }
    } else if let Some(entry) = fields.take(&["ended"]) {
        ended(lower, &mut fields, &entry.value, at)
    } else {
        media(lower, &mut fields, at)?
    };
    fields.finish(lower);
    Some(clause)
}

/// Reads the conditions that accompany an event's name, in hooks and expectations alike.
pub(super) fn matcher(lower: &mut Lower, fields: &mut Fields<'_>, events: Vec<EventPattern>) -> EventMatcher {
    let scope = scope(lower, fields);
    let conditions = fields.read(lower, &["match"], |lower, node| conditions(lower, node, &events));
    EventMatcher { phone: scope.phone, call: scope.call, conditions: conditions.unwrap_or_default(), events }
}

fn scope(lower: &mut Lower, fields: &mut Fields<'_>) -> Scope {
    Scope {
        phone: fields.read(lower, &["phone", "on_phone", "phone_id"], scalar::phone),
        call: fields.read(lower, &["call", "call_id"], scalar::call),
    }
}

fn conditions(lower: &mut Lower, node: &Node, events: &[EventPattern]) -> Option<Vec<Condition>> {
    let Content::Map(entries) = &node.content else {
        let text = format!("'match' must map paths to values, not {}", node.describe());
        lower.error(Rule::WrongType, node.at, text);
        return None;
    };
    let mut conditions = Vec::with_capacity(entries.len());
    for entry in entries {
        lower.under(&entry.key, |lower| match Condition::new(entry.key.as_str(), &entry.value.to_json()) {
            Ok(condition) => {
                events::check_match(lower, events, &condition, entry.key_at);
                conditions.push(condition);
            }
            Err(error) => {
                let cause = error.to_string();
                let cause = cause.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let text = format!("{} is no regular expression: {cause}", entry.value.describe());
                lower.error(Rule::BadRegex, entry.value.at, text);
            }
        });
    }
    Some(conditions)
}

fn event_clause(at: Position, matcher: EventMatcher, count: Comparison) -> Clause {
    let mut words = matcher.words();
    if count != Comparison::AtLeast(1.0) {
        words = format!("{words}, {count} times");
    }
    Clause { at, words, kind: ClauseKind::Event { matcher, count } }
}

fn ended(lower: &mut Lower, fields: &mut Fields<'_>, which: &Node, at: Position) -> Clause {
    const CAUSES: &[(EndCause, &str)] = &[
        (EndCause::Normal, "normal"),
        (EndCause::Canceled, "canceled"),
        (EndCause::Canceled, "cancelled"),
        (EndCause::Rejected, "rejected"),
        (EndCause::TimedOut, "timed_out"),
        (EndCause::DialogLost, "dialog_lost"),
        (EndCause::TransportFailed, "transport_failed"),
        (EndCause::MediaRefused, "media_refused"),
        (EndCause::Crashed, "crashed"),
        (EndCause::ProcessRestarted, "process_restarted"),
        (EndCause::PhoneDropped, "phone_dropped"),
    ];
    const PARTIES: &[(Party, &str)] = &[(Party::Local, "local"), (Party::Remote, "remote")];
    let mut scope = scope(lower, fields);
    lower.under("ended", |lower| match which.scalar() {
        Some(text) if text.starts_with('$') || text.parse::<crate::id::CallId>().is_ok() => {
            scope.call = scalar::call(lower, which);
        }
        Some(text) if text == "true" => {}
        _ => scope.phone = scalar::phone(lower, which),
    });
    let cause = fields.read(lower, &["cause"], |lower, node| scalar::word(lower, node, CAUSES));
    let by = fields.read(lower, &["by"], |lower, node| scalar::word(lower, node, PARTIES));
    let status =
        fields.read(lower, &["status", "code"], |_, node| Condition::new("status", &node.to_json()).ok());
    let mut words = format!("the end of the call{}", scope_words(&scope));
    if let Some((_, cause)) = CAUSES.iter().find(|(value, _)| Some(*value) == cause) {
        words.push_str(&format!(", cause {cause}"));
    }
    if let Some((_, party)) = PARTIES.iter().find(|(value, _)| Some(*value) == by) {
        words.push_str(&format!(", by the {party} side"));
    }
    if let Some(status) = &status {
        words.push_str(&format!(", {status}"));
    }
    Clause { at, words, kind: ClauseKind::Ended { scope, cause, by, status } }
}

fn media(lower: &mut Lower, fields: &mut Fields<'_>, at: Position) -> Option<Clause> {
    let scope = scope(lower, fields);
    let audio = fields.read(lower, &["audio"], |lower, node| {
        scalar::word(lower, node, &[(true, "present"), (false, "absent")])
    });
    let mut bounds = Vec::new();
    for (metric, key) in Metric::ALL {
        let bound =
            fields.read(lower, &[*key], |lower, node| scalar::comparison(lower, node, Comparison::Exactly));
        bounds.extend(bound.map(|bound| (*metric, bound)));
    }
    if audio.is_none() && bounds.is_empty() {
        if fields.is_empty() {
            lower.error(Rule::NothingExpected, at, "the expectation says nothing to wait for");
        } else {
            let text = "the expectation needs one of event, digits, tone, audio, ended, all, any, in_order";
            lower.error(Rule::MissingKey, at, text);
        }
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    words.extend(audio.map(|present| format!("audio {}", if present { "present" } else { "absent" })));
    words.extend(bounds.iter().map(|(metric, bound)| format!("{} {bound}", metric.key())));
    let words = format!("{}{}", words.join(", "), scope_words(&scope));
    Some(Clause { at, words, kind: ClauseKind::Media { scope, audio, bounds } })
}

fn scope_words(scope: &Scope) -> String {
    let mut words = String::new();
    match &scope.call {
        Some(CallRef::Captured(name)) => words.push_str(&format!(" ${name}")),
        Some(CallRef::Id(id)) => words.push_str(&format!(" {id}")),
        None => {}
    }
    if let Some(phone) = &scope.phone {
        words.push_str(&format!(" on {phone}"));
    }
    words
}

impl EventMatcher {
    /// Describes in words which events match.
    #[must_use]
    pub fn words(&self) -> String {
        let names: Vec<_> = self.events.iter().map(ToString::to_string).collect();
        let scope = Scope { phone: self.phone.clone(), call: self.call.clone() };
        let mut words = format!("{}{}", names.join(" or "), scope_words(&scope));
        if !self.conditions.is_empty() {
            let conditions: Vec<_> = self.conditions.iter().map(ToString::to_string).collect();
            words.push_str(&format!(" with {}", conditions.join(", ")));
        }
        words
    }
}
