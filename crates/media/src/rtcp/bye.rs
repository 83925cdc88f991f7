//! Leaving: the sources that end.
//!
//! RFC 3550 section 6.6.

use super::compound::take_u32;

/// BYE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bye {
    /// Sources that leave; at most 31.
    pub sources: Vec<u32>,
    /// Why, if they say so.
    pub reason: Option<String>,
}

impl Bye {
    pub(super) fn parse(count: u8, mut body: &[u8]) -> Option<Self> {
        let sources = (0..count).map(|_| take_u32(&mut body)).collect::<Option<_>>()?;
        let reason = match body.split_first() {
            Some((length, rest)) => {
                let text = rest.get(..usize::from(*length))?;
                Some(String::from_utf8_lossy(text).into_owned())
            }
            None => None,
        };
        Some(Self { sources, reason })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        let mut count = 0;
        for source in self.sources.iter().take(31) {
            out.extend_from_slice(&source.to_be_bytes());
            count += 1;
        }
        if let Some(reason) = &self.reason {
            let text = reason.as_bytes();
            let text = text.get(..text.len().min(255)).unwrap_or_default();
            out.push(text.len() as u8);
            out.extend_from_slice(text);
        }
        count
    }
}
