//! Timestamp: when a request was sent and how long its answer was held.
//!
//! RFC 3261 §20.38. Both are kept in microseconds; finer digits are cut.

use std::str::FromStr;
use std::time::Duration;

use super::HeaderFault;
use crate::message::scan;

/// A time on the sender's own clock and the delay that the answerer adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The sender's time since an origin of its own.
    pub sent: Duration,
    /// How long the answerer held the request.
    pub delay: Option<Duration>,
}

impl FromStr for Timestamp {
    type Err = HeaderFault;

    fn from_str(text: &str) -> Result<Self, HeaderFault> {
        let mut words = text.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
        let sent = decimal(words.next().ok_or(HeaderFault::Empty)?)?;
        let delay = words.next().map(decimal).transpose()?;
        if words.next().is_some() {
            return Err(HeaderFault::Syntax);
        }
        Ok(Self { sent, delay })
    }
}

fn decimal(text: &str) -> Result<Duration, HeaderFault> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = if whole.is_empty() && !fraction.is_empty() { 0 } else { super::bounded_number(whole)? };
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HeaderFault::Number);
    }
    let mut digits: String = fraction.chars().take(6).collect();
    while digits.len() < 6 {
        digits.push('0');
    }
    let micros: u64 = scan::number(&digits).ok_or(HeaderFault::Number)?;
    Ok(Duration::from_secs(seconds) + Duration::from_micros(micros))
}
