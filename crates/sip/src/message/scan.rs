//! Lexical pieces of the SIP grammar that every header shares.
//!
//! RFC 3261 §25.1: token, quoted-string, LWS, comma lists. All of it works on any bytes and never fails;
//! what is wrong is noticed by the typed layer.

use std::borrow::Cow;

/// For every byte, whether it may stand in a token.
const TOKEN: [bool; 256] = token_table();

/// For every byte, whether no URI may contain it: white space, controls, angle brackets and the
/// quote.
const NEVER_IN_URI: [bool; 256] = never_in_uri_table();

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a wrong index stops the build")]
const fn never_in_uri_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte <= b' ' as usize || byte == 0x7f || matches!(byte as u8, b'<' | b'>' | b'"');
        byte += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a wrong index stops the build")]
const fn token_table() -> [bool; 256] {
    let marks = b"-.!%*_+`'~";
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut nth = 0;
    while nth < marks.len() {
        table[marks[nth] as usize] = true;
        nth += 1;
    }
    table
}

/// Returns whether `byte` may stand in a token.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Returns whether no URI may contain `byte`.
pub(crate) fn is_never_in_uri(byte: u8) -> bool {
    NEVER_IN_URI.get(usize::from(byte)).copied().unwrap_or(true)
}

/// Returns whether all of `bytes` may stand in a token.
pub(crate) fn all_token(bytes: &[u8]) -> bool {
    bytes.iter().copied().all(is_token_byte)
}

/// Returns whether `text` is a non-empty token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && all_token(text.as_bytes())
}

/// Returns whether `byte` is white space as LWS may contain it once lines are joined.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Removes white space at both ends.
pub(crate) fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let start = bytes.iter().take_while(|byte| is_space(**byte)).count();
    let end = bytes.len() - bytes.iter().rev().take_while(|byte| is_space(**byte)).count();
    text.get(start..end).unwrap_or("")
}

/// Finds an ASCII byte.
pub(crate) fn find(text: &str, wanted: u8) -> Option<usize> {
    find_byte(text.as_bytes(), wanted)
}

/// Splits `text` at the first `separator`, an ASCII byte, which is left out.
pub(crate) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    find(text, separator).map(|at| split_at_byte(text, at))
}

/// Removes white space at both ends.
pub(crate) fn trim_bytes(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !is_space(*first) {
            break;
        }
        bytes = rest;
    }
    while let [rest @ .., last] = bytes {
        if !is_space(*last) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Splits `text` at its first white space.
pub(crate) fn split_at_space(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(is_space)?;
    Some(split_at_byte(text, at))
}

/// Finds an ASCII byte outside quoted strings (and outside `<…>` if `angles`).
pub(crate) fn find_outside(text: &str, angles: bool, wanted: u8) -> Option<usize> {
    // Nearly always nothing before it is quoted, so the first one is the right one.
    let first = find(text, wanted)?;
    let before = text.get(..first).unwrap_or("");
    if find(before, b'"').is_none() && !(angles && find(before, b'<').is_some()) {
        return Some(first);
    }
    find_outside_by(text, angles, |byte| byte == wanted)
}

/// Finds the first byte that `wanted` accepts outside quoted strings (and outside `<…>` if `angles`).
pub(crate) fn find_outside_by(text: &str, angles: bool, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    let mut inside = false;
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                quoted = false;
            }
            continue;
        }
        if inside {
            inside = byte != b'>';
            continue;
        }
        if wanted(byte) {
            return Some(at);
        }
        quoted = byte == b'"';
        inside = angles && byte == b'<';
    }
    None
}

/// Splits `text` at `at`, leaving the byte there out.
pub(crate) fn split_at_byte(text: &str, at: usize) -> (&str, &str) {
    (text.get(..at).unwrap_or(text), text.get(at + 1..).unwrap_or(""))
}

/// Walks the members of a list, separated by `separator` outside quotes and angle brackets.
///
/// Members are trimmed; empty ones are yielded, so that the caller can notice them.
pub(crate) struct Members<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let separator = self.separator;
        if let Some(at) = find_outside(text, true, separator) {
            let (member, rest) = split_at_byte(text, at);
            self.rest = Some(rest);
            return Some(trim(member));
        }
        self.rest = None;
        Some(trim(text))
    }
}

/// Returns the members of a comma list.
pub(crate) fn commas(text: &str) -> Members<'_> {
    Members { rest: Some(text), separator: b',' }
}

/// Returns the members of a semicolon list.
pub(crate) fn semicolons(text: &str) -> Members<'_> {
    Members { rest: Some(text), separator: b';' }
}

/// Returns whether every quote and angle bracket outside quotes is closed.
pub(crate) fn is_balanced(text: &str) -> bool {
    if find(text, b'"').is_none() && find(text, b'<').is_none() {
        return true;
    }
    let mut quoted = false;
    let mut escaped = false;
    let mut inside = false;
    for byte in text.bytes() {
        if quoted {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                quoted = false;
            }
        } else if inside {
            inside = byte != b'>';
        } else {
            quoted = byte == b'"';
            inside = byte == b'<';
        }
    }
    !quoted && !inside
}

/// Removes the quotes and escapes of a quoted string; other text is returned as it is.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"') else { return Cow::Borrowed(text) };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for letter in inner.chars() {
        if letter == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(letter);
            escaped = false;
        }
    }
    Cow::Owned(plain)
}

/// Writes `text` as a quoted string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// Joins folded lines: every line break with the white space around it becomes one space.
pub(crate) fn unfold(bytes: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if !matches!(byte, b'\r' | b'\n') {
            joined.push(*byte);
            continue;
        }
        while let Some(b' ' | b'\t') = joined.last() {
            joined.pop();
        }
        while let [b' ' | b'\t' | b'\r' | b'\n', tail @ ..] = rest {
            rest = tail;
        }
        joined.push(b' ');
    }
    joined
}

/// Reads a decimal number; `None` if `text` is not digits or does not fit.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Finds `needle`.
pub(crate) fn find_byte(haystack: &[u8], needle: u8) -> Option<usize> {
    memchr::memchr(needle, haystack)
}

/// Returns whether any byte is neither printable ASCII nor part of a line break; tabs count as odd.
pub(crate) fn has_odd_byte_but_line_breaks(text: &[u8]) -> bool {
    let odd = |byte: u8| !(0x20..0x7f).contains(&byte) && byte != b'\r' && byte != b'\n';
    text.iter().fold(false, |found, byte| found | odd(*byte))
}

/// Returns whether any byte is not printable ASCII; tabs count as odd.
pub(crate) fn has_odd_byte(text: &[u8]) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte below 0x20 borrows, one above 0x7e carries into its top bit; a neighbor may be flagged with it.
    let odd = |word: u64| (word.wrapping_sub(0x20 * LOW) | word | word.wrapping_add(LOW)) & HIGH;
    let (words, tail) = text.as_chunks::<8>();
    let whole = words.iter().fold(0, |found, word| found | odd(u64::from_le_bytes(*word)));
    whole != 0 || tail.iter().any(|byte| !(0x20..0x7f).contains(byte))
}
