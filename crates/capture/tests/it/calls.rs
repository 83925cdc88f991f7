//! Calls in captures, and the streams that belong to them.

use std::time::Duration;

use offhook_capture::analyze::{Analysis, Call, Ending, Party, analyze};

use crate::trace::{ALICE, ALICE_RTP, BOB, BOB_RTP, DIALOG, Dialog, Trace, address, rtp, sdp};

const MILLISECOND: Duration = Duration::from_millis(1);

/// An answered call with media both ways, without its end: 180 after 100 ms, 200 after 1 s, media
/// for 2 s.
fn answered() -> Trace {
    let mut trace = Trace::new();
    let offer = sdp(ALICE_RTP, "8 100", &["100 telephone-event/8000"]);
    let answer = sdp(BOB_RTP, "8 100", &["8 PCMA/8000", "100 telephone-event/8000"]);
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, &offer));
    trace.now = 100;
    trace.udp(BOB, ALICE, &DIALOG.response("180 Ringing", "INVITE", 1, ""));
    trace.now = 1000;
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 1, &answer));
    trace.udp(ALICE, BOB, &DIALOG.request("ACK", 1, true, ""));
    for sequence in 0..50 {
        trace.rtp(ALICE_RTP, BOB_RTP, (8, 0xA), 65_530_u16.wrapping_add(sequence));
        trace.rtp(BOB_RTP, ALICE_RTP, (8, 0xB), sequence);
    }
    trace
}

fn only(analysis: &Analysis) -> &Call {
    assert_eq!(analysis.calls.len(), 1);
    &analysis.calls[0]
}

#[test]
fn an_answered_call_is_told_with_its_parties_and_times() {
    let mut trace = answered();
    trace.udp(BOB, ALICE, &DIALOG.backwards("BYE", 7));
    trace.udp(ALICE, BOB, &DIALOG.response("200 OK", "BYE", 7, ""));
    let analysis = trace.analysis();
    let call = only(&analysis);
    assert_eq!(call.call_id, "one@192.0.2.1");
    assert_eq!((call.from.as_str(), call.to.as_str()), ("sip:alice@192.0.2.1", "sip:bob@198.51.100.2"));
    assert_eq!((call.invited_at, call.answered_at), (Some(Duration::ZERO), Some(1000 * MILLISECOND)));
    assert_eq!((call.final_status, call.ending), (Some(200), Ending::HungUp(Some(Party::Callee))));
    assert_eq!((call.ended_at, call.messages), (Some(3000 * MILLISECOND), 6));
    assert_eq!(analysis.sip_messages, 6);
}

#[test]
fn streams_are_joined_by_the_addresses_of_the_descriptions() {
    let mut trace = answered();
    (0..5).for_each(|sequence| trace.rtp("192.0.2.50:9000", "192.0.2.51:9002", (0, 5), sequence));
    let analysis = trace.analysis();
    let streams = &only(&analysis).streams;
    assert_eq!(streams.len(), 2);
    assert_eq!(
        (streams[0].from, streams[0].to, streams[0].ssrc),
        (address(ALICE_RTP), address(BOB_RTP), 0xA)
    );
    let stream = &streams[0];
    assert_eq!((stream.packets, stream.lost, stream.duplicates, stream.reordered), (50, 0, 0, 0));
    assert_eq!((stream.stray, stream.restarts), (0, 0));
    assert_eq!(stream.first_at, Some(1000 * MILLISECOND));
    assert_eq!(stream.last_at, Some((1000 + 49 * 40) * MILLISECOND));
    assert_eq!(stream.longest_gap, Some(40 * MILLISECOND));
    assert_eq!(analysis.other_streams.len(), 1);
    assert_eq!(analysis.other_streams[0].codecs[0].name, "PCMU");
}

#[test]
fn payload_types_have_the_names_that_the_receiver_gave_them() {
    let mut trace = Trace::new();
    // Each side has its own number for the same codec.
    let offer = sdp(ALICE_RTP, "97 98", &["97 opus/48000/2", "98 iLBC/8000"]);
    let answer = sdp(BOB_RTP, "98", &["98 G726-32/8000"]);
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, &offer));
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 1, &answer));
    trace.rtp(ALICE_RTP, BOB_RTP, (98, 1), 1);
    trace.rtp(ALICE_RTP, BOB_RTP, (97, 1), 2);
    trace.rtp(ALICE_RTP, BOB_RTP, (13, 1), 3);
    trace.rtp(ALICE_RTP, BOB_RTP, (98, 1), 4);
    let analysis = trace.analysis();
    let codecs: Vec<(u8, &str, u64)> = only(&analysis).streams[0]
        .codecs
        .iter()
        .map(|codec| (codec.payload_type, codec.name.as_str(), codec.packets))
        .collect();
    // 97 is not in the answer, but its sender announced it; 13 is static.
    assert_eq!(codecs, [(98, "G726-32", 2), (97, "opus", 1), (13, "CN", 1)]);
}

#[test]
fn losses_copies_and_disorder_of_a_stream_are_counted() {
    let mut trace = Trace::new();
    for sequence in [65_534, 65_535, 2, 1, 1, 3, 20] {
        trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), sequence);
    }
    trace.now += 480;
    trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), 21);
    let analysis = trace.analysis();
    let stream = &analysis.other_streams[0];
    assert_eq!((stream.packets, stream.lost, stream.duplicates, stream.reordered), (8, 17, 1, 1));
    assert_eq!(stream.longest_gap, Some(500 * MILLISECOND));
}

#[test]
fn two_sources_between_the_same_addresses_are_two_streams() {
    let mut trace = answered();
    (0..3).for_each(|sequence| trace.rtp(ALICE_RTP, BOB_RTP, (8, 0xC), sequence));
    let analysis = trace.analysis();
    let sources: Vec<u32> = only(&analysis).streams.iter().map(|stream| stream.ssrc).collect();
    assert_eq!(sources, [0xA, 0xB, 0xC]);
}

#[test]
fn a_caller_who_hangs_up_and_one_who_gives_up_are_told_apart() {
    let mut trace = answered();
    trace.udp(ALICE, BOB, &DIALOG.request("BYE", 2, true, ""));
    assert_eq!(only(&trace.analysis()).ending, Ending::HungUp(Some(Party::Caller)));

    let mut trace = Trace::new();
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, ""));
    trace.udp(ALICE, BOB, &DIALOG.request("CANCEL", 1, false, ""));
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "CANCEL", 1, ""));
    trace.now = 30;
    trace.udp(BOB, ALICE, &DIALOG.response("487 Request Terminated", "INVITE", 1, ""));
    let analysis = trace.analysis();
    let call = only(&analysis);
    assert_eq!((call.ending, call.final_status), (Ending::Cancelled, Some(487)));
    assert_eq!((call.ended_at, call.answered_at), (Some(30 * MILLISECOND), None));
}

#[test]
fn a_call_without_an_end_is_open() {
    let analysis = answered().analysis();
    assert_eq!((only(&analysis).ending, only(&analysis).ended_at), (Ending::Open, None));
    let mut trace = Trace::new();
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, ""));
    assert_eq!(only(&trace.analysis()).ending, Ending::Open);
}

#[test]
fn the_last_try_after_a_challenge_counts() {
    let mut trace = Trace::new();
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, ""));
    trace.udp(BOB, ALICE, &DIALOG.response("401 Unauthorized", "INVITE", 1, ""));
    trace.now = 50;
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 2, false, ""));
    let mut unanswered = Trace::new();
    unanswered.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, ""));
    unanswered.udp(BOB, ALICE, &DIALOG.response("401 Unauthorized", "INVITE", 1, ""));
    unanswered.udp(ALICE, BOB, &DIALOG.request("INVITE", 2, false, ""));
    let analysis = unanswered.analysis();
    assert_eq!((only(&analysis).ending, only(&analysis).final_status), (Ending::Open, None));
    assert_eq!(only(&analysis).ended_at, None);
    let mut refused = Trace::new();
    refused.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, ""));
    refused.udp(BOB, ALICE, &DIALOG.response("486 Busy Here", "INVITE", 1, ""));
    let analysis = refused.analysis();
    assert_eq!((only(&analysis).ending, only(&analysis).final_status), (Ending::Refused, Some(486)));
    // A late copy of the challenge does not count either.
    trace.udp(BOB, ALICE, &DIALOG.response("401 Unauthorized", "INVITE", 1, ""));
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 2, ""));
    let analysis = trace.analysis();
    let call = only(&analysis);
    assert_eq!((call.invited_at, call.answered_at), (Some(Duration::ZERO), Some(50 * MILLISECOND)));
    assert_eq!((call.final_status, call.ending, call.ended_at), (Some(200), Ending::Open, None));
}

#[test]
fn what_happens_inside_a_call_does_not_change_its_status() {
    let mut trace = answered();
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 2, true, ""));
    trace.udp(BOB, ALICE, &DIALOG.response("488 Not Acceptable Here", "INVITE", 2, ""));
    let analysis = trace.analysis();
    assert_eq!((only(&analysis).final_status, only(&analysis).ending), (Some(200), Ending::Open));
}

#[test]
fn a_call_that_began_before_the_capture_is_told_as_far_as_it_is_known() {
    let mut trace = Trace::new();
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 2, true, ""));
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 2, ""));
    trace.udp(BOB, ALICE, &DIALOG.backwards("BYE", 7));
    let analysis = trace.analysis();
    let call = only(&analysis);
    assert_eq!((call.invited_at, call.final_status), (None, None));
    assert_eq!(call.ending, Ending::HungUp(None));
}

#[test]
fn registrations_and_the_like_are_messages_but_no_calls() {
    let mut trace = Trace::new();
    for method in ["REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE"] {
        trace.udp(ALICE, BOB, &DIALOG.request(method, 1, false, ""));
        trace.udp(BOB, ALICE, &DIALOG.response("200 OK", method, 1, ""));
    }
    trace.udp(ALICE, BOB, b"\r\n\r\n");
    let analysis = trace.analysis();
    assert_eq!((analysis.calls.len(), analysis.sip_messages), (0, 8));
}

#[test]
fn calls_over_tcp_are_found_whatever_the_segments() {
    let offer = sdp(ALICE_RTP, "8", &[]);
    let long = format!("{offer}a={}\r\n", "x".repeat(60_000));
    let mut trace = Trace::new();
    let requests = [DIALOG.request("INVITE", 1, false, &long), DIALOG.request("ACK", 1, true, "")].concat();
    let (first, rest) = requests.split_at(700);
    trace.tcp(ALICE, BOB, first);
    trace.tcp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 1, &sdp(BOB_RTP, "8", &[])));
    trace.tcp(ALICE, BOB, rest);
    trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), 1);
    let analysis = trace.analysis();
    let call = only(&analysis);
    assert_eq!((call.messages, call.streams.len()), (3, 1));
    // The 200 was complete before the INVITE was.
    assert_eq!((call.final_status, analysis.sip_messages), (None, 3));
}

#[test]
fn a_call_over_ipv6_has_its_streams() {
    let (alice, bob) = ("[2001:db8::1]:5060", "[2001:db8::2]:5060");
    let mut trace = Trace::new();
    let offer = sdp("[2001:db8::1]:4000", "8", &[]);
    trace.udp(alice, bob, &DIALOG.request("INVITE", 1, false, &offer));
    trace.rtp("[2001:db8::2]:6000", "[2001:db8::1]:4000", (8, 1), 1);
    assert_eq!(only(&trace.analysis()).streams.len(), 1);
}

#[test]
fn calls_that_use_an_address_one_after_the_other_have_their_own_streams() {
    let mut trace = Trace::new();
    let offer = sdp(ALICE_RTP, "8", &[]);
    for (call_id, ssrc) in [("first", 1), ("second", 2)] {
        let dialog = Dialog { call_id, ..DIALOG };
        trace.udp(ALICE, BOB, &dialog.request("INVITE", 1, false, &offer));
        trace.udp(BOB, ALICE, &dialog.response("200 OK", "INVITE", 1, ""));
        (0..10).for_each(|sequence| trace.rtp(BOB_RTP, ALICE_RTP, (8, ssrc), sequence));
        trace.udp(ALICE, BOB, &dialog.request("BYE", 2, true, ""));
        trace.now += 10;
    }
    // Long after both.
    trace.now += 60_000;
    (0..10).for_each(|sequence| trace.rtp(BOB_RTP, ALICE_RTP, (8, 3), sequence));
    let analysis = trace.analysis();
    let sources: Vec<Vec<u32>> =
        analysis.calls.iter().map(|call| call.streams.iter().map(|stream| stream.ssrc).collect()).collect();
    assert_eq!(sources, [[1], [2]]);
    assert_eq!(analysis.other_streams[0].ssrc, 3);
}

#[test]
fn media_may_come_before_the_description_but_not_only_before() {
    let mut trace = Trace::new();
    (0..10).for_each(|sequence| trace.rtp(ALICE_RTP, BOB_RTP, (8, 1), sequence));
    trace.now += 10;
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, ""));
    trace.rtp(BOB_RTP, ALICE_RTP, (8, 2), 1);
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 1, &sdp(BOB_RTP, "8", &[])));
    trace.rtp(BOB_RTP, ALICE_RTP, (8, 2), 2);
    let analysis = trace.analysis();
    assert_eq!((only(&analysis).streams.len(), only(&analysis).streams[0].ssrc), (1, 2));
    assert_eq!(analysis.other_streams[0].ssrc, 1);
}

#[test]
fn refused_and_held_media_claim_no_address() {
    let mut trace = Trace::new();
    let held = sdp(ALICE_RTP, "8", &[]).replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
    let refused = sdp("192.0.2.1:0", "8", &[]);
    let fax = sdp(ALICE_RTP, "t38", &[]).replace("m=audio 4000 RTP/AVP", "m=image 4000 udptl");
    for (cseq, description) in (1..).zip([held, refused, fax, "no description".to_owned()]) {
        trace.udp(ALICE, BOB, &DIALOG.request("INVITE", cseq, false, &description));
    }
    for to in [ALICE_RTP, "0.0.0.0:4000", "192.0.2.1:0"] {
        (0..3).for_each(|sequence| trace.rtp(BOB_RTP, to, (8, 1), sequence));
    }
    let analysis = trace.analysis();
    assert_eq!((only(&analysis).streams.len(), analysis.other_streams.len()), (0, 3));
}

#[test]
fn a_stream_between_two_calls_belongs_to_the_one_that_receives_it() {
    let mut trace = Trace::new();
    for (call_id, address) in [("receiver", ALICE_RTP), ("sender", BOB_RTP)] {
        let dialog = Dialog { call_id, ..DIALOG };
        trace.udp(ALICE, BOB, &dialog.request("INVITE", 1, false, &sdp(address, "8", &[])));
    }
    trace.rtp(BOB_RTP, ALICE_RTP, (8, 1), 1);
    let analysis = trace.analysis();
    let streams = analysis.calls.iter().map(|call| (call.call_id.as_str(), call.streams.len()));
    assert_eq!(streams.collect::<Vec<_>>(), [("receiver", 1), ("sender", 0)]);
}

#[test]
fn bytes_that_only_look_like_rtp_are_no_stream() {
    let mut trace = Trace::new();
    for number in 0..5_u16 {
        let mut packet = rtp(8, u32::from(number) * 77, number * 9000);
        packet.truncate(40);
        trace.udp(ALICE_RTP, "192.0.2.53:53", &packet);
    }
    let analysis = trace.analysis();
    assert_eq!((analysis.other_streams.len(), analysis.left_out.doubtful_packets), (0, 5));
    assert_eq!(analysis.rtp_flows[0].count, 5, "the rows keep to the plain rule");
}

#[test]
fn a_message_cut_by_the_snapshot_length_counts_without_its_description() {
    let mut trace = Trace::new();
    let offer = sdp(ALICE_RTP, "8 96", &["96 opus/48000/2"]);
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, &offer));
    let file = trace.file();
    // The same packet in a classic capture that kept all but the last 30 bytes.
    let mut reader = offhook_capture::read::Reader::new(file.as_slice()).unwrap();
    let packet = reader.next_record().unwrap().unwrap().bytes.to_vec();
    let (kept, whole) = (packet.len() as u32 - 30, packet.len() as u32);
    let head = [0xA1B2_C3D4, 0x0004_0002, 0, 0, kept, 101, 7, 0, kept, whole];
    let mut file: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
    file.extend(&packet[..kept as usize]);
    let late = rtp(96, 1, 1);
    let mut framer = offhook_capture::frame::Framer::default();
    let packet = framer.udp(address(BOB_RTP), address(ALICE_RTP), &late).unwrap();
    let length = packet.len() as u32;
    file.extend([8, 0, length, length].into_iter().flat_map(u32::to_le_bytes));
    file.extend(packet);
    let analysis = analyze(file.as_slice());
    assert_eq!((analysis.skipped.cut, only(&analysis).messages), (1, 1));
    assert_eq!(only(&analysis).streams, []);
}

#[test]
fn texts_of_strangers_are_cut() {
    let mut trace = Trace::new();
    let call_id: &'static str = Box::leak("é".repeat(5000).into_boxed_str());
    let dialog = Dialog { call_id, tags: (call_id, "b") };
    let message = String::from_utf8(dialog.request("INVITE", 1, false, "")).unwrap();
    trace.udp(ALICE, BOB, message.replace("alice@", &format!("{}@", "a".repeat(5000))).as_bytes());
    let analysis = trace.analysis();
    let call = only(&analysis);
    assert_eq!((call.call_id.as_str(), call.from.len()), ("é".repeat(128).as_str(), 256));
}
