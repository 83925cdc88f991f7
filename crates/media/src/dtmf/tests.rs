//! Events over a lossy path, long events, and the timing of the sender.

use std::time::{Duration, Instant};

use super::*;
use crate::testkit::epoch;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn digit(character: char) -> Digit {
    Digit::from_char(character).unwrap()
}

/// Runs the sender for `ticks` from timestamp 1000 and returns (tick, packet).
fn packets(sender: &mut EventSender, ticks: u32) -> Vec<(u32, EventPacket)> {
    (0..ticks).filter_map(|tick| Some((tick, sender.tick(1000 + tick * 160, 160)?))).collect()
}

fn ended(changes: &[EventChange]) -> Vec<ReceivedEvent> {
    let ended =
        |change: &EventChange| if let EventChange::Ended(event) = change { Some(*event) } else { None };
    changes.iter().filter_map(ended).collect()
}

#[test]
fn a_beginning_is_told_once_at_the_first_packet_and_before_the_end() {
    let (start, mut receiver) = (epoch(), EventReceiver::new(8000));
    let payload = |end, duration| EventPayload { event: 4, end, volume: 10, duration };
    let mut told = Vec::new();
    for (tick, (end, duration)) in
        (0u32..).zip([(false, 160), (false, 320), (true, 480), (true, 480), (true, 480)])
    {
        let changes = receiver.handle(start + MS(20) * tick, 1000, true, &[payload(end, duration)]);
        told.extend(changes.into_iter().map(|change| (tick, change)));
    }
    let whole = ReceivedEvent { event: 4, duration: MS(60), ended: true };
    assert_eq!(told, [(0, EventChange::Started(4)), (2, EventChange::Ended(whole))]);
}

/// Feeds packets 20 ms apart, except those `lost`, and lets the receiver time out after them.
fn received(packets: &[(u32, EventPacket)], lost: impl Fn(usize) -> bool) -> Vec<(u8, u64)> {
    let (start, mut receiver) = (epoch(), EventReceiver::new(8000));
    let mut events = Vec::new();
    let mut now: Instant = start;
    for (index, (tick, packet)) in packets.iter().enumerate() {
        now = start + MS(20) * *tick;
        events.extend(receiver.poll(now));
        if !lost(index) {
            events.extend(ended(&receiver.handle(now, packet.timestamp, true, &[packet.payload])));
        }
    }
    events.extend(receiver.poll(now + MS(200)));
    assert_eq!(receiver.poll(now + MS(1000)), None);
    events.iter().map(|event| (event.event, event.duration.as_millis() as u64)).collect()
}

#[test]
fn a_digit_has_one_timestamp_growing_duration_and_three_ends() {
    let mut sender = EventSender::new(8000);
    sender.push(digit('5'), MS(60), MS(80));
    let sent = packets(&mut sender, 12);
    let shape: Vec<_> = sent
        .iter()
        .map(|(tick, p)| (*tick, p.timestamp, p.marker, p.payload.duration, p.payload.end))
        .collect();
    assert_eq!(
        shape,
        [
            (0, 1000, true, 160, false),
            (1, 1000, false, 320, false),
            (2, 1000, false, 480, true),
            (3, 1000, false, 480, true),
            (4, 1000, false, 480, true),
        ]
    );
    assert!(sender.is_idle());
}

#[test]
fn the_gap_lies_between_the_end_of_a_digit_and_the_next() {
    let mut sender = EventSender::new(8000);
    sender.push(digit('1'), MS(40), MS(100));
    sender.push(digit('2'), MS(40), MS(100));
    let sent = packets(&mut sender, 30);
    let starts: Vec<_> = sent.iter().filter(|(_, p)| p.marker).map(|(tick, _)| *tick).collect();
    // Sounding in ticks 0 and 1, then five ticks of gap.
    assert_eq!(starts, [0, 7]);
    assert_eq!(sent[5].1.timestamp, 1000 + 7 * 160);
}

#[test]
fn every_digit_is_received_once_whatever_single_packet_is_lost() {
    let mut sender = EventSender::new(8000);
    "19*#AD".chars().for_each(|character| sender.push(digit(character), MS(100), MS(60)));
    let sent = packets(&mut sender, 100);
    let expected: Vec<_> = [1, 9, 10, 11, 12, 15].map(|event| (event, 100)).to_vec();
    assert_eq!(received(&sent, |_| false), expected);
    for lost in 0..sent.len() {
        assert_eq!(received(&sent, |index| index == lost), expected, "packet {lost} lost");
    }
}

#[test]
fn lost_starts_middles_and_ends_still_make_one_digit() {
    let mut sender = EventSender::new(8000);
    sender.push(digit('7'), MS(100), MS(60));
    sender.push(digit('7'), MS(100), MS(60));
    let sent = packets(&mut sender, 40);
    assert_eq!(sent.len(), 14);
    // Seven packets each: four, the end, two copies of it.
    let first = |index: usize| index % 7 < 4;
    assert_eq!(received(&sent, first), [(7, 100), (7, 100)]);
    let all_but_one_end = |index: usize| matches!(index % 7, 4 | 5);
    assert_eq!(received(&sent, all_but_one_end), [(7, 100), (7, 100)]);
    let all_ends = |index: usize| index % 7 >= 4;
    assert_eq!(received(&sent, all_ends), [(7, 80), (7, 80)]);
}

#[test]
fn late_copies_and_disorder_report_nothing_twice() {
    let mut sender = EventSender::new(8000);
    sender.push(digit('3'), MS(60), MS(60));
    let mut sent = packets(&mut sender, 10);
    sent.swap(1, 2);
    let copies: Vec<_> = sent.iter().chain(&sent).copied().collect();
    assert_eq!(received(&copies, |_| false), [(3, 60)]);
}

#[test]
fn a_long_event_is_sent_in_segments_and_received_as_one() {
    let mut sender = EventSender::new(8000);
    sender.push(digit('0'), MS(20_000), MS(0));
    let sent = packets(&mut sender, 1010);
    let mut segments: Vec<u32> = sent.iter().map(|(_, packet)| packet.timestamp).collect();
    segments.dedup();
    assert_eq!(segments, [1000, 1000 + 0xFFFF, 1000 + 2 * 0xFFFF]);
    assert_eq!(sent.iter().filter(|(_, packet)| packet.marker).count(), 1);
    for (_, packet) in sent.iter().filter(|(_, packet)| packet.payload.duration == 0xFFFF) {
        assert!(!packet.payload.end);
    }
    assert_eq!(received(&sent, |_| false), [(0, 20_000)]);
    assert_eq!(received(&sent, |index| index % 3 == 1), [(0, 20_000)]);
}

fn ends(event: u8, duration: u16) -> EventPayload {
    EventPayload { event, end: true, volume: 10, duration }
}

/// Feeds whole packets 20 ms apart and returns the events that they end.
fn heard(packets: &[(u32, bool, Vec<EventPayload>)]) -> Vec<u8> {
    let (start, mut receiver) = (epoch(), EventReceiver::new(8000));
    let mut heard = Vec::new();
    for (tick, (timestamp, in_order, events)) in (0u32..).zip(packets) {
        let changes = receiver.handle(start + MS(20) * tick, *timestamp, *in_order, events);
        heard.extend(ended(&changes).iter().map(|event| event.event));
    }
    heard
}

#[test]
fn events_in_one_packet_follow_each_other_and_are_heard_once_each() {
    let three = vec![ends(1, 400), ends(2, 480), ends(3, 400)];
    let packets: Vec<_> = (0..3).map(|_| (u32::MAX - 500, true, three.clone())).collect();
    assert_eq!(heard(&packets), [1, 2, 3]);
    // The last goes on in packets of its own, whose timestamp is where it began.
    let begun = EventPayload { end: false, ..ends(3, 160) };
    let packets = [
        (1000, true, vec![ends(1, 400), ends(2, 480), begun]),
        (1000, true, vec![ends(1, 400), ends(2, 480), EventPayload { duration: 320, ..begun }]),
        (1880, true, vec![ends(3, 480)]),
        (1880, true, vec![ends(3, 480)]),
    ];
    assert_eq!(heard(&packets), [1, 2, 3]);
}

#[test]
fn digits_are_heard_after_timestamps_have_jumped_back() {
    let digit = |event, timestamp| (0..3).map(move |_| (timestamp, true, vec![ends(event, 400)]));
    let packets: Vec<_> = digit(1, 900_000).chain(digit(2, 5000)).chain(digit(3, 7000)).collect();
    assert_eq!(heard(&packets), [1, 2, 3]);
    // One packet for each digit: it takes three to be sure.
    let single = |event: u8| (5000 + u32::from(event) * 1600, true, vec![ends(event, 400)]);
    let packets: Vec<_> = digit(1, 900_000).chain((2..8).map(single)).collect();
    assert_eq!(heard(&packets), [1, 4, 5, 6, 7]);
}

#[test]
fn old_copies_begin_no_timeline() {
    let digit = |event, timestamp| (0..3).map(move |_| (timestamp, true, vec![ends(event, 400)]));
    // Late packets of any kind; in-order packets of the event before; and late packets among newer
    // ones.
    let late = (0..9).map(|_| (1000, false, vec![ends(1, 400)]));
    let packets: Vec<_> = digit(1, 1000).chain(digit(2, 3000)).chain(digit(3, 5000)).chain(late).collect();
    assert_eq!(heard(&packets), [1, 2, 3]);
    let packets: Vec<_> = digit(1, 1000).chain(digit(2, 3000)).chain(digit(1, 1000)).collect();
    assert_eq!(heard(&packets), [1, 2]);
    let mixed = (0..9).flat_map(|_| [(1000, true, vec![ends(1, 400)]), (5000, true, vec![ends(3, 400)])]);
    let packets: Vec<_> = digit(1, 1000).chain(digit(2, 3000)).chain(digit(3, 5000)).chain(mixed).collect();
    assert_eq!(heard(&packets), [1, 2, 3]);
}

#[test]
fn stopping_forgets_everything() {
    let mut sender = EventSender::new(8000);
    sender.push(digit('1'), MS(100), MS(100));
    sender.push(digit('2'), MS(100), MS(100));
    assert!(sender.tick(0, 160).is_some() && sender.is_sounding());
    sender.stop();
    assert!(sender.is_idle());
    assert_eq!(sender.tick(160, 160), None);
}

#[test]
fn inband_digits_sound_for_their_time() {
    let mut sender = InbandSender::new(8000);
    sender.push(digit('1'), MS(50), MS(30));
    sender.push(Digit::FLASH, MS(50), MS(30));
    let mut audio = [7i16; 800];
    sender.fill(&mut audio);
    assert!(audio[..400].iter().any(|sample| sample.abs() > 5000));
    assert!(audio[400..640].iter().all(|sample| *sample == 0));
    // After the end of the queue the audio is not touched, and flash has no tone.
    assert!(audio[640..].iter().all(|sample| *sample == 7));
    assert!(sender.is_idle());
}
