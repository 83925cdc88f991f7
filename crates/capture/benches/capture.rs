//! Costs of captures: a packet made and written, beside a plain copy of the same bytes and
//! pcap-file.
//!
//! Each figure is the best of several rounds over the same packets of a voice call.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark prints, reads the clock and may fail"
)]

use std::borrow::Cow;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_capture::analyze::analyze;
use offhook_capture::frame::Framer;
use offhook_capture::read::Reader;
use offhook_capture::write::{Format, Writer};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// Packets of one round: 100 s of one voice.
const PACKETS: u32 = 5000;
const AT: Duration = Duration::from_secs(1_700_000_000);

fn main() {
    let benches: [fn(); 3] = [frames, files, analyses];
    benches.into_iter().for_each(|run| run());
}

/// One short round, as `cargo test` runs it, shows that the bench still works.
fn rounds() -> u32 {
    if std::env::args().any(|argument| argument == "--bench") { 25 } else { 1 }
}

/// Returns the nanoseconds of one of the packets of a round, best of several rounds.
fn nanoseconds(mut round: impl FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / f64::from(PACKETS)
    };
    (0..rounds()).map(once).fold(f64::INFINITY, f64::min)
}

fn report(name: &str, nanoseconds: f64, plain: f64) {
    println!(
        "bench: capture/{name} = {nanoseconds:.1} ns ({:.1} M/s, {:.1} plain copies)",
        1000.0 / nanoseconds,
        nanoseconds / plain
    );
}

fn ends() -> (SocketAddr, SocketAddr) {
    ("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:4002".parse().unwrap())
}

/// A copy of a record of the size of `bytes` to the end of what was copied before.
fn plain_copy(bytes: &[u8]) -> f64 {
    let mut out = Vec::with_capacity(bytes.len() * PACKETS as usize);
    nanoseconds(|| {
        out.clear();
        (0..PACKETS).for_each(|_| out.extend_from_slice(black_box(bytes)));
        black_box(&out);
    })
}

fn frames() {
    let (from, to) = ends();
    let payload = [0x80; 172];
    let plain = plain_copy(&[0; 200]);
    let mut framer = Framer::default();
    let time = nanoseconds(|| {
        for _ in 0..PACKETS {
            black_box(framer.udp(from, to, black_box(&payload)).unwrap());
        }
    });
    report("frame a datagram of 172 bytes", time, plain);
}

fn files() {
    let (from, to) = ends();
    let mut framer = Framer::default();
    let packet = framer.udp(from, to, &[0x80; 172]).unwrap().to_vec();
    let plain = plain_copy(&[0; 216]);
    let room = 300 * PACKETS as usize;
    for (name, format) in [("pcap", Format::Pcap), ("pcapng", Format::Pcapng)] {
        let mut out = Vec::with_capacity(room);
        let time = nanoseconds(|| {
            out.clear();
            let mut writer = Writer::new(&mut out, format).unwrap();
            let phone = writer.interface("alice").unwrap();
            for _ in 0..PACKETS {
                writer.packet(AT, phone, black_box(&packet), None).unwrap();
            }
            black_box(writer.written());
        });
        report(&format!("write {name}"), time, plain);
    }
    let mut out = Vec::with_capacity(room);
    let time = nanoseconds(|| {
        out.clear();
        let mut writer = PcapWriter::new(&mut out).unwrap();
        let bytes = black_box(&packet);
        for _ in 0..PACKETS {
            let packet =
                PcapPacket { timestamp: AT, orig_len: bytes.len() as u32, data: Cow::Borrowed(bytes) };
            writer.write_packet(&packet).unwrap();
        }
    });
    report("write pcap, pcap-file", time, plain);
}

/// A capture of one voice, read and analyzed.
fn analyses() {
    let (from, to) = ends();
    let mut framer = Framer::default();
    let plain = plain_copy(&[0; 216]);
    for (name, format) in [("pcap", Format::Pcap), ("pcapng", Format::Pcapng)] {
        let mut writer = Writer::new(Vec::new(), format).unwrap();
        let phone = writer.interface("alice").unwrap();
        for number in 0..PACKETS {
            let [_, _, high, low] = number.to_be_bytes();
            let payload = [[0x80, 8, high, low].as_slice(), &[7; 168]].concat();
            let at = AT + Duration::from_millis(20) * number;
            writer.packet(at, phone, framer.udp(from, to, &payload).unwrap(), None).unwrap();
        }
        let file = writer.into_inner();
        let time = nanoseconds(|| {
            let mut reader = Reader::new(black_box(file.as_slice())).unwrap();
            while let Some(record) = reader.next_record().unwrap() {
                black_box(record);
            }
        });
        report(&format!("read {name}"), time, plain);
        let time = nanoseconds(|| {
            let analysis = analyze(black_box(file.as_slice()));
            assert_eq!(analysis.rtp_flows.len(), 1);
            black_box(analysis);
        });
        report(&format!("analyze {name}"), time, plain);
        if format == Format::Pcap {
            let time = nanoseconds(|| {
                let mut reader = PcapReader::new(black_box(file.as_slice())).unwrap();
                while let Some(packet) = reader.next_packet() {
                    black_box(packet.unwrap());
                }
            });
            report("read pcap, pcap-file", time, plain);
        }
    }
}
