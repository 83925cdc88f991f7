//! Headers that a user adds to an INVITE: any but those that the phone writes itself, and nothing
//! that would become two headers.

use std::collections::BTreeMap;

use offhook_sip::message::HeaderName;

use crate::command::{Refused, Rejection};

/// Total bytes of all of them: leaves room for the rest of the message in a datagram.
const MOST: usize = 8 * 1024;

/// Checks the headers and gives them the stack's names.
///
/// # Errors
/// A header the phone writes itself, text that is not a header, or too many.
pub(super) fn extra_headers(given: BTreeMap<String, String>) -> Result<Vec<(HeaderName, String)>, Rejection> {
    let size: usize = given.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if size > MOST {
        return Err(Refused::TooLong { what: "headers", size, most: MOST }.into());
    }
    given.into_iter().map(checked).collect()
}

fn checked((name, value): (String, String)) -> Result<(HeaderName, String), Rejection> {
    // RFC 3261 §25.1: a name is a token; a line break in a value would begin another header.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Refused::NotAHeader { name, why: "its name is not a token" }.into());
    }
    if value.chars().any(|character| character.is_control() && character != '\t') {
        return Err(Refused::NotAHeader { name, why: "its value holds a control character" }.into());
    }
    let known = HeaderName::from(name.as_str());
    let ours = matches!(
        known,
        HeaderName::Via
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::Contact
            | HeaderName::MaxForwards
            | HeaderName::ContentLength
            | HeaderName::ContentType
            | HeaderName::RecordRoute
    );
    if ours { Err(Refused::HeaderIsOurs(name).into()) } else { Ok((known, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> Option<Refused> {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        extra_headers(given).err().map(|rejection| rejection.what)
    }

    #[test]
    fn what_the_phone_writes_itself_cannot_be_given() {
        for name in [
            "Via",
            "From",
            "to",
            "CALL-ID",
            "CSeq",
            "Contact",
            "Content-Length",
            "Content-Type",
            "Max-Forwards",
            "Record-Route",
            "v",
            "f",
            "t",
            "i",
            "m",
            "l",
            "c",
        ] {
            assert_eq!(refused(name, "1"), Some(Refused::HeaderIsOurs(name.to_owned())));
        }
        for name in ["X-Test", "P-Asserted-Identity", "Route", "Diversion", "Require", "Alert-Info"] {
            assert_eq!(refused(name, "sip:x@y"), None, "{name}");
        }
    }

    #[test]
    fn nothing_is_smuggled_in_behind_a_header() {
        assert!(matches!(refused("X-Test", "a\r\nEvil: 1"), Some(Refused::NotAHeader { .. })));
        assert!(matches!(refused("X-Test\r\nEvil", "1"), Some(Refused::NotAHeader { .. })));
        assert!(matches!(refused("", "1"), Some(Refused::NotAHeader { .. })));
        assert!(matches!(refused("X-Test", &"x".repeat(9000)), Some(Refused::TooLong { .. })));
    }
}
