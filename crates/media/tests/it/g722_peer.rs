//! Our G.722 against another implementation, bit for bit, and what becomes of sound that goes through it.
//!
//! `tests/data/g722.bin` is what FFmpeg's encoder makes of [`sounds`]; `tests/data/g722.pcm` is what its decoder makes of
//! that and of [`any_bytes`] behind it, as little-endian samples. `audio-codec` 0.4 would be an oracle as a crate, but
//! starts with steps four times as large as the recommendation's.

use offhook_media::audio::dominant_tone;
use offhook_media::codec::Codec;

const RATE: f64 = 16_000.0;
const ENCODED: &[u8] = include_bytes!("../data/g722.bin");
const DECODED: &[u8] = include_bytes!("../data/g722.pcm");

fn encoded(samples: &[i16]) -> Vec<u8> {
    let mut encoder = (Codec::G722.encoder)();
    let mut out = Vec::new();
    // As packets, so that what an encoder remembers between them counts.
    samples.chunks(320).for_each(|packet| encoder.encode(packet, &mut out));
    out
}

fn decoded(bytes: &[u8]) -> Vec<i16> {
    let mut decoder = (Codec::G722.decoder)();
    let mut out = Vec::new();
    bytes.chunks(160).for_each(|packet| decoder.decode(packet, &mut out));
    out
}

fn tone(hz: f64, level: f64, samples: u32) -> Vec<i16> {
    let step = std::f64::consts::TAU * hz / RATE;
    (0..samples).map(|at| ((step * f64::from(at)).sin() * level).round() as i16).collect()
}

/// Numbers of sixteen bits that look random and are the same everywhere.
fn numbers(count: usize) -> impl Iterator<Item = i16> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(722), next).map(|state| (state >> 40) as i16).take(count)
}

/// Silence, soft and loud tones of both bands, a square, noise, a click and a sweep from 0 to 8 kHz.
fn sounds() -> Vec<i16> {
    let mut all = vec![0; 320];
    all.extend(tone(440.0, 40.0, 640));
    all.extend(tone(1000.0, 16_384.0, 960));
    all.extend(tone(3100.0, 30_000.0, 640));
    all.extend(tone(6000.0, 8000.0, 960));
    all.extend((0..640).map(|at| if at / 40 % 2 == 0 { 20_000 } else { -20_000 }));
    all.extend(numbers(640).map(|number| number >> 1));
    all.extend(numbers(640).map(|number| number >> 9));
    all.extend((0..320).map(|at| if at == 100 { i16::MAX } else { 0 }));
    let rise = std::f64::consts::PI * 8000.0 / RATE / 1280.0;
    all.extend((0..1280).map(|at| ((rise * f64::from(at * at)).sin() * 20_000.0).round() as i16));
    all
}

fn any_bytes() -> Vec<u8> {
    let ends = [0x00, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0, 0xFF].into_iter().flat_map(|byte| [byte; 40]);
    numbers(640).map(|number| number as u8).chain(ends).collect()
}

#[test]
fn every_bit_is_the_peers() {
    let ours = encoded(&sounds());
    assert_eq!(ours.len(), ENCODED.len());
    let differs = ours.iter().zip(ENCODED).position(|(ours, peers)| ours != peers);
    assert_eq!(differs, None, "the first byte that differs");

    let bytes = [ENCODED, &any_bytes()].concat();
    let ours = decoded(&bytes);
    let peers: Vec<i16> = DECODED.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    assert_eq!((ours.len(), peers.len()), (2 * bytes.len(), 2 * bytes.len()));
    let differs = ours.iter().zip(&peers).position(|(ours, peers)| ours != peers);
    assert_eq!(differs, None, "the first sample that differs");
}

#[test]
fn any_bytes_are_sound() {
    // Nothing may overflow, whatever drives the steps up and the poles to their edge; debug builds would panic.
    for byte in 0..=255u8 {
        assert_eq!(decoded(&[byte; 2000]).len(), 4000);
        assert_eq!(decoded(&[byte, !byte].repeat(1000)).len(), 4000);
    }
    for half in [1, 2, 8, 40, 800] {
        let square: Vec<i16> =
            (0..16_000).map(|at| if at / half % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let loudest = decoded(&encoded(&square)).iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest.is_some_and(|loudest| loudest > 20_000), "{half}: {loudest:?}");
    }
    assert_eq!(decoded(&[]), []);
}

#[test]
fn tones_of_both_bands_survive() {
    for (hz, least_snr) in [(300.0, 40.0), (1000.0, 40.0), (3000.0, 35.0), (6000.0, 20.0), (7000.0, 15.0)] {
        let heard = decoded(&encoded(&tone(hz, 16_384.0, 16_000)));
        let found = dominant_tone(&heard[1600..], 16_000).unwrap();
        assert!((found.hz - hz).abs() < 0.5 && (found.level_dbfs + 6.02).abs() < 0.5, "{hz}: {found:?}");
        assert!(found.snr_db > least_snr, "{hz}: {found:?}");
    }
}

#[test]
fn each_state_is_its_own() {
    let sounds = sounds();
    let mut encoder = (Codec::G722.encoder)();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    encoder.encode(&sounds, &mut first);
    encoder.encode(&sounds, &mut second);
    assert!(first == encoded(&sounds), "a new state begins at the beginning");
    assert!(first != second, "and goes on from where it was");
}
