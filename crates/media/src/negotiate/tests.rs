//! The examples of RFC 3264 section 10 and RFC 4317, holds, refusals and the codec filter.
//!
//! Where an example of the RFCs uses codecs we lack (LPC, iLBC, video), the expected answer is the one
//! a G.711 phone must give.

use std::time::Duration;

use super::*;
use crate::codec::Codec;
use crate::dtmf::EventSet;
use crate::sdp::{Direction, SessionDescription};

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

/// Wraps media lines of a peer at 192.0.2.9 into a description.
fn remote(media: &str) -> SessionDescription {
    let head = "v=0\no=bob 2808844564 2808844564 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\n";
    parse(&format!("{head}{media}"))
}

fn local() -> LocalMedia {
    let address = "192.0.2.1".parse().unwrap();
    LocalMedia { session_id: 7, version: 7, address, port: 4000, direction: Direction::SendRecv }
}

fn negotiator() -> Negotiator {
    let local = local();
    Negotiator::new(Capabilities::default(), local.session_id, local.address, local.port)
}

fn answered(media: &str) -> Negotiated {
    answer(&Capabilities::default(), &local(), &remote(media)).unwrap()
}

fn refusal(media: &str) -> NegotiationError {
    answer(&Capabilities::default(), &local(), &remote(media)).unwrap_err()
}

#[test]
fn an_offer_lists_codecs_in_order_with_explicit_maps() {
    let offer = offer(&Capabilities::default(), &local()).to_string();
    assert_eq!(
        offer,
        "v=0\r\no=- 7 7 IN IP4 192.0.2.1\r\ns=offhook\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 8 0 9 120\r\na=rtcp:4001 IN IP4 192.0.2.1\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn an_ipv6_phone_says_so_in_every_address() {
    let address = "2001:db8::5".parse().unwrap();
    let text = offer(&Capabilities::default(), &LocalMedia { address, ..local() }).to_string();
    assert!(text.contains("o=- 7 7 IN IP6 2001:db8::5\r\n"));
    assert!(text.contains("c=IN IP6 2001:db8::5\r\n"));
    assert!(text.contains("a=rtcp:4001 IN IP6 2001:db8::5\r\n"));
    let peer = "v=0\no=- 1 1 IN IP6 2001:db8::9\ns=-\nc=IN IP6 2001:db8::9\nt=0 0\nm=audio 6000 RTP/AVP 0\n";
    let plan = answer(&Capabilities::default(), &local(), &parse(peer)).unwrap().plan;
    assert_eq!(plan.remote, Some("[2001:db8::9]:6000".parse().unwrap()));
}

#[test]
fn rfc3264_10_1_one_audio_of_three_codecs_and_two_videos() {
    // Section 10.1: Alice offers one audio and two video streams; Bob accepts what he can.
    let negotiated = answered(
        "m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 51372 RTP/AVP 31\n\
         a=rtpmap:31 H261/90000\nm=video 53000 RTP/AVP 32\na=rtpmap:32 MPV/90000\n",
    );
    let shape: Vec<_> = negotiated.description.media.iter().map(|m| (m.kind.as_str(), m.port)).collect();
    assert_eq!(shape, [("audio", 4000), ("video", 0), ("video", 0)]);
    assert_eq!(negotiated.description.media[1].formats, ["31"]);
    assert_eq!(negotiated.plan.codec, Codec::PCMU);
    assert_eq!(negotiated.plan.remote, Some("192.0.2.9:49170".parse().unwrap()));
    assert_eq!(negotiated.plan.remote_rtcp, Some("192.0.2.9:49171".parse().unwrap()));
    assert_eq!(negotiated.plan.telephone_event, None);
}

#[test]
fn rfc3264_10_2_the_answer_with_one_of_n_codecs() {
    // Section 10.2: PCMU, G.723 and G.729 offered inactive; the answer keeps it inactive.
    let negotiated = answered(
        "m=audio 62986 RTP/AVP 0 4 18\na=rtpmap:0 PCMU/8000\na=rtpmap:4 G723/8000\n\
         a=rtpmap:18 G729/8000\na=inactive\n",
    );
    assert_eq!(negotiated.description.media[0].formats, ["0"]);
    assert_eq!(negotiated.plan.direction, Direction::Inactive);
}

#[test]
fn rfc4317_2_1_the_offerer_order_decides() {
    let negotiated = answered(
        "m=audio 49170 RTP/AVP 0 8 97\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n\
         a=rtpmap:97 iLBC/8000\nm=video 51372 RTP/AVP 31 32\na=rtpmap:31 H261/90000\n\
         a=rtpmap:32 MPV/90000\n",
    );
    assert_eq!(negotiated.description.media[0].formats, ["0"]);
    assert_eq!(negotiated.description.media[1].port, 0);
}

#[test]
fn rfc4317_2_4_the_second_audio_stream_is_refused_in_place() {
    // Section 2.4: voice on the first stream, telephone events on the second.
    let negotiated = answered(
        "m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=audio 49172 RTP/AVP 98\n\
         a=rtpmap:98 telephone-event/8000\na=sendonly\n",
    );
    let ports: Vec<_> = negotiated.description.media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [4000, 0]);
}

#[test]
fn rfc4317_2_6_the_peer_answers_ours_with_fewer_codecs() {
    let mut negotiator = negotiator();
    let offer = negotiator.offer();
    assert_eq!(offer.media[0].formats, ["8", "0", "9", "120"]);
    let plan = negotiator.accept_answer(&remote("m=audio 49174 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n")).unwrap();
    assert_eq!((plan.codec, plan.send_payload_type), (Codec::PCMU, 0));
    assert_eq!(plan.receive.len(), 3);
    assert_eq!(plan.telephone_event, None);
    assert_eq!(plan.local_sdp, offer.to_string());
}

#[test]
fn rfc4317_3_1_hold_and_unhold() {
    let mut alice = negotiator();
    let peer = "m=audio 49172 RTP/AVP 8\na=rtpmap:8 PCMA/8000\n";
    let first = alice.offer();
    assert_eq!(first.origin.version, "7");
    alice.accept_answer(&remote(peer)).unwrap();
    // Alice holds: version up by one, sendonly; the peer answers recvonly.
    alice.set_direction(Direction::SendOnly);
    let hold = alice.offer();
    assert_eq!(hold.origin.version, "8");
    assert_eq!(hold.direction_of(&hold.media[0]), Direction::SendOnly);
    let plan = alice.accept_answer(&remote(&format!("{peer}a=recvonly\n"))).unwrap();
    assert_eq!(plan.direction, Direction::SendOnly);
    // The peer holds too: inactive.
    let both = alice.answer(&remote(&format!("{peer}a=sendonly\n"))).unwrap();
    assert_eq!(both.plan.direction, Direction::Inactive);
    assert_eq!(both.description.origin.version, "9");
    assert!(both.plan.local_sdp.contains("a=inactive\r\n"));
    // Alice resumes.
    alice.set_direction(Direction::SendRecv);
    let resume = alice.offer();
    assert_eq!(resume.origin.version, "10");
    assert_eq!(alice.accept_answer(&remote(peer)).unwrap().direction, Direction::SendRecv);
}

#[test]
fn rfc4317_4_a_stream_added_later_is_refused_without_moving_ours() {
    let mut bob = negotiator();
    bob.answer(&remote("m=audio 49170 RTP/AVP 0\n")).unwrap();
    let more = "m=audio 49170 RTP/AVP 0\nm=video 49176 RTP/AVP 31\n";
    let second = bob.answer(&remote(more)).unwrap();
    assert_eq!(second.description.media[1].port, 0);
    // Our next offer keeps the refused slot.
    let offer = bob.offer();
    let shape: Vec<_> = offer.media.iter().map(|m| (m.kind.as_str(), m.port)).collect();
    assert_eq!(shape, [("audio", 4000), ("video", 0)]);
}

#[test]
fn an_unchanged_description_keeps_its_version() {
    let mut bob = negotiator();
    let offer = remote("m=audio 49170 RTP/AVP 0\n");
    let first = bob.answer(&offer).unwrap().description;
    let again = bob.answer(&offer).unwrap().description;
    assert_eq!(first, again);
    bob.set_direction(Direction::SendOnly);
    assert_eq!(bob.answer(&offer).unwrap().description.origin.version, "8");
    assert_eq!(bob.answer(&offer).unwrap().description.origin.version, "8");
}

#[test]
fn holds_in_every_combination_have_the_direction_of_the_rfc() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let table = [
        (SendRecv, "sendrecv", SendRecv),
        (SendRecv, "sendonly", RecvOnly),
        (SendRecv, "recvonly", SendOnly),
        (SendRecv, "inactive", Inactive),
        (SendOnly, "sendrecv", SendOnly),
        (SendOnly, "sendonly", Inactive),
        (SendOnly, "recvonly", SendOnly),
        (RecvOnly, "sendonly", RecvOnly),
        (Inactive, "sendrecv", Inactive),
    ];
    for (wanted, offered, expected) in table {
        let local = LocalMedia { direction: wanted, ..local() };
        let offer = remote(&format!("m=audio 5000 RTP/AVP 8\na={offered}\n"));
        let plan = answer(&Capabilities::default(), &local, &offer).unwrap().plan;
        assert_eq!(plan.direction, expected, "we want {wanted}, offered {offered}");
    }
}

#[test]
fn the_unspecified_address_is_a_hold() {
    let text = "v=0\no=- 1 2 IN IP4 192.0.2.9\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 5000 RTP/AVP 8\n";
    let plan = answer(&Capabilities::default(), &local(), &parse(text)).unwrap().plan;
    assert_eq!((plan.remote, plan.direction), (None, Direction::RecvOnly));
}

#[test]
fn the_offerer_numbers_are_used_for_events_and_dynamic_codecs() {
    let mut bob = negotiator();
    let offer = "m=audio 5000 RTP/AVP 18 97 101\na=rtpmap:97 pcma/8000/1\n\
                 a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15,32\na=ptime:30\na=rtcp:5105\n";
    let negotiated = bob.answer(&remote(offer)).unwrap();
    assert_eq!(negotiated.description.media[0].formats, ["97", "101"]);
    let plan = negotiated.plan;
    assert_eq!((plan.codec, plan.send_payload_type, plan.receive_payload_type), (Codec::PCMA, 97, 97));
    let events = plan.telephone_event.unwrap();
    assert_eq!((events.send_payload_type, events.events), (101, EventSet::DTMF));
    assert_eq!(plan.packet_time, Duration::from_millis(30));
    assert_eq!(plan.remote_rtcp, Some("192.0.2.9:5105".parse().unwrap()));
    // Later offers of ours keep the number of the events.
    assert_eq!(bob.offer().media[0].formats, ["8", "0", "9", "101"]);
}

#[test]
fn the_longest_packet_that_suits_the_peer_is_sent() {
    // What the peer says, what we would send unasked, what we send.
    let cases = [
        ("", 20, 20),
        ("a=ptime:10\n", 20, 10),
        ("a=ptime:30\n", 20, 30),
        ("a=ptime:40\n", 20, 40),
        ("a=ptime:60\n", 20, 60),
        ("a=ptime:50\n", 20, 40),
        ("a=ptime:35.5\n", 20, 30),
        ("a=ptime:5\n", 20, 10),
        ("a=ptime:200\n", 20, 60),
        ("a=ptime:0\n", 20, 20),
        ("a=ptime:soon\n", 20, 20),
        ("a=maxptime:10\n", 20, 10),
        ("a=maxptime:150\n", 20, 20),
        ("a=maxptime:50\n", 60, 40),
        ("a=ptime:60\na=maxptime:30\n", 20, 30),
        ("a=ptime:20\na=maxptime:5\n", 20, 10),
    ];
    for (lines, own, expected) in cases {
        let packet_time = Duration::from_millis(own);
        let capabilities = Capabilities { packet_time, ..Capabilities::default() };
        let peer = remote(&format!("m=audio 5000 RTP/AVP 8\n{lines}"));
        let answered = answer(&capabilities, &local(), &peer).unwrap();
        assert_eq!(answered.plan.packet_time, Duration::from_millis(expected), "{lines:?}");
        // What we wish to receive is another matter (RFC 3264 section 6.1).
        assert_eq!(answered.description.media[0].packet_time(), Some(own as u32), "{lines:?}");
        let plan = accept_answer(&capabilities, &offer(&capabilities, &local()), &peer).unwrap();
        assert_eq!(plan.packet_time, Duration::from_millis(expected), "{lines:?}");
    }
}

#[test]
fn each_side_may_number_events_its_own_way() {
    let mut alice = negotiator();
    let _offer = alice.offer();
    let answer = "m=audio 5000 RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000\n";
    let events = alice.accept_answer(&remote(answer)).unwrap().telephone_event.unwrap();
    assert_eq!((events.send_payload_type, events.receive_payload_type), (96, 120));
    assert_eq!(events.events, EventSet::DTMF);
}

#[test]
fn refusals_are_typed_and_map_to_488() {
    let cases = [
        ("m=video 5000 RTP/AVP 31\n", NegotiationError::NoAudio),
        ("m=audio 0 RTP/AVP 8\n", NegotiationError::NoAudio),
        ("m=audio 5000 RTP/SAVP 8\n", NegotiationError::UnsupportedProtocol { protocol: "RTP/SAVP".into() }),
        (
            "m=audio 5000 RTP/AVP 18 96\na=rtpmap:96 opus/48000/2\n",
            NegotiationError::NoCommonCodec { offered: vec!["18".into(), "opus".into()] },
        ),
        (
            "m=audio 5000 RTP/AVP 96\na=rtpmap:96 PCMA/16000\n",
            NegotiationError::NoCommonCodec { offered: vec!["PCMA".into()] },
        ),
    ];
    for (media, expected) in cases {
        let error = refusal(media);
        assert_eq!(error, expected);
        assert_eq!(error.sip_status(), 488);
    }
    let nowhere = parse("v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nt=0 0\nm=audio 5000 RTP/AVP 8\n");
    let error = answer(&Capabilities::default(), &local(), &nowhere).unwrap_err();
    assert_eq!(error, NegotiationError::MissingConnection);
}

#[test]
fn media_is_sent_to_one_host_and_to_no_group() {
    for host in ["IP4 224.2.1.1/127", "IP4 239.0.0.9", "IP4 255.255.255.255", "IP6 ff02::1"] {
        let text =
            format!("v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN {host}\nt=0 0\nm=audio 5000 RTP/AVP 8\n");
        let error = answer(&Capabilities::default(), &local(), &parse(&text)).unwrap_err();
        assert!(matches!(error, NegotiationError::NotOneHost { .. }), "{host}: {error}");
        assert_eq!(error.sip_status(), 488);
        let mut alice = negotiator();
        alice.offer();
        assert!(
            matches!(alice.accept_answer(&parse(&text)), Err(NegotiationError::NotOneHost { .. })),
            "{host}"
        );
    }
    let reports = answered("m=audio 5002 RTP/AVP 8\na=rtcp:6000 IN IP4 224.2.1.1\n");
    assert_eq!(reports.plan.remote_rtcp, Some("192.0.2.9:5003".parse().unwrap()));
}

#[test]
fn a_secure_stream_is_passed_over_for_a_plain_one() {
    let negotiated = answered("m=audio 5000 RTP/SAVP 8\nm=audio 5002 RTP/AVP 8\nm=image 6000 udptl t38\n");
    let shape: Vec<_> = negotiated.description.media.iter().map(|m| (m.protocol.as_str(), m.port)).collect();
    assert_eq!(shape, [("RTP/SAVP", 0), ("RTP/AVP", 4000), ("udptl", 0)]);
    assert_eq!(negotiated.plan.remote, Some("192.0.2.9:5002".parse().unwrap()));
}

#[test]
fn answers_that_do_not_fit_the_offer_are_refused() {
    let mut alice = negotiator();
    let peer = remote("m=audio 5000 RTP/AVP 8\n");
    assert_eq!(alice.accept_answer(&peer), Err(NegotiationError::NoOffer));
    let cases = [
        ("m=audio 0 RTP/AVP 8\n", NegotiationError::StreamRefused),
        ("m=audio 5000 RTP/AVP 18\n", NegotiationError::NoCommonCodec { offered: vec!["18".into()] }),
        (
            "m=audio 5000 RTP/AVP 8\nm=video 0 RTP/AVP 31\n",
            NegotiationError::StreamCount { offered: 1, answered: 2 },
        ),
    ];
    for (media, expected) in cases {
        let _offer = alice.offer();
        assert_eq!(alice.accept_answer(&remote(media)), Err(expected));
    }
}

#[test]
fn a_subset_of_codecs_limits_offer_and_answer() {
    let only_ulaw = Capabilities {
        codecs: CodecSpec::number([Codec::PCMU]),
        telephone_event: None,
        ..Capabilities::default()
    };
    assert_eq!(offer(&only_ulaw, &local()).media[0].formats, ["0"]);
    let peer = remote("m=audio 5000 RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\n");
    let negotiated = answer(&only_ulaw, &local(), &peer).unwrap();
    assert_eq!(negotiated.description.media[0].formats, ["0"]);
}

mod filter {
    use super::*;

    const TEXT: &str = "v=0\r\ns=-\r\nm=audio 4000 RTP/SAVP 8 0 9 96 120\r\nc=IN IP4 192.0.2.1\r\n\
        a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n\
        a=fmtp:96 useinbandfec=1\r\na=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\n\
        a=crypto:1 x\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";

    fn filtered(text: &str, allowed: &[&str]) -> CodecFilter {
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        filter_codecs(text, &allowed)
    }

    #[test]
    fn the_order_of_the_description_is_kept_and_dropped_formats_lose_their_lines() {
        let expected = "v=0\r\ns=-\r\nm=audio 4000 RTP/SAVP 0 9 120\r\nc=IN IP4 192.0.2.1\r\n\
            a=rtpmap:0 PCMU/8000\r\na=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\n\
            a=crypto:1 x\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";
        assert_eq!(filtered(TEXT, &["G722", "pcmu"]), CodecFilter::Filtered(expected.to_owned()));
    }

    #[test]
    fn line_feeds_stay_line_feeds() {
        let text = TEXT.replace("\r\n", "\n");
        let CodecFilter::Filtered(out) = filtered(&text, &["pcma"]) else { panic!("filtered") };
        assert!(out.contains("m=audio 4000 RTP/SAVP 8 120\n") && !out.contains('\r'));
    }

    #[test]
    fn an_empty_list_filters_nothing_and_an_impossible_one_is_not_applied() {
        assert_eq!(filtered(TEXT, &[]), CodecFilter::Filtered(TEXT.to_owned()));
        assert_eq!(filtered(TEXT, &["gsm"]), CodecFilter::WouldEmptyAudio);
    }
}
