//! Seeded mutations of good captures: nothing panics, and what comes out is bounded by what went
//! in.

use std::path::Path;

use offhook_capture::read::Reader;
use offhook_capture::write::{Format, Writer};
use offhook_seed::Seed;

use crate::fuzz_checks;
use crate::trace::{ALICE, ALICE_RTP, BOB, BOB_RTP, DIALOG, Trace, sdp};

/// Flips, cuts, copies and swaps bytes of `good`.
fn mutated(good: &[u8], seed: &mut Seed) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + seed.next_u16() % 8 {
        let place = |seed: &mut Seed, length: usize| (seed.next_unit() * length as f64) as usize;
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = place(seed, bytes.len());
        match seed.next_u16() % 7 {
            0 => bytes[at] = seed.next_u16() as u8,
            1 => bytes[at] ^= 1 << (seed.next_u16() % 8),
            2 => bytes.truncate(at.max(bytes.len() / 2)),
            3 => bytes.insert(at, [0, 1, 0x7F, 0x80, 0xFF, b'\n', b' ', 4][usize::from(seed.next_u16() % 8)]),
            4 => {
                let end = (at + place(seed, 60)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = place(seed, bytes.len());
                bytes.splice(to..to, part);
            }
            5 => {
                // Words of whole numbers lie on words in captures.
                let at = at & !3;
                let numbers = [0, 1, 3, 12, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFC, seed.next_u32()];
                let number = numbers[usize::from(seed.next_u16() % 8)];
                if let Some(word) = bytes.get_mut(at..at + 4) {
                    word.copy_from_slice(&u32::to_le_bytes(number));
                }
            }
            _ => {
                let end = (at + place(seed, 10)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

/// A call over UDP and another over TCP, with media, RTCP and a fragment.
fn good() -> Vec<u8> {
    let mut trace = Trace::new();
    let (offer, answer) = (sdp(ALICE_RTP, "8 96", &["96 opus/48000/2"]), sdp(BOB_RTP, "8", &[]));
    trace.udp(ALICE, BOB, &DIALOG.request("INVITE", 1, false, &offer));
    trace.udp(BOB, ALICE, &DIALOG.response("200 OK", "INVITE", 1, &answer));
    for sequence in [65_534, 65_535, 0, 2, 2, 1] {
        trace.rtp(ALICE_RTP, BOB_RTP, (8, 7), sequence);
    }
    trace.udp(ALICE_RTP, BOB_RTP, &[0x80, 200, 0, 0]);
    trace.tcp(ALICE, BOB, &[DIALOG.request("INVITE", 1, false, &offer), b"\r\n\r\n".to_vec()].concat());
    trace.tcp(ALICE, BOB, &DIALOG.request("BYE", 2, true, ""));
    trace.rtp("[2001:db8::1]:4000", "[2001:db8::2]:4000", (8, 7), 1);
    trace.raw(&[
        0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    trace.file()
}

/// The same packets in a classic capture.
fn as_classic(file: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Format::Pcap).unwrap();
    let interface = writer.interface("").unwrap();
    let mut reader = Reader::new(file).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        writer.packet(record.at.unwrap(), interface, record.bytes, None).unwrap();
    }
    writer.into_inner()
}

#[test]
fn mutated_captures_neither_panic_nor_grow() {
    let pcapng = good();
    let pcap = as_classic(&pcapng);
    let mut seed = Seed::new(17);
    for good in [pcapng, pcap] {
        fuzz_checks::capture(&good);
        for _ in 0..6000 {
            fuzz_checks::capture(&mutated(&good, &mut seed));
        }
    }
}

#[test]
fn mutated_packets_of_every_link_type_neither_panic_nor_grow() {
    let packets = as_classic(&good());
    let mut seed = Seed::new(18);
    for linktype in [0_u32, 1, 12, 101, 108, 113, 147, 228, 229, 276] {
        let mut file = packets.clone();
        file[20..24].copy_from_slice(&linktype.to_le_bytes());
        for _ in 0..800 {
            fuzz_checks::capture(&mutated(&file, &mut seed));
        }
    }
}

#[test]
fn the_fuzz_corpus_keeps_its_promises() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/capture");
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        fuzz_checks::capture(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}
