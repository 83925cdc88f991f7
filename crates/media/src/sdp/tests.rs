//! What a description says after reading, and how faults are named.

use super::*;

const OFFER: &str = "v=0\r\n\
o=alice 2890844526 2890844527 IN IP4 host.anywhere.com\r\n\
s=Call of the day\r\n\
i=Information\r\n\
x=unknown line\r\n\
c=IN IP4 192.0.2.10\r\n\
b=AS:64\r\n\
t=0 0\r\n\
a=recvonly\r\n\
a=vendor-thing:7 8\r\n\
m=audio 49170 RTP/AVP 0 8 97\r\n\
a=rtpmap:97 telephone-event/8000\r\n\
a=fmtp:97 0-15\r\n\
a=rtcp:53020 IN IP6 2001:db8::1\r\n\
a=ptime:30\r\n\
m=video 51372/2 RTP/SAVPF 31\r\n\
c=IN IP6 2001:db8::7\r\n\
a=sendonly\r\n\
a=rtcp-mux\r\n";

fn parse(text: &str) -> Result<SessionDescription, SdpError> {
    SessionDescription::parse(text.as_bytes())
}

#[test]
fn a_description_written_again_is_the_same_text() {
    assert_eq!(parse(OFFER).unwrap().to_string(), OFFER);
}

#[test]
fn bare_line_feeds_and_a_missing_last_line_end_are_accepted() {
    let text = OFFER.replace("\r\n", "\n");
    assert_eq!(parse(text.trim_end()).unwrap().to_string(), OFFER);
}

#[test]
fn the_typed_views_see_both_levels() {
    let description = parse(OFFER).unwrap();
    let [audio, video] = description.media.as_slice() else { panic!("two sections") };
    assert_eq!(description.direction_of(audio), Direction::RecvOnly);
    assert_eq!(description.direction_of(video), Direction::SendOnly);
    let address = |media| description.connection_of(media).unwrap().address().unwrap().to_string();
    assert_eq!(address(audio), "192.0.2.10");
    assert_eq!(address(video), "2001:db8::7");
    assert_eq!(audio.packet_time(), Some(30));
    assert_eq!(audio.rtpmap(97).unwrap().encoding, "telephone-event");
    assert_eq!(audio.fmtp(97).unwrap().parameters, "0-15");
    assert_eq!(audio.rtpmap(8), None);
    let rtcp = audio.rtcp().unwrap();
    assert_eq!((rtcp.port, rtcp.address.unwrap().to_string().as_str()), (53_020, "2001:db8::1"));
    assert!(video.offers_rtcp_mux() && !audio.offers_rtcp_mux());
    assert_eq!(video.port_count, Some(2));
    assert_eq!(description.attributes("vendor-thing").collect::<Vec<_>>(), ["7 8"]);
}

#[test]
fn a_multicast_suffix_and_a_host_name_are_kept() {
    let connection = Connection::parse("IN IP4 224.2.1.1/127/3").unwrap();
    assert_eq!(connection.to_string(), "IN IP4 224.2.1.1/127/3");
    let named = Connection::parse("IN IP4 media.example.com").unwrap();
    assert_eq!(named.host, ConnectionHost::Name("media.example.com".to_owned()));
    assert_eq!(named.to_string(), "IN IP4 media.example.com");
    assert!(Connection::parse("IN IP4 0.0.0.0").unwrap().is_unspecified());
    assert!(Connection::parse("IN IP6 ::").unwrap().is_unspecified());
}

#[test]
fn faults_name_the_offset_of_their_line() {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
    let at = head.len();
    let cases = [
        (format!("{head}nonsense\r\n"), SdpError::MalformedLine { offset: at }),
        (format!("{head}=x\r\n"), SdpError::MalformedLine { offset: at }),
        (format!("{head}m=audio\r\n"), SdpError::MalformedMedia { offset: at }),
        (format!("{head}m=audio 70000 RTP/AVP 0\r\n"), SdpError::MalformedMedia { offset: at }),
        (format!("{head}c=IN IP4\r\n"), SdpError::MalformedConnection { offset: at }),
        (format!("{head}v=0\r\n"), SdpError::MalformedLine { offset: at }),
        ("v=1\r\n".to_owned(), SdpError::UnsupportedVersion { offset: 0 }),
        ("s=-\r\n".to_owned(), SdpError::UnsupportedVersion { offset: 0 }),
        (String::new(), SdpError::UnsupportedVersion { offset: 0 }),
        ("v=0\r\ns=-\r\n".to_owned(), SdpError::MissingOrigin),
        ("v=0\r\no=- 1 1 IN IP4\r\n".to_owned(), SdpError::MalformedOrigin { offset: 5 }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&text), Err(expected), "{text:?}");
    }
    let error = SessionDescription::parse(b"v=0\r\no=\xFF").unwrap_err();
    assert_eq!(error, SdpError::NotText { offset: 7 });
    let large = SessionDescription::parse(&vec![b'a'; 70_000]).unwrap_err();
    assert_eq!(large, SdpError::TooLarge { bytes: 70_000 });
}

#[test]
fn directions_reverse_and_intersect() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    assert_eq!(
        [SendRecv, SendOnly, RecvOnly, Inactive].map(Direction::reversed),
        [SendRecv, RecvOnly, SendOnly, Inactive]
    );
    assert_eq!(SendOnly.intersection(RecvOnly), Inactive);
    assert_eq!(SendRecv.intersection(RecvOnly), RecvOnly);
    assert_eq!(Direction::from_name("sendonly"), Some(SendOnly));
    assert_eq!(Direction::from_name("sendonly:1"), None);
}
