//! Hundreds of thousands of damaged messages from a fixed seed: no panic, and writing stays stable.

use crate::{corpus, exercise};

/// Marsaglia's xorshift64*, so that every run damages the same messages in the same way.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let end = (start + self.below(12)).min(len);
        start..end
    }
}

/// Pieces that mean something to a SIP parser.
const PIECES: [&[u8]; 36] = [
    b";",
    b",",
    b"\"",
    b"<",
    b">",
    b"\r\n",
    b"\r\n ",
    b"\n",
    b"\r",
    b":",
    b"%00",
    b"%",
    b"[",
    b"]",
    b"::",
    b"\0",
    b"\xff",
    b"\xd0\xbf",
    b"\\",
    b"=",
    b"@",
    b"?",
    b" ",
    b"\t",
    b"*",
    b"Content-Length: 7\r\n",
    b"\r\n\r\n",
    b"z9hG4bK",
    b"SIP/2.0",
    b"sip:",
    b"tel:",
    b"99999999999999999999",
    b"-1",
    b"--",
    b"(",
    b"v: ",
];

fn damage(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    match random.below(7) {
        0 => {
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        1 => drop(bytes.drain(random.range(bytes.len()))),
        2 => {
            let copied = bytes[random.range(bytes.len())].to_vec();
            let at = random.below(bytes.len() + 1);
            bytes.splice(at..at, copied);
        }
        3 => bytes.truncate(random.below(bytes.len() + 1)),
        4 => {
            let piece = other[random.below(other.len())..].iter().take(80).copied().collect::<Vec<_>>();
            let range = random.range(bytes.len());
            bytes.splice(range, piece);
        }
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            let range = if random.below(2) == 0 { random.range(bytes.len()) } else { 0..0 };
            let at = random.below(bytes.len() + 1);
            let range = if range.is_empty() { at..at } else { range };
            bytes.splice(range, piece.iter().copied());
        }
    }
}

/// Unoptimized code is ten times slower; the full count is run with `--release`.
const MESSAGES: usize = if cfg!(debug_assertions) { 20_000 } else { 200_000 };

#[test]
fn no_damage_to_a_message_panics_or_makes_writing_unstable() {
    let corpus = corpus::all();
    let mut random = Random(0x0ff4_007c_0de5_eed1);
    let mut read = 0;
    for nth in 0..MESSAGES {
        let mut bytes = corpus[nth % corpus.len()].1.clone();
        let other = &corpus[random.below(corpus.len())].1;
        for _ in 0..=random.below(4) {
            damage(&mut random, &mut bytes, other);
        }
        let whole = bytes.clone();
        let outcome = std::panic::catch_unwind(|| exercise::message(&whole));
        match outcome {
            Ok(was_message) => read += usize::from(was_message),
            Err(_) => panic!("message {nth} fails: {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    // If most of them were not messages any more, the test would look at nothing but the start line.
    assert!(read > MESSAGES * 8 / 10, "only {read} of {MESSAGES} were still messages");
}

#[test]
fn no_damage_to_a_stream_panics_or_depends_on_how_it_is_cut() {
    let corpus = corpus::all();
    let mut random = Random(0x5eed_0f57_4ea3_0001);
    let mut frames = 0;
    for _ in 0..MESSAGES / 20 {
        let mut stream = Vec::new();
        for _ in 0..=random.below(3) {
            stream.extend_from_slice(&corpus[random.below(corpus.len())].1);
        }
        for _ in 0..random.below(3) {
            let other = &corpus[random.below(corpus.len())].1;
            damage(&mut random, &mut stream, other);
        }
        frames += exercise::framing(&stream);
    }
    assert!(frames > MESSAGES / 40, "only {frames} frames came out");
}

#[test]
fn no_damage_to_a_uri_panics_or_changes_its_text() {
    const URIS: [&str; 7] = [
        "sip:alice:secret@atlanta.example.com:5061;transport=tcp;lr;maddr=239.255.255.1;ttl=15?subject=x&to=a%40b",
        "sips:1212@[2001:db8::1]:5061;method=INVITE",
        "tel:+1-201-555-0123;phone-context=example.com",
        "sip:user;par=u%40example.net@example.com",
        "sip:192.0.2.1",
        "urn:service:sos",
        "sip:%00@h;%6C%72;n%61me=v%61lue%25%34%31",
    ];
    let mut random = Random(0x0bad_0421_5eed_0001);
    let mut read = 0;
    for nth in 0..MESSAGES {
        let mut bytes = URIS[nth % URIS.len()].as_bytes().to_vec();
        for _ in 0..=random.below(2) {
            let other = URIS[random.below(URIS.len())];
            damage(&mut random, &mut bytes, other.as_bytes());
        }
        read += usize::from(exercise::uri(&bytes));
    }
    assert!(read > MESSAGES / 4, "only {read} of {MESSAGES} were still uris");
}

#[test]
fn the_corpus_itself_holds_what_the_mutations_hold() {
    for (name, bytes) in corpus::all() {
        assert!(exercise::message(&bytes), "{name}");
        exercise::framing(&bytes);
    }
}

#[test]
fn the_seeds_of_the_fuzzers_hold_what_the_fuzzers_check() {
    let seeds = |target: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/");
        let entries = std::fs::read_dir(format!("{folder}{target}")).unwrap();
        let files: Vec<Vec<u8>> =
            entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
        assert!(!files.is_empty(), "no seed for {target}");
        files
    };
    assert!(seeds("message").iter().all(|seed| exercise::message(seed)));
    assert!(seeds("uri").iter().all(|seed| exercise::uri(seed)));
    let frames: usize = seeds("framing").iter().map(|seed| exercise::framing(seed)).sum();
    assert_eq!(frames, 4, "a ping and three messages");
}
