//! Seeded mutations of good input: nothing panics, and what is accepted keeps its promises.

use std::io::Cursor;
use std::path::Path;

use offhook_media::audio::write_wav;
use offhook_media::rtcp::{
    Bye, NtpTime, ReportBlock, RtcpPacket, SenderReport, SourceDescription, write_compound,
};
use offhook_media::rtp::RtpPacket;
use offhook_seed::Seed;

use crate::fuzz_checks;
use crate::time::epoch;

const OFFER: &[u8] = b"v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\n\
m=audio 49170/2 RTP/AVP 0 8 97 101\r\na=rtpmap:97 PCMA/8000/1\r\na=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15,32\r\na=rtcp:5105 IN IP4 192.0.2.8\r\na=ptime:30\r\na=sendonly\r\n\
m=video 0 RTP/SAVPF 31\r\na=rtcp-mux\r\nm=image 6000 udptl t38\r\n";

/// Flips, cuts, copies and swaps bytes of `good`.
fn mutated(good: &[u8], seed: &mut Seed) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + seed.next_u16() % 6 {
        let place = |seed: &mut Seed, length: usize| (seed.next_unit() * length as f64) as usize;
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = place(seed, bytes.len());
        match seed.next_u16() % 6 {
            0 => bytes[at] = seed.next_u16() as u8,
            1 => bytes[at] ^= 1 << (seed.next_u16() % 8),
            2 => bytes.truncate(at),
            3 => bytes
                .insert(at, [0, 1, 0x7F, 0x80, 0xFF, b'\n', b' ', b'9'][usize::from(seed.next_u16() % 8)]),
            4 => {
                let end = (at + place(seed, 40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = place(seed, bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let end = (at + place(seed, 10)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

/// Replays the committed corpus of a fuzz target.
fn replay_corpus(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

fn replay(name: u64, goods: &[Vec<u8>], rounds: u32, check: impl Fn(&[u8])) {
    let mut seed = Seed::new(name);
    for good in goods {
        check(good);
        for _ in 0..rounds {
            check(&mutated(good, &mut seed));
        }
    }
}

fn rtp_packets() -> Vec<Vec<u8>> {
    let packet = |payload_type, sequence, payload: &[u8]| {
        let mut bytes = Vec::new();
        let timestamp = u32::from(sequence) * 160;
        RtpPacket { marker: sequence == 0, payload_type, sequence, timestamp, ssrc: 7, payload }
            .write(&mut bytes);
        bytes
    };
    let extended =
        vec![0xB1, 0x08, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 5, 0, 0, 3];
    vec![
        packet(8, 0, &[0xD5; 160]),
        packet(0, 1, &[0xFF; 80]),
        packet(120, 2, &[5, 0x8A, 1, 64, 6, 10, 0, 160]),
        extended,
    ]
}

fn compound() -> Vec<u8> {
    let blocks =
        vec![ReportBlock { ssrc: 9, fraction_lost: 3, cumulative_lost: -1, ..ReportBlock::default() }];
    let ntp = NtpTime::new(1, 2);
    let report = SenderReport { ssrc: 7, ntp, rtp_timestamp: 3, packets: 4, bytes: 5, blocks };
    let packets = [
        RtcpPacket::SenderReport(report),
        RtcpPacket::SourceDescription(SourceDescription::canonical_name(7, "a@192.0.2.1")),
        RtcpPacket::Other { packet_type: 207, count: 0, body: vec![0; 8] },
        RtcpPacket::Bye(Bye { sources: vec![7], reason: Some("end".to_owned()) }),
    ];
    let mut bytes = Vec::new();
    write_compound(&packets, &mut bytes);
    bytes
}

#[test]
fn descriptions() {
    let named = String::from_utf8_lossy(OFFER).replace("IP6 2001:db8::9", "IP4 media.example.com/127/2");
    replay(1, &[OFFER.to_vec(), named.into_bytes()], 10_000, fuzz_checks::sdp);
}

#[test]
fn rtp() {
    replay(2, &rtp_packets(), 20_000, fuzz_checks::rtp);
}

#[test]
fn rtcp() {
    replay(3, &[compound()], 40_000, fuzz_checks::rtcp);
}

#[test]
fn telephone_events() {
    let start = epoch();
    let event = |n: u8| [5, 0x0A | (n % 8 / 5) << 7, 0, n * 4];
    let single: Vec<u8> =
        (0..40).flat_map(|n| [vec![0, n / 8, 20, 0], event(n).to_vec(), vec![0; 8]].concat()).collect();
    let packed: Vec<u8> =
        (0..40).flat_map(|n| [vec![n / 30, n / 4, 20, 0], event(n).repeat(3)].concat()).collect();
    replay(4, &[single, packed], 10_000, |bytes| fuzz_checks::telephone_event(start, bytes));
}

#[test]
fn wave_files() {
    let mut file = Cursor::new(Vec::new());
    write_wav(&mut file, &[100; 64]).unwrap();
    let mut companded =
        b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0\x06\0\x01\0\x40\x1F\0\0\x40\x1F\0\0\x01\0\x08\0\0\0".to_vec();
    companded.extend(b"note\x03\0\0\0abc\0data\x10\0\0\0................");
    replay(5, &[file.into_inner(), companded], 3000, fuzz_checks::wav);
}

#[test]
fn sessions() {
    let start = epoch();
    let mut stream = Vec::new();
    for _ in 0..4 {
        for bytes in rtp_packets().into_iter().chain([compound()]) {
            stream.extend([u8::try_from(bytes.len()).unwrap(), 20]);
            stream.extend(bytes);
        }
    }
    replay(6, &[stream], 400, |bytes| fuzz_checks::session(start, bytes));
}

#[test]
fn fuzz_corpora() {
    let start = epoch();
    replay_corpus("sdp", fuzz_checks::sdp);
    replay_corpus("rtp", fuzz_checks::rtp);
    replay_corpus("rtcp", fuzz_checks::rtcp);
    replay_corpus("telephone_event", |bytes| fuzz_checks::telephone_event(start, bytes));
    replay_corpus("wav", fuzz_checks::wav);
    replay_corpus("media_session", |bytes| fuzz_checks::session(start, bytes));
}
