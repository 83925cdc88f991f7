//! Single values: durations, numbers, names, SIP addresses, templates.

use std::time::Duration;

use super::{
    super::{
        diagnostic::{Level, Rule, nearest},
        model::CallRef,
        node::{Content, Node},
        vars::Template,
    },
    compat::invalid_phone,
    fields::Lower,
};
use crate::{
    event::{Comparison, NotAComparison},
    id::{CallId, PhoneId},
    secret::Secret,
};

fn wrong(lower: &mut Lower, node: &Node, wanted: &str) {
    lower.error(Rule::WrongType, node.at, format!("expected {wanted}, not {}", node.describe()));
}

/// Reads text; a number or boolean counts as its spelling.
pub(super) fn text(lower: &mut Lower, node: &Node) -> Option<String> {
    let text = node.scalar();
    if text.is_none() {
        wrong(lower, node, "text");
    }
    text
}

/// Reads a secret text; a value of another type is not shown either.
pub(super) fn secret(lower: &mut Lower, node: &Node) -> Option<Secret<String>> {
    let text = node.scalar();
    if text.is_none() {
        lower.error(
            Rule::WrongType,
            node.at,
            "expected text, not something else, which is not shown".to_owned(),
        );
    }
    text.map(Secret::new)
}

/// Reads `true` or `false`; the YAML 1.1 words count too.
pub(super) fn boolean(lower: &mut Lower, node: &Node) -> Option<bool> {
    let word = node.scalar().map(|text| text.to_ascii_lowercase());
    match word.as_deref() {
        Some("true" | "yes" | "on") => Some(true),
        Some("false" | "no" | "off") => Some(false),
        Some(_) | None => {
            wrong(lower, node, "true or false");
            None
        }
    }
}

/// Reads a finite number.
pub(super) fn number(lower: &mut Lower, node: &Node) -> Option<f64> {
    let number = node.scalar().and_then(|text| text.trim().parse::<f64>().ok()).filter(|n| n.is_finite());
    if number.is_none() {
        wrong(lower, node, "a number");
    }
    number
}

/// Reads a duration: `500ms`, `2s`, `1.5s`, `1m`. A number without a unit is in milliseconds in the
/// older form and under a key that says so. Elsewhere it is refused: whoever writes `within: 5` may
/// mean something else, and would never notice.
pub(super) fn duration(lower: &mut Lower, node: &Node) -> Option<Duration> {
    let written = node.scalar();
    let duration = written.as_deref().and_then(parse_duration);
    if let (Some(written), Some(_)) = (&written, duration)
        && has_no_unit(written)
        && !lower.lenient
        && !lower.counts_milliseconds()
    {
        let written = written.trim();
        let text = format!("{written} what? write {written}s or {written}ms");
        lower.error(Rule::BadDuration, node.at, text);
        // Take it as what was most likely meant, so that it causes no other finding.
        return parse_duration(&format!("{written}s"));
    } else if duration.is_none() {
        let text = format!("{} is not a duration; write 500ms, 2s or 1m", node.describe());
        lower.error(Rule::BadDuration, node.at, text);
    }
    duration
}

/// Returns whether a duration is a bare number.
#[must_use]
pub fn has_no_unit(text: &str) -> bool {
    text.trim().chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Parses a duration; a bare number is in milliseconds.
///
/// Limited to a year, so that adding it to an instant cannot overflow.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, unit) = text.split_at_checked(digits)?;
    let amount: f64 = amount.parse().ok()?;
    let factor = match unit.trim() {
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    let milliseconds = amount * factor;
    let year = 365.0 * 24.0 * 3_600_000.0;
    (milliseconds <= year).then(|| Duration::from_secs_f64(milliseconds / 1_000.0))
}

/// Reads a SIP status within a range.
pub(super) fn status(lower: &mut Lower, node: &Node, range: std::ops::RangeInclusive<u16>) -> Option<u16> {
    let status = node.scalar().and_then(|text| text.trim().parse::<u16>().ok());
    match status {
        Some(status) if range.contains(&status) => Some(status),
        Some(_) | None => {
            let text =
                format!("{} is not a SIP status from {} to {}", node.describe(), range.start(), range.end());
            lower.error(Rule::BadValue, node.at, text);
            None
        }
    }
}

/// Reads a phone's name and checks that it is declared.
pub(super) fn phone(lower: &mut Lower, node: &Node) -> Option<PhoneId> {
    let id = phone_name(lower, node)?;
    if !lower.phones.is_empty() && !lower.phones.iter().any(|phone| phone == id.as_str()) {
        let text = format!("phone '{id}' is not among the scenario's phones ({})", lower.phones.join(", "));
        let suggestion = nearest(id.as_str(), lower.phones.iter().map(String::as_str));
        lower.strict(Rule::UndefinedPhone, node.at, text, suggestion);
    }
    Some(id)
}

/// Reads a phone's name, checking only that it is valid.
pub(super) fn phone_name(lower: &mut Lower, node: &Node) -> Option<PhoneId> {
    let name = text(lower, node)?;
    match PhoneId::plain(&name) {
        Ok(id) => Some(id),
        Err(error) => {
            let suggestion = nearest(&name, lower.phones.iter().map(String::as_str));
            lower.find(Level::Error, Rule::BadValue, node.at, invalid_phone(&error), suggestion);
            None
        }
    }
}

/// Reads a call: `$name`, `call-7` or a number.
pub(super) fn call(lower: &mut Lower, node: &Node) -> Option<CallRef> {
    let written = text(lower, node)?;
    let name = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if let Some(name) = name.or_else(|| written.strip_prefix('$')) {
        if !lower.captures.iter().any(|known| known == name) {
            let text = format!("no step keeps a call as '{name}'");
            let suggestion = nearest(name, lower.captures.iter().map(String::as_str));
            let suggestion = suggestion.map(|name| format!("${name}"));
            lower.find(Level::Error, Rule::UndefinedCall, node.at, text, suggestion);
        }
        return Some(CallRef::Captured(name.to_owned()));
    }
    if let Ok(id) = written.parse::<CallId>() {
        if !lower.lenient {
            let text = format!("which call {id} is depends on all that went before; keep the call with `as`");
            lower.find(Level::Warning, Rule::OutsideState, node.at, text, None);
        }
        return Some(CallRef::Id(id));
    }
    let known = lower.captures.contains(&written);
    let suggestion = known.then(|| format!("${written}"));
    let text = format!("'{written}' is not a call; write $name, call-7 or 7");
    lower.find(Level::Error, Rule::UndefinedCall, node.at, text, suggestion);
    None
}

/// Reads the name under which a call is captured.
pub(super) fn capture(lower: &mut Lower, node: &Node) -> Option<String> {
    let name = text(lower, node)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(legal) {
        let text = format!("'{name}' is not a name; use letters, digits, '_' and '-'");
        let suggestion = name.strip_prefix('$').map(str::to_owned);
        lower.find(Level::Error, Rule::BadValue, node.at, text, suggestion);
        return None;
    }
    Some(name)
}

/// Reads text with placeholders and checks their names.
pub(super) fn template(lower: &mut Lower, node: &Node) -> Option<Template> {
    let template = Template::new(text(lower, node)?);
    check_names(lower, node, &template);
    Some(template)
}

fn check_names(lower: &mut Lower, node: &Node, template: &Template) {
    for name in template.names() {
        let base = name.split('.').next().unwrap_or(name);
        let phone_part = name.split_once('.').map(|(_, part)| part);
        let known = lower.phones.iter().any(|phone| phone == base)
            && matches!(phone_part, None | Some("username" | "domain" | "uri"));
        let known = known
            || lower.captures.iter().chain(&lower.vars).chain(&lower.numbers).any(|known| known == name);
        if known {
            continue;
        }
        let all = lower.phones.iter().chain(&lower.vars).chain(&lower.captures).chain(&lower.numbers);
        let suggestion = nearest(name, all.clone().map(String::as_str));
        if lower.open && suggestion.is_none() && !name.contains('.') {
            let text = format!(
                "'${{{name}}}' must be a number of the PBX profile; `check --against PROFILE` looks there"
            );
            lower.find(Level::Warning, Rule::UndefinedName, node.at, text, None);
            continue;
        }
        let names = all.cloned().collect::<Vec<_>>().join(", ");
        let text = format!("nothing is known as '${{{name}}}'; known are {names}");
        lower.find(Level::Error, Rule::UndefinedName, node.at, text, suggestion.map(|s| format!("${{{s}}}")));
    }
}

/// Reads whom to call: a SIP URI, an extension, or a template for one.
pub(super) fn target(lower: &mut Lower, node: &Node) -> Option<Template> {
    let template = template(lower, node)?;
    if template.is_literal()
        && let Some(problem) = uri_problem(template.as_str())
    {
        let text = format!("'{}' is neither a SIP URI nor an extension: {problem}", template.as_str());
        lower.error(Rule::BadUri, node.at, text);
    }
    let bare = template.as_str().trim_start_matches('$');
    if template.is_literal() && lower.phones.iter().any(|phone| phone == bare) {
        let text = format!("'{}' is dialed as it stands, not the phone of this name", template.as_str());
        lower.find(Level::Warning, Rule::BadUri, node.at, text, Some(format!("${{{bare}}}")));
    }
    Some(template)
}

/// Returns what is wrong with a target, without being a SIP parser.
fn uri_problem(text: &str) -> Option<&'static str> {
    let inner = text.trim();
    let inner = inner.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(inner);
    if inner.is_empty() {
        return Some("it is empty");
    }
    if inner.chars().any(|c| c.is_whitespace() || c.is_control() || c == '<' || c == '>') {
        return Some("it contains a blank or an angle bracket");
    }
    let rest = ["sip:", "sips:"].iter().find_map(|scheme| {
        inner.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).and(inner.get(scheme.len()..))
    });
    match rest {
        Some("") => Some("nothing follows the scheme"),
        Some(rest) => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            let host = host.split([';', '?']).next().unwrap_or(host);
            if host.is_empty() || host.starts_with(':') { Some("it has no host") } else { None }
        }
        None if inner.contains("://") => Some("the scheme is not sip: or sips:"),
        None if inner.contains('@') => Some("it needs sip: in front"),
        None => None,
    }
}

/// Reads digits to send or to wait for.
pub(super) fn digits(lower: &mut Lower, node: &Node) -> Option<Template> {
    let template = template(lower, node)?;
    let bad = template.as_str().chars().find(|c| !c.is_ascii_digit() && !"*#ABCDabcd".contains(*c));
    if template.is_literal() {
        if template.as_str().is_empty() {
            lower.error(Rule::BadValue, node.at, "there are no digits");
        }
        if let Some(bad) = bad {
            let text = format!("'{bad}' in '{}' is not one of 0-9 * # A-D", template.as_str());
            lower.error(Rule::BadValue, node.at, text);
        }
    }
    Some(template)
}

/// Reads `>= 40`, `40..60` or a plain number, which `plain` turns into a comparison.
pub(super) fn comparison(lower: &mut Lower, node: &Node, plain: fn(f64) -> Comparison) -> Option<Comparison> {
    let written = text(lower, node)?;
    match written.parse() {
        Ok(Comparison::Exactly(bound)) if !written.contains('=') => Some(plain(bound)),
        Ok(comparison) => Some(comparison),
        Err(error) => {
            let error: NotAComparison = error;
            lower.error(Rule::BadValue, node.at, format!("'{written}' is {error}"));
            None
        }
    }
}

/// Reads a list of texts, or a single one.
pub(super) fn texts(lower: &mut Lower, node: &Node) -> Option<Vec<String>> {
    match node.content {
        Content::Map(_) | Content::Null => {
            wrong(lower, node, "a list of texts");
            None
        }
        Content::Bool(_) | Content::Number { .. } | Content::Text(_) | Content::List(_) => {
            Some(lower.each(node, text))
        }
    }
}

/// Reads one of a fixed set of words.
pub(super) fn word<T: Copy>(lower: &mut Lower, node: &Node, words: &[(T, &str)]) -> Option<T> {
    let written = text(lower, node)?;
    let found = words.iter().find(|(_, word)| word.eq_ignore_ascii_case(&written));
    if found.is_none() {
        let legal = words.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ");
        let suggestion = nearest(&written, words.iter().map(|(_, word)| *word));
        let text = format!("'{written}' is not one of {legal}");
        lower.find(Level::Error, Rule::BadValue, node.at, text, suggestion);
    }
    found.map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_published() {
        for (text, milliseconds) in
            [("250", 250), ("500ms", 500), ("2s", 2_000), ("1.5s", 1_500), ("2 s", 2_000), ("1m", 60_000)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "s", "-1s", "2x", "1e9s", "99999999999999s", "1.2.3s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_target_is_an_extension_or_a_sip_uri() {
        for good in ["600", "alice", "sip:600@pbx", "SIPS:a@[::1]:5061;x=y", "<sip:a@b>", "*72", "sip:pbx"] {
            assert_eq!(uri_problem(good), None, "{good}");
        }
        for bad in ["", "sip:", "sip:a@", "a@b", "http://x", "sip:a b@c", "sip:@:5"] {
            assert!(uri_problem(bad).is_some(), "{bad}");
        }
    }
}
