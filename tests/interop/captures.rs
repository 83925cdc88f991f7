//! Captures as Wireshark reads them: every checksum, every message, and nothing to complain about.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use offhook_capture::{
    frame::Framer,
    write::{Format, Writer},
};

/// Ports of the two ends, in either family.
const ENDS: [(&str, &str); 2] =
    [("192.0.2.1:5060", "198.51.100.2:5062"), ("[2001:db8::1]:5060", "[2001:db8::2]:5062")];

/// Runs tshark with checksums checked and returns its lines; it must not complain about the file.
fn tshark(file: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file);
    for protocol in ["ip", "udp", "tcp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    let output = command.args(arguments).output().expect("tshark runs");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = complaints.lines().filter(|line| !line.contains("Running as user")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{complaints:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Returns one line of fields for each packet that a filter lets through.
fn fields(file: &Path, filter: &str, names: &[&str]) -> Vec<String> {
    let mut arguments = vec!["-Y", filter, "-T", "fields", "-E", "separator=,"];
    names.iter().for_each(|name| arguments.extend(["-e", name]));
    tshark(file, &arguments)
}

fn message(line: &str, cseq: &str, body: &str) -> Vec<u8> {
    format!(
        "{line}\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>;tag=2\r\nCall-ID: 1@192.0.2.1\r\n\
         CSeq: {cseq}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request and its answer over UDP and TCP in both families, the request over TCP too long for a
/// packet, and RTP; returns the number of packets.
fn write(file: &Path, format: Format) -> usize {
    let mut writer = Writer::new(Vec::new(), format).unwrap();
    let mut framer = Framer::default();
    let alice = writer.interface("alice").unwrap();
    let bob = writer.interface("bob").unwrap();
    let at = Duration::new(1_700_000_000, 123_456_789);
    let mut packets = 0;
    for (from, to) in ENDS.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())) {
        let request = message("MESSAGE sip:b@192.0.2.2 SIP/2.0", "1 MESSAGE", "short");
        let long = message("MESSAGE sip:b@192.0.2.2 SIP/2.0", "2 MESSAGE", &"long ".repeat(20_000));
        let answer = message("SIP/2.0 200 OK", "1 MESSAGE", "");
        let packet = framer.udp(from, to, &request).unwrap();
        writer.packet(at, alice, packet, Some("call 7, an injected copy")).unwrap();
        writer.packet(at, bob, framer.udp(to, from, &answer).unwrap(), None).unwrap();
        packets += 2;
        for (from, to, bytes) in
            [(from, to, &request), (to, from, &answer), (from, to, &long), (to, from, &answer)]
        {
            for segment in framer.tcp(from, to, bytes).unwrap() {
                writer.packet(at, alice, segment, None).unwrap();
                packets += 1;
            }
        }
        let rtp = [[0x80, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7].as_slice(), &[0xD5; 161]].concat();
        writer.packet(at, bob, framer.udp(from, to, &rtp).unwrap(), None).unwrap();
        packets += 1;
    }
    std::fs::write(file, writer.into_inner()).unwrap();
    packets
}

#[test]
fn wireshark_reads_both_formats_without_a_complaint() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Pcap, Format::Pcapng] {
        let file = folder.path().join(format!("{format:?}"));
        let packets = write(&file, format);
        assert_eq!(fields(&file, "frame", &["frame.number"]).len(), packets);
        // Notes, warnings and errors of any dissector, and checksums that are wrong or were not
        // looked at.
        let complaints =
            fields(&file, "_ws.expert.severity >= 0x400000", &["frame.number", "_ws.expert.message"]);
        assert_eq!(complaints, Vec::<String>::new(), "{format:?}");
        assert_eq!(
            fields(&file, "ip && !(ip.checksum.status == 1)", &["frame.number"]),
            Vec::<String>::new()
        );
        let good = "udp.checksum.status == 1 || tcp.checksum.status == 1";
        assert_eq!(fields(&file, good, &["frame.number"]).len(), packets);
    }
}

#[test]
fn wireshark_finds_each_message_also_in_several_segments() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.pcapng");
    write(&file, Format::Pcapng);
    let messages = fields(&file, "sip", &["sip.CSeq", "sip.Status-Code", "sip.Content-Length"]);
    let of_a_family = [
        "1 MESSAGE,,5",
        "1 MESSAGE,200,0",
        "1 MESSAGE,,5",
        "1 MESSAGE,200,0",
        "2 MESSAGE,,100000",
        "1 MESSAGE,200,0",
    ];
    assert_eq!(messages, [of_a_family, of_a_family].concat());
}

#[test]
fn wireshark_shows_phones_comments_and_nanoseconds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.pcapng");
    write(&file, Format::Pcapng);
    let names = ["frame.interface_name", "frame.comment", "frame.time_epoch", "ip.src", "udp.srcport"];
    let seen = fields(&file, "udp && ip", &names);
    let expected = [
        "alice,call 7, an injected copy,1700000000.123456789,192.0.2.1,5060",
        "bob,,1700000000.123456789,198.51.100.2,5062",
        "bob,,1700000000.123456789,192.0.2.1,5060",
    ];
    assert_eq!(seen, expected);
}

/// Runs a scenario of the program against the lab Asterisk with every phone captured, and returns
/// the captures.
fn captured(folder: &Path, format: &str, scenario: &str) -> Vec<PathBuf> {
    let file = folder.join("scenario.yaml");
    std::fs::write(&file, scenario).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_offhook"))
        .arg("run")
        .arg(&file)
        .args(["--against", "sip:127.0.0.1:5070", "--capture-format", format, "--captures"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let phones = std::fs::read_dir(folder.join("run-1")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = phones
        .flat_map(|phone| std::fs::read_dir(phone).unwrap().map(|entry| entry.unwrap().path()))
        .collect();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with("call_"));
    files.sort_unstable();
    files
}

#[test]
fn a_call_over_udp_and_tcp_is_captured_so_that_wireshark_follows_it() {
    for (transport, format) in [("udp", "pcap"), ("tcp", "pcap"), ("udp", "pcapng"), ("tcp", "pcapng")] {
        let folder = tempfile::tempdir().unwrap();
        let scenario = format!(
            "phones: {{a: {{transport: {transport}}}}}\nsteps:\n  - make_call: {{phone: a, to: '${{echo}}', as: out}}\n  \
             - expect: {{event: call.established, phone: a, within: 5s}}\n  - hold_for: {{call: $out, for: 1s}}\n  \
             - hangup: $out\n  - expect: {{ended: $out, within: 5s}}\n"
        );
        let [file] = &captured(folder.path(), format, &scenario)[..] else { panic!("one call, one file") };
        assert!(file.extension().unwrap() == format, "{}", file.display());
        let notes = tshark(file, &["-q", "-z", "expert,warn"]);
        assert!(notes.iter().all(String::is_empty), "{transport} {format}: {notes:?}");
        let wrong = "ip.checksum.status != 1 || udp.checksum.status == 0 || tcp.checksum.status == 0";
        assert_eq!(fields(file, wrong, &["frame.number"]), Vec::<String>::new(), "{transport} {format}");
        let sip = fields(file, "sip", &["sip.Method", "sip.Status-Code"]);
        for line in ["INVITE,", ",200", "ACK,", "BYE,"] {
            assert!(sip.iter().any(|seen| seen == line), "{transport} {format}: {line} is not in {sip:?}");
        }
        let rtp = fields(file, "rtp", &["rtp.ssrc"]);
        assert!(rtp.len() > 80, "{transport} {format}: {}", rtp.len());
    }
}
