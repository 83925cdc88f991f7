//! Source descriptions: who is behind an SSRC.
//!
//! RFC 3550 section 6.5. Texts that are not UTF-8 are read with replacement characters.

use super::compound::take_u32;

/// One item about a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceItem {
    /// Item type; 1 is the canonical name.
    pub kind: u8,
    /// Its text, at most 255 bytes.
    pub text: String,
}

/// SDES: items by source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDescription {
    /// Sources and what is known about them.
    pub chunks: Vec<(u32, Vec<SourceItem>)>,
}

impl SourceDescription {
    /// Makes the description that every compound carries.
    #[must_use]
    pub fn canonical_name(ssrc: u32, name: &str) -> Self {
        Self { chunks: vec![(ssrc, vec![SourceItem { kind: 1, text: name.to_owned() }])] }
    }

    pub(super) fn parse(count: u8, mut body: &[u8]) -> Option<Self> {
        let chunks = (0..count).map(|_| parse_chunk(&mut body)).collect::<Option<_>>()?;
        Some(Self { chunks })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        let mut count = 0;
        for (ssrc, items) in self.chunks.iter().take(31) {
            let start = out.len();
            out.extend_from_slice(&ssrc.to_be_bytes());
            for item in items {
                let text = item.text.as_bytes();
                let text = text.get(..text.len().min(255)).unwrap_or_default();
                out.push(item.kind);
                out.push(text.len() as u8);
                out.extend_from_slice(text);
            }
            // The list ends with at least one zero and fills its last word.
            out.push(0);
            while !(out.len() - start).is_multiple_of(4) {
                out.push(0);
            }
            count += 1;
        }
        count
    }
}

fn parse_chunk(body: &mut &[u8]) -> Option<(u32, Vec<SourceItem>)> {
    let ssrc = take_u32(body)?;
    let mut items = Vec::new();
    let mut used = 0;
    loop {
        let (kind, rest) = body.split_first()?;
        used += 1;
        if *kind == 0 {
            // What follows up to the word boundary is padding.
            let padding = (4 - used % 4) % 4;
            *body = rest.get(padding..)?;
            return Some((ssrc, items));
        }
        let (length, rest) = rest.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        items.push(SourceItem { kind: *kind, text: String::from_utf8_lossy(text).into_owned() });
        used += 1 + text.len();
        *body = rest;
    }
}
