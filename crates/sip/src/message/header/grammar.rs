//! The strict grammar of headers, which the tolerant readers do not insist on.
//!
//! RFC 3261 §20, §25.1. Used only to report defects; nothing is refused because of these checks
//! alone.

use std::str::FromStr;

use super::{
    AuthParams, CSeq, ContentDisposition, Event, HeaderFault, HeaderName, MediaType, MinSe, NameAddr, RAck,
    Reason, Replaces, RetryAfter, SessionExpires, SubscriptionState, Timestamp, Via, bounded_number,
};
use crate::message::scan;

type Verdict = Result<(), HeaderFault>;

/// Checks the value of one header field; a name without known grammar is always fine.
#[expect(clippy::wildcard_enum_match_arm, reason = "every name not listed has no grammar worth checking")]
pub(crate) fn check(name: &HeaderName, value: &str) -> Verdict {
    use HeaderName as H;
    match name {
        H::From | H::To | H::ReferTo | H::ReferredBy | H::ReplyTo => address(value),
        H::Route | H::RecordRoute | H::Path | H::ServiceRoute | H::Diversion | H::HistoryInfo => {
            list(value, address)
        }
        H::PAssertedIdentity | H::PPreferredIdentity | H::RemotePartyId => list(value, address),
        H::Contact if value == "*" => Ok(()),
        H::Contact => list(value, contact),
        H::Via => list(value, via),
        H::CallId if value.is_empty() => Err(HeaderFault::Empty),
        H::CallId if value.bytes().any(scan::is_space) => Err(HeaderFault::Syntax),
        H::CSeq => reads::<CSeq>(value),
        H::MaxForwards => bounded_number::<u8>(value).map(drop),
        H::Expires | H::MinExpires | H::RSeq | H::ContentLength => bounded_number::<u32>(value).map(drop),
        H::ContentDisposition => reads::<ContentDisposition>(value),
        H::ContentType => reads::<MediaType>(value).and_then(|()| params_after_semicolon(value)),
        H::Date => date(value).ok_or(HeaderFault::Date),
        H::Warning => list(value, warning),
        H::Timestamp => reads::<Timestamp>(value),
        H::RetryAfter => reads::<RetryAfter>(value),
        H::SessionExpires => reads::<SessionExpires>(value),
        H::MinSe => reads::<MinSe>(value),
        H::RAck => reads::<RAck>(value),
        H::Event => reads::<Event>(value),
        H::SubscriptionState => reads::<SubscriptionState>(value),
        H::Replaces => reads::<Replaces>(value),
        H::Reason => list(value, reads::<Reason>),
        H::WwwAuthenticate | H::ProxyAuthenticate | H::Authorization | H::ProxyAuthorization => {
            AuthParams::parse_all(value).map(drop)
        }
        H::Require | H::ProxyRequire | H::Unsupported => list(value, token),
        H::Supported | H::Allow | H::AllowEvents if value.is_empty() => Ok(()),
        H::Supported | H::Allow | H::AllowEvents => list(value, token),
        _ => Ok(()),
    }
}

fn reads<T: FromStr<Err = HeaderFault>>(value: &str) -> Verdict {
    value.parse::<T>().map(drop)
}

fn list(value: &str, member: impl Fn(&str) -> Verdict) -> Verdict {
    if !scan::is_balanced(value) {
        return Err(HeaderFault::Unbalanced);
    }
    scan::commas(value)
        .try_for_each(|text| if text.is_empty() { Err(HeaderFault::Empty) } else { member(text) })
}

fn token(value: &str) -> Verdict {
    if scan::is_token(value) { Ok(()) } else { Err(HeaderFault::Syntax) }
}

/// Checks `;name[=value]` members after the first semicolon.
fn params_after_semicolon(value: &str) -> Verdict {
    let Some(at) = scan::find_outside(value, true, b';') else { return Ok(()) };
    params(scan::split_at_byte(value, at).1)
}

fn params(text: &str) -> Verdict {
    for member in scan::semicolons(text) {
        let (name, value) = match scan::find_outside(member, false, b'=') {
            Some(at) => {
                let (name, value) = scan::split_at_byte(member, at);
                (scan::trim(name), Some(scan::trim(value)))
            }
            None => (member, None),
        };
        if !scan::is_token(name) || value.is_some_and(|value| !is_param_value(value)) {
            return Err(HeaderFault::Parameter);
        }
    }
    Ok(())
}

/// A token, a host (IPv6 with or without brackets) or one whole quoted string.
fn is_param_value(value: &str) -> bool {
    if let Some(inner) = value.strip_prefix('"') {
        return scan::is_balanced(value) && value.len() > 1 && inner.ends_with('"');
    }
    let host_byte = |byte: u8| matches!(byte, b'[' | b']' | b':');
    // '/' and '@' are not token bytes, but Call-IDs and branches in the field have them.
    let seen_in_the_field = |byte: u8| matches!(byte, b'/' | b'@' | b'=' | b'$' | b'&');
    let fine = |byte: u8| scan::is_token_byte(byte) || host_byte(byte) || seen_in_the_field(byte);
    !value.is_empty() && value.bytes().all(fine)
}

fn address(value: &str) -> Verdict {
    checked_address(value).map(drop)
}

fn checked_address(value: &str) -> Result<NameAddr, HeaderFault> {
    let address: NameAddr = value.parse()?;
    around_uri(value, &address)?;
    Ok(address)
}

/// Checks what stands before and after the URI of an address.
fn around_uri(value: &str, address: &NameAddr) -> Verdict {
    let Some(open) = scan::find_outside(value, false, b'<') else {
        // Without brackets the URI ends at the first semicolon, and may hold neither comma nor question mark.
        let bare = address.uri.as_str();
        if bare.contains(['?', ',']) {
            return Err(HeaderFault::Brackets);
        }
        return params_after_semicolon(value);
    };
    let (display, rest) = scan::split_at_byte(value, open);
    let (uri, tail) = rest.split_once('>').unwrap_or((rest, ""));
    display_name(scan::trim(display))?;
    if scan::trim(uri).len() != uri.len() {
        return Err(HeaderFault::Space);
    }
    match scan::trim(tail).strip_prefix(';') {
        Some(tail) => params(tail),
        None => Ok(()),
    }
}

fn display_name(display: &str) -> Verdict {
    if display.starts_with('"') {
        let closed = scan::find_outside_by(display, false, |byte| byte != b'"').is_none();
        return if closed && scan::is_balanced(display) { Ok(()) } else { Err(HeaderFault::Display) };
    }
    // Bytes outside ASCII need quotes as well, but no reader is misled by them.
    let fine = |byte: u8| scan::is_token_byte(byte) || scan::is_space(byte) || !byte.is_ascii();
    if display.bytes().all(fine) { Ok(()) } else { Err(HeaderFault::Display) }
}

fn contact(value: &str) -> Verdict {
    if value == "*" {
        return Err(HeaderFault::Star);
    }
    let contact = checked_address(value)?;
    let expires = contact.params.get("expires").map_or(Ok(0), bounded_number::<u32>);
    expires?;
    match contact.params.get("q") {
        Some(_) if contact.q().is_none() => Err(HeaderFault::Range),
        Some(_) | None => Ok(()),
    }
}

fn via(value: &str) -> Verdict {
    let via: Via = value.parse()?;
    if let Some(ttl) = via.params.get("ttl") {
        bounded_number::<u8>(ttl)?;
    }
    params_after_semicolon(value)
}

/// `3DIGIT SP agent SP quoted-string` (RFC 3261 §20.43).
fn warning(value: &str) -> Verdict {
    let mut words = value.splitn(3, ' ');
    let (Some(code), Some(agent), Some(text)) = (words.next(), words.next(), words.next()) else {
        return Err(HeaderFault::Syntax);
    };
    if code.len() != 3 || agent.is_empty() {
        return Err(HeaderFault::Range);
    }
    bounded_number::<u16>(code)?;
    if text.starts_with('"') && text.ends_with('"') && text.len() > 1 {
        Ok(())
    } else {
        Err(HeaderFault::Syntax)
    }
}

/// `Sat, 13 Nov 2010 23:29:00 GMT`, the only form RFC 3261 §20.17 allows.
fn date(value: &str) -> Option<()> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day_name, rest) = value.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    let mut clock = time.split(':');
    let field = |text: Option<&str>, limit: u8| {
        let number: Option<u8> = text.filter(|text| text.len() == 2).and_then(scan::number);
        number.is_some_and(|number| number < limit)
    };
    let clock_is_fine = field(clock.next(), 24) && field(clock.next(), 60) && field(clock.next(), 61);
    let fine = DAYS.contains(&day_name)
        && field(Some(day), 32)
        && MONTHS.contains(&month)
        && year.len() == 4
        && scan::number::<u16>(year).is_some()
        && clock_is_fine
        && clock.next().is_none()
        && zone == "GMT"
        && words.next().is_none();
    fine.then_some(())
}
