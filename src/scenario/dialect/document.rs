//! Reading a whole document: its keys, phones, hooks, lists and ending conditions.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        diagnostic::{Level, Rule, nearest},
        model::{
            EventMatcher, Hook, PhoneDeclaration, PhoneSettings, Provision, RegistrationMode, Scenario, Step,
        },
        node::{Content, Entry, Node},
    },
    Known, action,
    compat::invalid_phone,
    expect,
    fields::{Fields, Lower},
    library, scalar,
};
use crate::{
    event::{Transport, Verdict},
    id::PhoneId,
};

/// Timeout of a run that does not give one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Keys that only the native form has.
const NATIVE_KEYS: &[&str] =
    &["steps", "timeout", "tags", "vars", "never", "expect_verdict", "expect_failure", "skip"];

/// Keys of documents of the older form, in which unknown keys are tolerated.
const OLDER_KEYS: &[&str] = &["hooks", "initial_actions", "stop_on", "patterns", "timeout_ms"];

/// Returns whether a document is of the older form; the same for every surface.
fn is_of_the_older_form(entries: &[Entry]) -> bool {
    let older = |entry: &Entry| OLDER_KEYS.contains(&entry.key.as_str());
    let native = |entry: &Entry| {
        let slip = || nearest(&entry.key, NATIVE_KEYS.iter().copied()).is_some() && !older(entry);
        (entry.key == "phones" && matches!(entry.value.content, Content::Map(_)))
            || NATIVE_KEYS.contains(&entry.key.as_str())
            || slip()
    };
    entries.iter().any(older) && !entries.iter().any(native)
}

/// Reads a document; the result can be run if no finding is an error.
pub(super) fn scenario(lower: &mut Lower, root: &Node, known: &Known) -> Option<Scenario> {
    let mut fields = Fields::open(lower, root, "the scenario")?;
    let Content::Map(entries) = &root.content else { return None };
    lower.lenient = is_of_the_older_form(entries);
    collect_names(lower, root, known);

    let mut scenario = Scenario {
        name: fields.read(lower, &["name"], scalar::text).unwrap_or_else(|| "<anonymous>".to_owned()),
        description: fields.read(lower, &["description"], scalar::text).unwrap_or_default(),
        tags: fields.read(lower, &["tags"], scalar::texts).unwrap_or_default(),
        skip: fields.read(lower, &["skip"], scalar::text),
        vars: fields.read(lower, &["vars"], vars).unwrap_or_default(),
        phones: fields.read(lower, &["phones"], phones).unwrap_or_default(),
        timeout: fields.read(lower, &["timeout", "timeout_ms"], scalar::duration).unwrap_or(DEFAULT_TIMEOUT),
        expect_verdict: fields
            .read(lower, &["expect_verdict"], |lower, node| scalar::word(lower, node, VERDICTS)),
        expect_failure: fields.read(lower, &["expect_failure"], scalar::text),
        lenient: lower.lenient,
        ..Scenario::default()
    };
    if let Some(entry) = fields.take(&["patterns"]) {
        lower.under("patterns", |lower| library::expand(lower, &entry.value, &mut scenario));
    }
    if let Some(entry) = fields.take(&["hooks"]) {
        let hooks = lower.under("hooks", |lower| hooks(lower, &entry.value));
        scenario.hooks.extend(hooks);
    }
    for (index, hook) in scenario.hooks.iter_mut().enumerate() {
        if hook.name.is_empty() {
            hook.name = format!("hook-{}", index + 1);
        }
    }
    if scenario.expect_failure.is_some() {
        scenario.expect_verdict.get_or_insert(Verdict::Failed);
    }
    let from_patterns = std::mem::take(&mut scenario.initial_actions);
    scenario.initial_actions = fields.read(lower, &["initial_actions"], steps).unwrap_or_default();
    scenario.initial_actions.extend(from_patterns);
    scenario.steps = fields.read(lower, &["steps"], steps).unwrap_or_default();
    scenario.stop_on = fields.read(lower, &["stop_on"], stop_on).unwrap_or_default();
    scenario.never = fields
        .read(lower, &["never"], |lower, node| {
            Some(lower.each(node, |lower, item| expect::clause(lower, item, node.at)))
        })
        .unwrap_or_default();
    fields.finish(lower);
    Some(scenario)
}

const VERDICTS: &[(Verdict, &str)] = &[
    (Verdict::Passed, "passed"),
    (Verdict::Failed, "failed"),
    (Verdict::Blocked, "blocked"),
    (Verdict::Skipped, "skipped"),
];

/// Collects all names that references may use, before anything else is read.
fn collect_names(lower: &mut Lower, root: &Node, known: &Known) {
    lower.numbers.clone_from(&known.numbers);
    lower.open = known.open;
    let Content::Map(entries) = &root.content else { return };
    for Entry { key, value, .. } in entries {
        match (key.as_str(), &value.content) {
            ("phones", Content::List(items)) => lower.phones.extend(items.iter().filter_map(Node::scalar)),
            ("phones", Content::Map(phones)) => {
                lower.phones.extend(phones.iter().map(|phone| phone.key.clone()));
            }
            ("vars", Content::Map(vars)) => lower.vars.extend(vars.iter().map(|var| var.key.clone())),
            _ => {}
        }
    }
    walk(root, &mut |key, value| match key {
        "as" => lower.captures.extend(value.scalar()),
        "checkpoint" | "label" => lower.checkpoints.extend(value.scalar()),
        _ => {}
    });
}

fn walk(node: &Node, see: &mut dyn FnMut(&str, &Node)) {
    match &node.content {
        Content::List(items) => items.iter().for_each(|item| walk(item, see)),
        Content::Map(entries) => {
            for entry in entries {
                see(&entry.key, &entry.value);
                walk(&entry.value, see);
            }
        }
        Content::Null | Content::Bool(_) | Content::Number { .. } | Content::Text(_) => {}
    }
}

fn vars(lower: &mut Lower, node: &Node) -> Option<BTreeMap<String, String>> {
    let Content::Map(entries) = &node.content else {
        let text = format!("'vars' must map names to values, not {}", node.describe());
        lower.error(Rule::WrongType, node.at, text);
        return None;
    };
    let read = entries.iter().filter_map(|entry| {
        let value = lower.under(&entry.key, |lower| scalar::text(lower, &entry.value))?;
        Some((entry.key.clone(), value))
    });
    Some(read.collect())
}

fn phones(lower: &mut Lower, node: &Node) -> Option<Vec<PhoneDeclaration>> {
    let mut phones: Vec<PhoneDeclaration> = match &node.content {
        Content::Map(entries) => entries
            .iter()
            .filter_map(|entry| lower.under(&entry.key, |lower| created(lower, entry)))
            .collect(),
        Content::Null | Content::Bool(_) | Content::Number { .. } | Content::Text(_) | Content::List(_) => {
            lower.each(node, |lower, item| {
                let id = scalar::phone_name(lower, item)?;
                // In the older form this is the only way to name phones.
                if !lower.lenient {
                    let text = format!(
                        "phone '{id}' must exist already, but for `offhook run`; a mapping makes it everywhere"
                    );
                    lower.find(Level::Warning, Rule::OutsideState, item.at, text, None);
                }
                Some(PhoneDeclaration { id, at: item.at, provision: Provision::Existing })
            })
        }
    };
    let mut seen = std::collections::BTreeSet::new();
    phones.retain(|phone| {
        let first = seen.insert(phone.id.clone());
        if !first {
            let text = format!("phone '{}' is declared twice", phone.id);
            lower.strict(Rule::Duplicate, phone.at, text, None);
        }
        first
    });
    Some(phones)
}

fn created(lower: &mut Lower, entry: &Entry) -> Option<PhoneDeclaration> {
    let id = match PhoneId::plain(&entry.key) {
        Ok(id) => id,
        Err(error) => {
            lower.error(Rule::BadValue, entry.key_at, invalid_phone(&error));
            return None;
        }
    };
    let settings = match entry.value.content {
        Content::Null => PhoneSettings::default(),
        Content::Bool(_) | Content::Number { .. } | Content::Text(_) | Content::List(_) | Content::Map(_) => {
            settings(lower, &entry.value, &entry.key)?
        }
    };
    Some(PhoneDeclaration { id, at: entry.key_at, provision: Provision::Created(Box::new(settings)) })
}

fn settings(lower: &mut Lower, node: &Node, name: &str) -> Option<PhoneSettings> {
    const MODES: &[(RegistrationMode, &str)] = &[
        (RegistrationMode::Wait, "wait"),
        (RegistrationMode::Start, "start"),
        (RegistrationMode::None, "none"),
    ];
    let transports = Transport::BUILT.map(|transport| (transport, transport.name()));
    let mut fields = Fields::open(lower, node, &format!("phone '{name}'"))?;
    let register = fields.read(lower, &["register"], scalar::boolean).unwrap_or(true);
    let registration = fields.read(lower, &["registration"], |lower, node| scalar::word(lower, node, MODES));
    let fallback = if register { RegistrationMode::Wait } else { RegistrationMode::None };
    let settings = PhoneSettings {
        account: fields.read(lower, &["account"], scalar::text),
        username: fields.read(lower, &["username"], scalar::text),
        password: fields.read(lower, &["password"], scalar::secret),
        domain: fields.read(lower, &["domain"], scalar::text),
        transport: fields.read(lower, &["transport"], |lower, node| scalar::word(lower, node, &transports)),
        auto_answer: fields.read(lower, &["auto_answer"], scalar::boolean).unwrap_or(false),
        codecs: fields.read(lower, &["codecs"], scalar::texts),
        capture: fields.read(lower, &["capture", "capture_enabled"], scalar::boolean).unwrap_or(false),
        recording: fields.read(lower, &["recording", "recording_enabled"], scalar::boolean).unwrap_or(false),
        registration: registration.unwrap_or(fallback),
    };
    fields.finish(lower);
    Some(settings)
}

pub(super) fn hooks(lower: &mut Lower, node: &Node) -> Vec<Hook> {
    if !lower.list_only(node, "'hooks'") {
        return Vec::new();
    }
    lower.each(node, |lower, item| {
        let mut fields = Fields::open(lower, item, "the hook")?;
        let name = fields.read(lower, &["name"], scalar::text).unwrap_or_default();
        let capture = fields.read(lower, &["as"], scalar::capture);
        let events = fields.require(lower, &["when"], action::event_patterns);
        let when = expect::matcher(lower, &mut fields, events.unwrap_or_default());
        let once = fields.read(lower, &["once"], scalar::boolean).unwrap_or(true);
        let then = fields.read(lower, &["then"], steps).unwrap_or_default();
        fields.finish(lower);
        let empty = when.events.is_empty();
        let hook = Hook { name, at: item.at, when, capture, once, then, pattern: None };
        (!empty).then_some(hook)
    })
}

/// Reads a list of steps.
pub(super) fn steps(lower: &mut Lower, node: &Node) -> Option<Vec<Step>> {
    if !lower.list_only(node, "the list of actions") {
        return None;
    }
    Some(lower.each(node, action::step))
}

fn stop_on(lower: &mut Lower, node: &Node) -> Option<Vec<EventMatcher>> {
    Some(lower.each(node, |lower, item| {
        if matches!(item.content, Content::Text(_)) {
            let events = action::event_patterns(lower, item)?;
            return (!events.is_empty()).then(|| EventMatcher { events, ..EventMatcher::default() });
        }
        let mut fields = Fields::open(lower, item, "the entry of 'stop_on'")?;
        let Some(entry) = fields.take(&["event"]) else {
            let text = "an entry of 'stop_on' without 'event' is ignored";
            lower.find(Level::Warning, Rule::MissingKey, item.at, text, None);
            return None;
        };
        let events = lower.under("event", |lower| action::event_patterns(lower, &entry.value))?;
        let matcher = expect::matcher(lower, &mut fields, events);
        fields.finish(lower);
        (!matcher.events.is_empty()).then_some(matcher)
    }))
}
