//! A digit in the body of an INFO: `application/dtmf-relay` (`Signal=5`, `Duration=160`) and `application/dtmf` (`5`), older than
//! RFC 6086 and standardized nowhere. Digits are written as themselves or by their event numbers (RFC 4733 §3.2).

use crate::message::Message;

/// A digit that came by INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoDigit {
    /// One of `0` to `9`, `*`, `#` and `A` to `D`.
    pub digit: char,
    /// How long its key was down, in milliseconds, if that is said.
    pub duration_ms: Option<u64>,
}

impl InfoDigit {
    /// Reads the digit of an INFO; `None` where it has none, or is of another type.
    pub fn of(info: &Message) -> Option<Self> {
        let kind = info.content_type().ok().flatten()?;
        let text = std::str::from_utf8(info.body()).ok()?;
        if kind.is("application", "dtmf") {
            return Some(Self { digit: key(text.trim())?, duration_ms: None });
        }
        if !kind.is("application", "dtmf-relay") {
            return None;
        }
        let duration_ms = field(text, "duration").and_then(|value| value.parse().ok());
        Some(Self { digit: key(field(text, "signal")?)?, duration_ms })
    }
}

/// Finds the value of a `name=value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    let (_, value) = lines.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

fn key(text: &str) -> Option<char> {
    let digit = match text {
        "10" => '*',
        "11" => '#',
        "12" => 'A',
        "13" => 'B',
        "14" => 'C',
        "15" => 'D',
        _ => {
            let mut letters = text.chars();
            letters.next().filter(|_| letters.next().is_none())?.to_ascii_uppercase()
        }
    };
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Builder, Method, Uri};

    fn read(kind: &str, body: &str) -> Option<(char, Option<u64>)> {
        let uri = Uri::parse("sip:a@192.0.2.1").unwrap();
        let info = Builder::request(Method::Info, &uri).body(kind, body).build();
        InfoDigit::of(&info).map(|read| (read.digit, read.duration_ms))
    }

    #[test]
    fn digits_are_written_as_themselves_or_by_number() {
        let relay = "application/dtmf-relay";
        let all = ["0", "9", "*", "#", "a", "D", "10", "11", "12", "15"];
        let digits: String =
            all.iter().map(|text| read(relay, &format!("Signal={text}\r\n")).unwrap().0).collect();
        assert_eq!(digits, "09*#AD*#AD");
        assert_eq!(read("Application/DTMF-Relay;x=y", "duration = 90\nsignal = 5\n"), Some(('5', Some(90))));
        assert_eq!(read("application/dtmf", " 5\r\n"), Some(('5', None)));
        assert_eq!(read("application/dtmf", "11"), Some(('#', None)));
    }

    #[test]
    fn what_is_no_digit_is_none() {
        for body in ["", "Signal=\r\n", "Signal=16\r\n", "Signal=55\r\n", "Signal=x\r\n", "5"] {
            assert_eq!(read("application/dtmf-relay", body), None, "{body}");
        }
        for kind in ["text/plain", "application/x-light-level", "text/dtmf", "x/dtmf-relay"] {
            assert_eq!(read(kind, "5"), None, "{kind}");
        }
    }
}
