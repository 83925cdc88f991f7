//! Host names in a description, for which whoever can ask the DNS puts in addresses.
//!
//! RFC 8866 section 5.7: a `c=` line gives an address or a fully qualified domain name. Names in `a=rtcp` are left alone:
//! RTCP then goes where the media goes.

use std::net::IpAddr;

use super::description::{Connection, ConnectionHost, Line, SessionDescription};

/// How many names of one description are looked at.
const MOST_NAMES: usize = 4;
/// Longest name of the DNS, as text (RFC 1035 section 2.3.4).
const LONGEST: usize = 253;

/// A name that a description gives in place of an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName {
    /// The name, letters, digits, hyphens and dots.
    pub name: String,
    /// Whether an IPv6 address is meant rather than an IPv4 one.
    pub is_ipv6: bool,
}

impl HostName {
    /// Reads the name in the value of a `c=` line, if there is one that the DNS could know.
    fn of(value: &str) -> Option<Self> {
        let family = value.split_ascii_whitespace().nth(1)?;
        let ConnectionHost::Name(name) = Connection::parse(value)?.host else { return None };
        let letters =
            name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.'));
        // A host that ends in a number is a badly written address.
        let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let is_name =
            letters && name.len() <= LONGEST && last.contains(|letter: char| letter.is_ascii_alphabetic());
        is_name.then(|| Self { name, is_ipv6: family.eq_ignore_ascii_case("IP6") })
    }

    fn in_line(line: &Line) -> Option<Self> {
        if line.kind == 'c' { Self::of(&line.value) } else { None }
    }
}

/// Tells from the `c=` lines of a description, without reading the rest, whether it could name a host.
#[must_use]
pub fn may_name_hosts(description: &[u8]) -> bool {
    let lines = description.split(|byte| matches!(byte, b'\r' | b'\n'));
    let mut connections = lines.filter_map(|line| str::from_utf8(line.strip_prefix(b"c=")?).ok());
    connections.any(|value| HostName::of(value).is_some())
}

impl SessionDescription {
    /// Returns the names of the hosts that audio should go to, each once.
    #[must_use]
    pub fn host_names(&self) -> Vec<HostName> {
        let mut names = Vec::new();
        for media in self.media.iter().filter(|media| media.kind == "audio" && media.port != 0) {
            let own = media.lines.iter().find(|line| line.kind == 'c');
            let line = own.or_else(|| self.lines.iter().find(|line| line.kind == 'c'));
            let name = line.and_then(HostName::in_line);
            names.extend(name.filter(|name| !names.contains(name) && names.len() < MOST_NAMES));
        }
        names
    }

    /// Replaces the names that `address` knows with addresses.
    pub fn resolve(&mut self, address: impl Fn(&HostName) -> Option<IpAddr>) {
        let media = self.media.iter_mut().flat_map(|media| &mut media.lines);
        for line in self.lines.iter_mut().chain(media) {
            if let Some(address) = HostName::in_line(line).and_then(|name| address(&name)) {
                line.value = Connection::unicast(address).to_string();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SessionDescription {
        SessionDescription::parse(text.replace('\n', "\r\n").as_bytes()).unwrap()
    }

    const NAMED: &str = "v=0\no=- 1 1 IN IP4 maker.example\ns=-\nc=IN IP4 localhost\nt=0 0\n\
        m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/AVP 0\nc=IN IP6 Media.Example.com/127\n\
        m=video 4004 RTP/AVP 31\nc=IN IP4 video.example\nm=audio 0 RTP/AVP 8\nc=IN IP4 refused.example\n";

    #[test]
    fn the_names_of_live_audio_are_asked_for_and_replaced() {
        let mut description = parse(NAMED);
        let name = |name: &str, is_ipv6| HostName { name: name.to_owned(), is_ipv6 };
        assert_eq!(description.host_names(), [name("localhost", false), name("Media.Example.com", true)]);
        description.resolve(|name| (name.name == "localhost").then(|| IpAddr::from([127, 0, 0, 1])));
        assert_eq!(description.host_names(), [name("Media.Example.com", true)]);
        let text = description.to_string();
        assert!(text.contains("s=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"), "{text}");
        assert!(text.contains("c=IN IP4 video.example\r\n"), "{text}");
        let of = |index: usize| description.connection_of(&description.media[index]).unwrap();
        assert_eq!(of(0).address(), Some(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn the_quick_look_misses_no_name_and_spares_plain_addresses() {
        let plain = "v=0\no=- 1 1 IN IP4 maker.example\ns=c=IN IP4 a.example\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 8\n";
        for (text, wanted) in
            [(NAMED, true), (plain, false), (&plain.replace("192.0.2.1", "300.1.2.3"), false)]
        {
            assert_eq!(may_name_hosts(text.as_bytes()), wanted);
            assert_eq!(may_name_hosts(text.replace('\n', "\r\n").as_bytes()), wanted);
            assert_eq!(!parse(text).host_names().is_empty(), wanted);
        }
    }

    #[test]
    fn what_no_name_server_knows_is_not_asked_for() {
        for host in ["300.1.2.3", "a;maddr=1", "[::1", "..", "-", "12", &"a".repeat(254)] {
            let description = parse(&NAMED.replace("localhost", host));
            assert_eq!(description.host_names().len(), 1, "{host}");
        }
        assert_eq!(parse(&NAMED.replace("localhost", "192.0.2.1")).host_names().len(), 1);
    }

    #[test]
    fn a_description_full_of_names_is_asked_about_a_few() {
        let sections: String = (0..100)
            .map(|number| format!("m=audio 4000 RTP/AVP 8\nc=IN IP4 host{number}.example\n"))
            .collect();
        assert_eq!(parse(&format!("v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\n{sections}")).host_names().len(), 4);
    }
}
