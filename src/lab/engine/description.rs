//! Session descriptions passing through: our address replaces the peer's, and every one gets our
//! origin.
//!
//! RFC 3264 §8 (version of the origin line), §8.4 (`c=0.0.0.0` is an old form of hold and stays as
//! it is). Codecs, payload types, direction and SDES keys pass unchanged: the two phones agree with
//! each other, not with us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use offhook_media::sdp::{
    Connection, Direction, HostName, Line, MediaDescription, SessionDescription, is_one_host,
};
use offhook_sip::{session::SessionEvent, user_agent::Body};

use crate::lab::media::Target;

/// The descriptions exchanged with one peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Talk {
    version: u64,
    /// The last description we sent.
    pub(super) sent: Option<SessionDescription>,
    /// The last one we received.
    pub(super) received: Option<SessionDescription>,
}

impl Talk {
    /// Puts our origin on `description`, with a higher version if it differs from the last one.
    pub(super) fn write(&mut self, mut description: SessionDescription, own: IpAddr, id: u64) -> Body {
        let family = if own.is_ipv4() { "IP4" } else { "IP6" };
        let origin = &mut description.origin;
        "-".clone_into(&mut origin.username);
        origin.session_id = id.to_string();
        origin.version = self.version.to_string();
        "IN".clone_into(&mut origin.network_type);
        family.clone_into(&mut origin.address_type);
        origin.address = own.to_string();
        if self.sent.as_ref() != Some(&description) {
            self.version += 1;
            description.origin.version = self.version.to_string();
        }
        let body = Body::sdp(description.to_string());
        self.sent = Some(description);
        body
    }
}

/// Returns `description` with its first active audio stream at `address`, and every other stream
/// refused.
pub(super) fn through(description: &SessionDescription, address: SocketAddr) -> SessionDescription {
    let mut passed = description.clone();
    let held = live_audio(description)
        .and_then(|audio| description.connection_of(audio))
        .is_some_and(|connection| connection.is_unspecified());
    let shown = if held { unspecified(address.ip()) } else { address.ip() };
    let connection = Line::new('c', Connection::unicast(shown).to_string());
    set_connection(&mut passed.lines, &connection);
    let mut found = false;
    for media in &mut passed.media {
        media.lines.retain(|line| line.kind != 'c' && !is_about_addresses(line));
        if !found && is_live_audio(media) {
            found = true;
            media.port = address.port();
            media.port_count = None;
        } else {
            media.port = 0;
        }
    }
    passed.lines.retain(|line| !is_about_addresses(line));
    passed
}

/// Replaces `localhost` with the address in what a peer describes (RFC 6761 §6.3, RFC 8866 §5.7).
///
/// Other names stay, and are refused: the lab asks no name server, and names are tested with the
/// phones.
pub(super) fn ground(event: &mut SessionEvent) {
    if let SessionEvent::Incoming { offer: sdp, .. }
    | SessionEvent::Provisional { sdp, .. }
    | SessionEvent::Answered { sdp, .. }
    | SessionEvent::Acknowledged { sdp }
    | SessionEvent::Reoffered { offer: sdp, .. }
    | SessionEvent::Modified { answer: sdp, .. } = event
        && let Some(grounded) = sdp.as_deref().and_then(without_localhost)
    {
        *sdp = Some(grounded);
    }
}

/// Returns a description with the address, if it names its sender's own host.
fn without_localhost(sdp: &[u8]) -> Option<Vec<u8>> {
    let is_localhost = |name: &HostName| name.name.trim_end_matches('.').eq_ignore_ascii_case("localhost");
    let mut description = SessionDescription::parse(sdp).ok()?;
    description.host_names().iter().any(is_localhost).then(|| {
        description.resolve(|name| {
            let loopback: IpAddr =
                if name.is_ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
            is_localhost(name).then_some(loopback)
        });
        description.to_string().into_bytes()
    })
}

/// Returns where the sender of `description` wants its packets.
pub(super) fn target(description: &SessionDescription) -> Target {
    let Some(audio) = live_audio(description) else { return Target::default() };
    let address = description.connection_of(audio).and_then(|connection| connection.address());
    let Some(ip) = address.filter(|ip| !ip.is_unspecified() && is_one_host(*ip)) else {
        return Target::default();
    };
    let rtcp = audio.rtcp();
    let rtcp_port = rtcp.as_ref().map_or_else(|| audio.port.saturating_add(1), |rtcp| rtcp.port);
    let rtcp_ip = rtcp.and_then(|rtcp| rtcp.address).filter(|ip| is_one_host(*ip)).unwrap_or(ip);
    Target { rtp: Some(SocketAddr::new(ip, audio.port)), rtcp: Some(SocketAddr::new(rtcp_ip, rtcp_port)) }
}

/// Returns `description` as an offer to resume, whatever kind of hold it had.
pub(super) fn resumed(description: &SessionDescription) -> SessionDescription {
    let mut offer = description.clone();
    let is_direction = |line: &Line| line.kind == 'a' && Direction::from_name(&line.value).is_some();
    offer.lines.retain(|line| !is_direction(line));
    for media in &mut offer.media {
        media.lines.retain(|line| !is_direction(line));
    }
    if live_audio(&offer).and_then(|audio| offer.connection_of(audio)).is_some_and(|c| c.is_unspecified()) {
        // The value does not matter: `through` replaces it with our address.
        for lines in
            std::iter::once(&mut offer.lines).chain(offer.media.iter_mut().map(|media| &mut media.lines))
        {
            for line in lines.iter_mut().filter(|line| line.kind == 'c') {
                line.value = Connection::unicast(IpAddr::from([127, 0, 0, 1])).to_string();
            }
        }
    }
    offer
}

fn live_audio(description: &SessionDescription) -> Option<&MediaDescription> {
    description.media.iter().find(|media| is_live_audio(media))
}

fn is_live_audio(media: &MediaDescription) -> bool {
    media.kind == "audio" && media.port != 0
}

fn unspecified(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Returns whether a line gives transport addresses of the sender, which are not ours to pass on.
fn is_about_addresses(line: &Line) -> bool {
    let name = line.value.split_once(':').map_or(line.value.as_str(), |(name, _)| name);
    line.kind == 'a'
        && matches!(
            name,
            "rtcp"
                | "rtcp-mux"
                | "candidate"
                | "remote-candidates"
                | "end-of-candidates"
                | "ice-ufrag"
                | "ice-pwd"
                | "ice-options"
                | "ice-lite"
                | "group"
                | "mid"
        )
}

fn set_connection(lines: &mut Vec<Line>, connection: &Line) {
    lines.retain(|line| line.kind != 'c');
    // RFC 8866 §5: after i=, u=, e= and p=, before everything else.
    let at = lines.iter().take_while(|line| matches!(line.kind, 'i' | 'u' | 'e' | 'p')).count();
    lines.insert(at, connection.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=a 5 5 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 7 RTP/AVP 31\r\n\
        m=audio 4000 RTP/AVP 8 101\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=rtcp:4009\r\na=rtcp-mux\r\na=sendonly\r\n";

    fn parse(text: &str) -> SessionDescription {
        SessionDescription::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn audio_is_led_through_us_and_all_else_is_refused() {
        let passed = through(&parse(OFFER), "127.0.0.1:22000".parse().unwrap());
        assert_eq!(passed.media.iter().map(|m| m.port).collect::<Vec<_>>(), [0, 22000]);
        let text = passed.to_string();
        assert!(text.contains("c=IN IP4 127.0.0.1\r\nt=0 0\r\n"), "{text}");
        assert!(text.contains("a=rtpmap:101") && text.contains("a=sendonly"), "{text}");
        assert!(!text.contains("10.0.0.2") && !text.contains("a=rtcp"), "{text}");
    }

    #[test]
    fn the_peer_is_aimed_at_where_it_says() {
        let at = |text: &str| text.parse::<SocketAddr>().ok();
        let aimed = target(&parse(OFFER));
        assert_eq!(aimed, Target { rtp: at("10.0.0.2:4000"), rtcp: at("10.0.0.2:4009") });
        for everybody in ["224.2.1.1", "255.255.255.255"] {
            assert_eq!(target(&parse(&OFFER.replace("10.0.0.2", everybody))), Target::default());
        }
    }

    #[test]
    fn an_old_hold_stays_a_hold_until_it_is_resumed() {
        let held = parse(&OFFER.replace("10.0.0.2", "0.0.0.0"));
        assert_eq!(target(&held), Target::default());
        let here = "127.0.0.1:22000".parse().unwrap();
        assert!(through(&held, here).to_string().contains("c=IN IP4 0.0.0.0"));
        let again = through(&resumed(&held), here).to_string();
        assert!(again.contains("c=IN IP4 127.0.0.1") && !again.contains("a=sendonly"), "{again}");
    }

    #[test]
    fn the_version_grows_only_with_a_change() {
        let mut talk = Talk::default();
        let own = IpAddr::from([127, 0, 0, 1]);
        let mut version = |description: SessionDescription| {
            let body = talk.write(description, own, 9);
            parse(std::str::from_utf8(&body.bytes).unwrap()).origin.version
        };
        assert_eq!([version(parse(OFFER)), version(parse(OFFER))], ["1", "1"]);
        assert_eq!(version(resumed(&parse(OFFER))), "2");
    }
}
