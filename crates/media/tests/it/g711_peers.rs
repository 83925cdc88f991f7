//! Our G.711 against another implementation, over every input.
//!
//! A-law must be the same. In µ-law the peer does not complement negative samples before cutting them,
//! which moves the edges of their segments; the ITU table in the unit tests decides there.

use audio_codec_algorithms as peer;
use offhook_media::codec::{alaw_decode, alaw_encode, ulaw_decode, ulaw_encode};

#[test]
fn alaw_agrees_on_every_sample_and_every_code() {
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(alaw_encode(sample), peer::encode_alaw(sample), "{sample}");
    }
    for code in 0..=255u8 {
        assert_eq!(alaw_decode(code), peer::decode_alaw(code), "{code}");
    }
}

#[test]
fn ulaw_agrees_on_every_code_and_every_positive_sample() {
    for sample in 0..=i16::MAX {
        assert_eq!(ulaw_encode(sample), peer::encode_ulaw(sample), "{sample}");
    }
    for code in 0..=255u8 {
        assert_eq!(ulaw_decode(code), peer::decode_ulaw(code), "{code}");
    }
    let differing = (i16::MIN..0).filter(|sample| ulaw_encode(*sample) != peer::encode_ulaw(*sample)).count();
    assert!(differing < 1000, "{differing}");
}
