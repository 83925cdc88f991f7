//! SIP messages in TCP connections that were captured.
//!
//! RFC 9293 section 3.4 (numbers), RFC 3261 section 18.3 (messages in a stream). Segments may come
//! twice, out of order, or not at all. A direction that is not SIP, or has lost its place after a
//! gap, is looked at again whenever a segment begins like a message. Encrypted connections and
//! WebSocket stay unread.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use offhook_sip::framing::{Frame, StreamFramer};
use offhook_sip::message::Message;

use super::transport::{Content, Transport};

/// Most directions that are followed at a time.
const MOST_STREAMS: usize = 256;
/// The longest message, in bytes.
const MOST_MESSAGE: usize = 128 * 1024;
/// What waits in a direction for bytes before it, at most.
const MOST_WAITING: usize = 64;
const MOST_WAITING_BYTES: usize = 128 * 1024;
/// A segment that is farther away than any window is of another connection.
const MOST_APART: u32 = 1 << 20;
/// A start line is looked for in so many bytes.
const MOST_START_LINE: usize = 4096;

/// Returns whether bytes begin as a SIP message does (RFC 3261 section 7).
pub(crate) fn is_sip(bytes: &[u8]) -> bool {
    let begin = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let rest = bytes.get(begin..).unwrap_or_default();
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.get(..MOST_START_LINE).unwrap_or(line);
    line.starts_with(b"SIP/2.0 ") || line.strip_suffix(b"\r").unwrap_or(line).ends_with(b" SIP/2.0")
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Stream {
    /// Number of the byte that comes next.
    next: Option<u32>,
    /// Cuts messages while the direction is SIP.
    framer: Option<StreamFramer>,
    /// Segments that came too early, with their numbers.
    waiting: Vec<(u32, Vec<u8>)>,
    /// Place in the order of use.
    turn: u64,
}

/// The directions that were seen last.
#[derive(Debug, Default)]
pub(crate) struct SipStreams {
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
    turns: u64,
}

impl SipStreams {
    /// Takes what was captured, unless it is a datagram; gives each message that is complete.
    pub(crate) fn add(&mut self, transport: &Transport<'_>, mut found: impl FnMut(&Message)) {
        let Content::Tcp { sequence, is_opening } = transport.content else { return };
        let key = (transport.from, transport.to);
        if self.streams.len() == MOST_STREAMS && !self.streams.contains_key(&key) {
            let oldest = self.streams.iter().min_by_key(|(_, stream)| stream.turn).map(|(key, _)| *key);
            let mut oldest = oldest.and_then(|key| self.streams.remove(&key));
            oldest.iter_mut().for_each(|stream| stream.end(&mut found));
        }
        self.turns += 1;
        let stream = self.streams.entry(key).or_default();
        stream.turn = self.turns;
        if is_opening {
            stream.end(&mut found);
            *stream = Stream { next: Some(sequence.wrapping_add(1)), turn: self.turns, ..Stream::default() };
        } else if !transport.payload.is_empty() {
            stream.add(sequence, transport.payload, &mut found);
        }
        if transport.is_cut {
            // The rest of the segment is a gap.
            stream.framer = None;
        }
    }

    /// Gives the messages behind gaps that nothing will fill any more.
    pub(crate) fn end(&mut self, mut found: impl FnMut(&Message)) {
        self.streams.values_mut().for_each(|stream| stream.end(&mut found));
    }
}

impl Stream {
    fn add(&mut self, sequence: u32, bytes: &[u8], found: &mut impl FnMut(&Message)) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next).cast_signed();
        if ahead.unsigned_abs() > MOST_APART {
            self.end(found);
            self.framer = None;
            self.next = Some(sequence);
        } else if ahead > 0 && self.framer.is_none() {
            self.next = Some(sequence);
        } else if ahead > 0 {
            let bytes_waiting: usize = self.waiting.iter().map(|(_, bytes)| bytes.len()).sum();
            let is_full =
                self.waiting.len() == MOST_WAITING || bytes_waiting + bytes.len() > MOST_WAITING_BYTES;
            self.waiting.push((sequence, bytes.to_vec()));
            if is_full {
                self.end(found);
            }
            return;
        }
        self.take(sequence, bytes, found);
        self.take_waiting(found);
    }

    /// Gives up what is missing.
    fn end(&mut self, found: &mut impl FnMut(&Message)) {
        while let Some(next) = self.next {
            let nearest = self.waiting.iter().map(|(sequence, _)| *sequence);
            let Some(nearest) = nearest.min_by_key(|sequence| sequence.wrapping_sub(next)) else { return };
            self.framer = None;
            self.next = Some(nearest);
            self.take_waiting(found);
        }
    }

    /// Takes waiting segments as long as one follows on what was taken.
    fn take_waiting(&mut self, found: &mut impl FnMut(&Message)) {
        while let Some(next) = self.next {
            let follows = |(sequence, _): &(u32, Vec<u8>)| sequence.wrapping_sub(next).cast_signed() <= 0;
            let Some(at) = self.waiting.iter().position(follows) else { return };
            let (sequence, bytes) = self.waiting.swap_remove(at);
            self.take(sequence, &bytes, found);
        }
    }

    /// Takes a segment that begins at the next byte or before it.
    fn take(&mut self, sequence: u32, bytes: &[u8], found: &mut impl FnMut(&Message)) {
        let known = self.next.unwrap_or(sequence).wrapping_sub(sequence) as usize;
        let Some(fresh) = bytes.get(known..).filter(|fresh| !fresh.is_empty()) else { return };
        self.next = Some(sequence.wrapping_add(bytes.len() as u32));
        if self.framer.is_none() && is_sip(fresh) {
            self.framer = Some(StreamFramer::accepted(MOST_MESSAGE));
        }
        let Some(framer) = &mut self.framer else { return };
        framer.push(fresh);
        loop {
            match framer.poll_frame() {
                Ok(Some(Frame::Message(message))) => found(&message),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => return,
                Err(_) => {
                    self.framer = None;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u32, body: usize) -> Vec<u8> {
        let head = format!("OPTIONS sip:b@192.0.2.2 SIP/2.0\r\nCSeq: {number} OPTIONS\r\nl: {body}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; body]].concat()
    }

    /// Feeds segments at offsets of a stream whose numbers wrap in its middle, and returns the CSeq
    /// numbers.
    fn numbers(segments: &[(usize, &[u8])]) -> Vec<u32> {
        let mut streams = SipStreams::default();
        let mut found = Vec::new();
        for (offset, payload) in segments {
            let sequence = (u32::MAX - 50).wrapping_add(u32::try_from(*offset).unwrap());
            streams.add(&segment(sequence, payload), |message| found.push(message.cseq().unwrap().number));
        }
        streams.end(|message| found.push(message.cseq().unwrap().number));
        found
    }

    fn segment(sequence: u32, payload: &[u8]) -> Transport<'_> {
        Transport {
            from: "192.0.2.1:5060".parse().unwrap(),
            to: "192.0.2.2:5060".parse().unwrap(),
            payload,
            content: Content::Tcp { sequence, is_opening: false },
            is_cut: false,
        }
    }

    #[test]
    fn messages_in_any_segments_are_found() {
        let stream = [message(1, 0), message(2, 30), b"\r\n\r\n".to_vec(), message(3, 0)].concat();
        for length in 1..stream.len() {
            // The first segment must show that this is SIP.
            let (first, rest) = stream.split_at(40);
            let mut segments = vec![(0, first)];
            segments.extend(rest.chunks(length).enumerate().map(|(at, part)| (40 + at * length, part)));
            assert_eq!(numbers(&segments), [1, 2, 3], "{length}");
        }
    }

    #[test]
    fn segments_out_of_order_twice_and_overlapping_say_each_byte_once() {
        let stream = [message(1, 60), message(2, 0)].concat();
        let part = |range: std::ops::Range<usize>| (range.start, &stream[range]);
        let end = stream.len();
        let order = [part(0..50), part(90..120), part(90..120), part(120..end), part(40..100), part(0..50)];
        assert_eq!(numbers(&order), [1, 2]);
    }

    #[test]
    fn what_comes_behind_a_gap_is_found_at_the_next_message() {
        let messages = [message(1, 0), message(2, 60), message(3, 0), message(4, 0)];
        let stream = messages.concat();
        let third = messages[0].len() + messages[1].len();
        let first = messages[0].len();
        // The second message lost its middle.
        let segments =
            [(0, &stream[..first + 40]), (third - 20, &stream[third - 20..third]), (third, &stream[third..])];
        assert_eq!(numbers(&segments), [1, 3, 4]);
    }

    #[test]
    fn a_gap_is_given_up_when_too_much_waits() {
        let mut streams = SipStreams::default();
        let mut found = 0;
        let begun = message(1, 500);
        streams.add(&segment(0, &begun[..100]), |_| found += 1);
        let other = message(2, 0);
        for at in 0..1000 {
            streams.add(&segment(10_000 + at * other.len() as u32, &other), |_| found += 1);
        }
        let waiting = streams.streams.values().map(|stream| stream.waiting.len()).max();
        assert_eq!((found, waiting), (1000, Some(0)));
    }

    #[test]
    fn other_protocols_are_not_kept() {
        let mut streams = SipStreams::default();
        for at in 0..1000 {
            streams.add(&segment(at * 1000, &[0x16; 1000]), |_| panic!("no message"));
        }
        let stream = streams.streams.values().next().unwrap();
        assert!(stream.framer.is_none() && stream.waiting.is_empty());
        assert!(is_sip(b"\r\nSIP/2.0 200 OK\r\n") && is_sip(b"ACK sip:a SIP/2.0"));
        assert!(!is_sip(b"GET / HTTP/1.1\r\n") && !is_sip(b""));
    }

    #[test]
    fn a_connection_that_begins_again_is_a_new_one() {
        let mut streams = SipStreams::default();
        let mut found = 0;
        let (first, half) = (message(1, 0), message(2, 100));
        streams.add(&segment(5_000_000, &first), |_| found += 1);
        streams.add(&segment(5_000_000 + first.len() as u32, &half[..60]), |_| found += 1);
        let mut opening = segment(8, b"");
        opening.content = Content::Tcp { sequence: 8, is_opening: true };
        streams.add(&opening, |_| found += 1);
        streams.add(&segment(9, &first), |_| found += 1);
        assert_eq!(found, 2);
        // Without its beginning, the numbers tell.
        streams.add(&segment(9_000_000, &first), |_| found += 1);
        streams.add(&segment(9_000_000 + first.len() as u32, &half[..60]), |_| found += 1);
        streams.add(&segment(77, &first), |_| found += 1);
        assert_eq!(found, 4);
    }

    #[test]
    fn a_segment_cut_by_the_snapshot_length_is_a_gap() {
        let mut streams = SipStreams::default();
        let mut found = Vec::new();
        let (long, next) = (message(1, 60), message(2, 0));
        let mut cut = segment(0, &long[..90]);
        cut.is_cut = true;
        streams.add(&cut, |message| found.push(message.cseq().unwrap().number));
        let after = segment(long.len() as u32, &next);
        streams.add(&after, |message| found.push(message.cseq().unwrap().number));
        assert_eq!(found, [2]);
    }

    #[test]
    fn directions_are_bounded_in_number_and_the_one_in_use_stays() {
        let mut streams = SipStreams::default();
        let (message, long) = (message(1, 0), message(2, 2000));
        let mut found = Vec::new();
        for (at, byte) in long.chunks(1).enumerate().skip(60) {
            let mut other = segment(1, &message);
            other.from.set_port(10_000 + u16::try_from(at).unwrap());
            streams.add(&other, |message| found.push(message.cseq().unwrap().number));
            let (sequence, bytes) = if at == 60 { (0, &long[..61]) } else { (at as u32, byte) };
            streams.add(&segment(sequence, bytes), |message| found.push(message.cseq().unwrap().number));
        }
        assert_eq!(streams.streams.len(), MOST_STREAMS);
        assert_eq!((found.len(), found.last()), (long.len() - 60 + 1, Some(&2)));
    }

    #[test]
    fn a_direction_that_is_given_up_says_what_waited_in_it() {
        let mut streams = SipStreams::default();
        let (long, short) = (message(1, 60), message(2, 0));
        let mut found = 0;
        streams.add(&segment(0, &long[..90]), |_| found += 1);
        streams.add(&segment(200, &short), |_| found += 1);
        assert_eq!(found, 0, "the rest of the first may still come");
        for port in 1..=256 {
            let mut other = segment(1, b"x");
            other.from.set_port(port);
            streams.add(&other, |_| found += 1);
        }
        assert_eq!(found, 1);
    }
}
