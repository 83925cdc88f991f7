//! Removes the secrets from SIP messages before they are recorded.
//!
//! `***` replaces digest responses (RFC 7616 §3.4, §3.5), the credentials of any other scheme, and
//! media keys in session descriptions (RFC 4568 `inline:`, RFC 4567 `a=key-mgmt`, RFC 4566 `k=`).
//! Everything else stays byte for byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::event::{Event, RawMessage, SipEvent};

const STARS: &[u8] = b"***";

/// Headers whose values hold credentials, or proofs that somebody knows them.
const CREDENTIAL_HEADERS: &[&[u8]] =
    &[b"authorization", b"proxy-authorization", b"authentication-info", b"proxy-authentication-info"];

/// Returns the recorded form of a message: secrets removed, as text if it is text.
#[must_use]
pub fn redact(message: &[u8]) -> RawMessage {
    RawMessage::from(clean(message).as_slice())
}

/// Removes the secrets from an event that carries a SIP message.
pub(super) fn event(event: Event) -> Event {
    match event {
        Event::Sip(mut sip) => {
            match &mut sip {
                SipEvent::Sent { message, .. } | SipEvent::Received { message, .. } => recorded(message),
                SipEvent::Anomaly { .. }
                | SipEvent::Resolved { .. }
                | SipEvent::FailedOver { .. }
                | SipEvent::Refused { .. } => {}
            }
            Event::Sip(sip)
        }
        Event::Phone(_)
        | Event::Call(_)
        | Event::Media(_)
        | Event::Capture(_)
        | Event::Run(_)
        | Event::System(_) => event,
    }
}

fn recorded(message: &mut RawMessage) {
    let bytes = match message {
        RawMessage::Text(text) if !may_hold_secret(text.as_bytes()) => return,
        RawMessage::Text(text) => text.as_bytes().to_vec(),
        RawMessage::Base64(text) => match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => bytes,
            // Not base64 at all, so no message can be read from it.
            Err(_) => return,
        },
    };
    let cleaned = clean(&bytes);
    if cleaned != bytes {
        *message = redact(&cleaned);
    }
}

/// Returns whether a message needs a closer look. Every message passes here, so this must be fast.
///
/// Each keyword before a secret contains three consecutive letters that are rare elsewhere. The
/// loop has no early exit, so that the compiler can vectorize it.
fn may_hold_secret(message: &[u8]) -> bool {
    let (second, third) = (message.get(1..).unwrap_or_default(), message.get(2..).unwrap_or_default());
    let found = message.iter().zip(second).zip(third).fold(false, |found, ((one, two), three)| {
        let (one, two, three) = (one | 0x20, two | 0x20, three | 0x20);
        let is = |letters: &[u8; 3]| (one == letters[0]) & (two == letters[1]) & (three == letters[2]);
        // response (its "spo" also occurs in "transport"), inline:, key-mgmt, and rspauth,
        // authorization, authentication-info.
        let words = is(b"pon") | is(b"nli") | is(b"y-m") | is(b"uth");
        found | words | ((one == b'k') & (two == b'='))
    });
    found || message.ends_with(b"k=")
}

/// Copies `message` without its secrets.
fn clean(message: &[u8]) -> Vec<u8> {
    if !may_hold_secret(message) {
        return message.to_vec();
    }
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(logical_line(rest));
        rest = after;
        clean_line(line, &mut out);
    }
    out
}

/// Returns the length of the first line with its folded continuations and line ends (RFC 3261 §7.3.1).
fn logical_line(text: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let remaining = text.get(end..).unwrap_or_default();
        let Some(stop) = remaining.iter().position(|&b| b == b'\n' || b == b'\r') else { return text.len() };
        let crlf = remaining.get(stop..).is_some_and(|at| at.starts_with(b"\r\n"));
        end += stop + if crlf { 2 } else { 1 };
        match text.get(end) {
            // An empty line ends the headers; blanks after it belong to the body.
            Some(b' ' | b'\t') if stop > 0 => {}
            Some(_) | None => return end,
        }
    }
}

fn clean_line(line: &[u8], out: &mut Vec<u8>) {
    let name = line.iter().position(|&b| b == b':').map(|colon| line.split_at(colon + 1));
    if let Some((name, value)) = name {
        let bare = name.strip_suffix(b":").unwrap_or(name).trim_ascii();
        if CREDENTIAL_HEADERS.iter().any(|header| bare.eq_ignore_ascii_case(header)) {
            out.extend_from_slice(name);
            return clean_credentials(value, bare.len() > "authorization".len() && ends_with_info(bare), out);
        }
    }
    if let Some(kept) = key_line(line) {
        return star_rest(line, kept, out);
    }
    if starts_with(line, b"a=crypto") {
        return clean_crypto(line, out);
    }
    clean_parameters(line, Where::Elsewhere, out);
}

fn ends_with_info(name: &[u8]) -> bool {
    name.len() >= 5 && name.get(name.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case(b"-info"))
}

/// Returns how much may stay of a line that consists of nothing but a key.
fn key_line(line: &[u8]) -> Option<usize> {
    let separator =
        |separators: &[u8]| line.iter().skip(2).position(|b| separators.contains(b)).map(|at| at + 3);
    if starts_with(line, b"k=") {
        separator(b":")
    } else if starts_with(line, b"a=key-mgmt:") {
        let after_name = line.get(11..)?.iter().position(|b| *b == b' ').map(|at| at + 12);
        Some(after_name.unwrap_or(11))
    } else {
        None
    }
}

/// Where a parameter is found, which decides what counts as a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In a credentials header: any value.
    Credentials,
    /// Anywhere else: only what looks like a digest.
    Elsewhere,
}

fn clean_credentials(value: &[u8], is_info: bool, out: &mut Vec<u8>) {
    let start = value.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(value.len());
    let scheme_end =
        value.iter().skip(start).position(u8::is_ascii_whitespace).map_or(value.len(), |len| start + len);
    let scheme = value.get(start..scheme_end).unwrap_or_default();
    if is_info || scheme.eq_ignore_ascii_case(b"digest") || scheme.contains(&b'=') {
        clean_parameters(value, Where::Credentials, out);
    } else if scheme_end < value.trim_ascii_end().len() {
        // Basic, Bearer and the like: everything after the scheme is secret.
        star_rest(value, scheme_end + 1, out);
    } else {
        out.extend_from_slice(value);
    }
}

/// Keeps the first `kept` bytes and the line end, and replaces what is between with stars.
fn star_rest(line: &[u8], kept: usize, out: &mut Vec<u8>) {
    let (head, tail) = line.split_at(kept.min(line.len()));
    let body = tail.trim_ascii_end();
    out.extend_from_slice(head);
    if !body.is_empty() {
        out.extend_from_slice(STARS);
    }
    out.extend_from_slice(tail.get(body.len()..).unwrap_or_default());
}

/// Replaces the keys of `a=crypto:1 SUITE inline:KEY|2^31|1:4;inline:KEY` with stars, and keeps
/// lifetime and MKI.
fn clean_crypto(line: &[u8], out: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(at) = find(rest, b"inline:") {
        let (head, tail) = rest.split_at(at + b"inline:".len());
        out.extend_from_slice(head);
        let blank = tail.iter().take_while(|b| **b == b' ').count();
        let key = tail.iter().skip(blank).take_while(|b| !b" |;\r\n\t".contains(b)).count();
        if key > 0 {
            out.extend_from_slice(STARS);
        }
        rest = tail.get(blank + key..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Replaces the values of `response` and `rspauth` with stars.
fn clean_parameters(text: &[u8], place: Where, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((value_start, value_end)) = next_proof(rest, place) {
        let (head, tail) = rest.split_at(value_start);
        let (value, after) = tail.split_at(value_end - value_start);
        out.extend_from_slice(head);
        if value.starts_with(b"\"") {
            out.extend_from_slice(b"\"***");
            if value.len() > 1 && value.ends_with(b"\"") {
                out.push(b'"');
            }
        } else {
            out.extend_from_slice(STARS);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Finds the value of the next parameter that proves knowledge of a password.
fn next_proof(text: &[u8], place: Where) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let remaining = text.get(from..)?;
        let (at, name) = [&b"response"[..], b"rspauth"]
            .iter()
            .filter_map(|name| find(remaining, name).map(|at| (from + at, name.len())))
            .min()?;
        from = at + name;
        let own_word = at == 0 || text.get(at - 1).is_some_and(|&b| !is_token(b));
        let blank = |at: usize| at + text.iter().skip(at).take_while(|b| b.is_ascii_whitespace()).count();
        let equals = blank(from);
        if !own_word || text.get(equals) != Some(&b'=') {
            continue;
        }
        let start = blank(equals + 1);
        let end = start + value_length(text.get(start..).unwrap_or_default());
        let value = text.get(start..end).unwrap_or_default();
        if end > start && (place == Where::Credentials || is_digest(value)) {
            return Some((start, end));
        }
    }
}

/// Returns the length of a quoted string (to the end if it is never closed) or of a token.
fn value_length(text: &[u8]) -> usize {
    if text.first() != Some(&b'"') {
        return text.iter().take_while(|b| !b.is_ascii_whitespace() && !b",;\"".contains(b)).count();
    }
    let mut escaped = false;
    for (at, &b) in text.iter().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.trim_ascii_end().len()
}

fn is_digest(value: &[u8]) -> bool {
    let bare = value.strip_prefix(b"\"").unwrap_or(value);
    bare.iter().take_while(|b| b.is_ascii_hexdigit()).count() >= 32
}

const fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Finds `word`, which is in lower case, ignoring case.
fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let first = word.first()?;
    text.windows(word.len()).position(|at| {
        at.first().is_some_and(|b| b.to_ascii_lowercase() == *first) && at.eq_ignore_ascii_case(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_announces_a_secret_is_found_wherever_it_stands() {
        let words = ["response=", "rspauth=", "inline:", "a=key-mgmt:", "k=c"];
        let headers = CREDENTIAL_HEADERS.iter().map(|name| str::from_utf8(name).unwrap());
        for word in words.into_iter().chain(headers) {
            for before in 0..70 {
                for text in [word.to_owned(), word.to_ascii_uppercase()] {
                    let alone = format!("{}{text}", ".".repeat(before));
                    assert!(may_hold_secret(alone.as_bytes()), "{alone}");
                    assert!(may_hold_secret(format!("{alone}{}", ".".repeat(33)).as_bytes()), "{alone}");
                }
            }
        }
        assert!(!may_hold_secret(b"INVITE sip:a@b;transport=udp SIP/2.0\r\nSupported: replaces, 100rel\r\n"));
    }
}
