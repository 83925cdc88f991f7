//! Codec filter over the text of a description, for a phone that may use only some codecs.
//!
//! Every `m=audio` section keeps the listed encodings and `telephone-event`, in the order of the
//! description. All other text, and the style of line ends, stays as it is. A filter that would empty
//! an audio section is not applied at all.

/// Result of filtering a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecFilter {
    /// The text to send.
    Filtered(String),
    /// An audio section would have no format left; send the description as it was.
    WouldEmptyAudio,
}

/// Encodings of formats that need no `rtpmap`.
const STATIC_ENCODINGS: [(&str, &str); 6] =
    [("0", "pcmu"), ("3", "gsm"), ("8", "pcma"), ("9", "g722"), ("15", "g728"), ("18", "g729")];

/// Keeps the codecs named in `allowed` (any case) in every audio section of `sdp`.
///
/// An empty list filters nothing.
#[must_use]
pub fn filter_codecs(sdp: &str, allowed: &[String]) -> CodecFilter {
    if allowed.is_empty() {
        return CodecFilter::Filtered(sdp.to_owned());
    }
    let lines: Vec<&str> = sdp.split_inclusive('\n').collect();
    let mut out = String::with_capacity(sdp.len());
    let mut rest = lines.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        let length = tail.iter().take_while(|line| !line.starts_with("m=")).count();
        let (section, after) = tail.split_at(length);
        if first.starts_with("m=audio ") {
            if filter_section(first, section, allowed, &mut out).is_none() {
                return CodecFilter::WouldEmptyAudio;
            }
        } else {
            out.push_str(first);
            out.extend(section.iter().copied());
        }
        rest = after;
    }
    CodecFilter::Filtered(out)
}

/// Appends one audio section; `None` when nothing of it would be left.
fn filter_section(first: &str, section: &[&str], allowed: &[String], out: &mut String) -> Option<()> {
    let body = first.trim_end_matches(['\r', '\n']);
    let line_end = first.get(body.len()..)?;
    let mut fields = body.split_ascii_whitespace();
    let head: Vec<&str> = fields.by_ref().take(3).collect();
    let formats: Vec<&str> = fields.collect();
    let keeps = |format: &str| {
        encoding(section, format).is_some_and(|name| {
            name.eq_ignore_ascii_case("telephone-event")
                || allowed.iter().any(|codec| codec.eq_ignore_ascii_case(name))
        })
    };
    let kept: Vec<&str> = formats.iter().copied().filter(|format| keeps(format)).collect();
    let is_event = |format: &&str| {
        encoding(section, format).is_some_and(|name| name.eq_ignore_ascii_case("telephone-event"))
    };
    if kept.iter().all(is_event) {
        return None;
    }
    out.push_str(&head.join(" "));
    for format in &kept {
        out.push(' ');
        out.push_str(format);
    }
    out.push_str(line_end);
    let dropped = |line: &&&str| {
        let number = described_format(line);
        number.is_none_or(|number| kept.contains(&number) || !formats.contains(&number))
    };
    out.extend(section.iter().filter(dropped).copied());
    Some(())
}

/// Returns the format that an `rtpmap` or `fmtp` line is about.
fn described_format(line: &str) -> Option<&str> {
    let value = line.strip_prefix("a=rtpmap:").or_else(|| line.strip_prefix("a=fmtp:"))?;
    value.split_ascii_whitespace().next()
}

/// Returns the encoding name of a format of this section.
fn encoding<'a>(section: &[&'a str], format: &str) -> Option<&'a str> {
    let mapped = section.iter().find_map(|line| {
        let (number, mapping) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        (number == format).then(|| mapping.trim().split('/').next()).flatten()
    });
    mapped.or_else(|| STATIC_ENCODINGS.iter().find(|(number, _)| *number == format).map(|(_, name)| *name))
}
