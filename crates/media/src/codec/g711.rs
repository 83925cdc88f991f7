//! G.711 A-law and µ-law, one sample at a time.
//!
//! ITU-T G.711 tables 1a to 2b, with the rounding of the ITU software library (G.191): linear input is
//! 16 bits, negative values are one's-complemented before they are cut to 13 (A) or 14 (µ) bits.

use super::{Decode, Encode};

/// One of the two laws; neither remembers anything.
#[derive(Debug, Clone, Copy)]
pub(super) enum G711 {
    A,
    Mu,
}

/// The A-law byte of every sample, looked up without its lowest four bits, which do not matter.
static ALAW: [u8; 4096] = {
    let mut table = [0; 4096];
    let mut index = 0;
    while index < table.len() {
        #[expect(clippy::indexing_slicing, reason = "the loop ends with the table")]
        {
            table[index] = alaw_encode(((index as u16) << 4).cast_signed());
        }
        index += 1;
    }
    table
};

impl Encode for G711 {
    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::A => out.extend(samples.iter().map(|sample| {
                ALAW.get(usize::from(sample.cast_unsigned() >> 4)).copied().unwrap_or_default()
            })),
            Self::Mu => out.extend(samples.iter().map(|sample| ulaw_encode(*sample))),
        }
    }
}

impl Decode for G711 {
    fn samples(&self, payload: &[u8]) -> usize {
        payload.len()
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        match self {
            Self::A => out.extend(payload.iter().map(|byte| alaw_decode(*byte))),
            Self::Mu => out.extend(payload.iter().map(|byte| ulaw_decode(*byte))),
        }
    }
}

/// µ-law adds this to a 14-bit magnitude so that each segment starts at a power of two.
const ULAW_BIAS: u16 = 33;
/// Largest biased magnitude that µ-law can express.
const ULAW_CLIP: u16 = 0x1FFF;

/// Encodes one sample as µ-law.
#[must_use]
pub const fn ulaw_encode(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = (if negative { !sample } else { sample }) as u16 >> 2;
    let biased = magnitude + ULAW_BIAS;
    let biased = if biased > ULAW_CLIP { ULAW_CLIP } else { biased };
    // A biased magnitude has its leading one in bits 5 to 12; that position is the segment.
    let segment = 10 - biased.leading_zeros() as u16;
    let step = (biased >> (segment + 1)) & 0x0F;
    let code = ((segment << 4) | step) as u8;
    if negative { !code & 0x7F } else { !code }
}

/// Decodes one µ-law byte.
#[must_use]
pub const fn ulaw_decode(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0F) as i16;
    let magnitude = ((((step << 1) + 33) << segment) - 33) << 2;
    if code & 0x80 != 0 { -magnitude } else { magnitude }
}

/// Encodes one sample as A-law.
#[must_use]
pub const fn alaw_encode(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = (if negative { !sample } else { sample }) as u16 >> 4;
    // The segment is the position of the leading one. The first two share one step size, so both count
    // as the second; taking 16 off moves the sixteen codes of the first back to zero.
    let segment = 12 - (magnitude | 16).leading_zeros() as u16;
    let code = ((segment << 4) + (magnitude >> (segment - 1)) - 16) as u8;
    let signed = if negative { code } else { code | 0x80 };
    // Every second bit is inverted on the line.
    signed ^ 0x55
}

/// Decodes one A-law byte.
#[must_use]
pub const fn alaw_decode(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0F) as i16;
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Index of the interval of `magnitude` between rising decision values.
    fn interval(decisions: &[u32], magnitude: u32) -> usize {
        decisions.iter().filter(|decision| magnitude >= **decision).count()
    }

    /// Decision values of the A-law table, in 12-bit magnitude units: 16 steps of 1 and 16 of 1, then
    /// 16 steps each of 2, 4, 8, 16, 32 and 64.
    fn alaw_decisions() -> Vec<u32> {
        let mut value = 0;
        let mut decisions = Vec::new();
        for step in [1u32, 1, 2, 4, 8, 16, 32, 64] {
            for _ in 0..16 {
                value += step;
                decisions.push(value);
            }
        }
        decisions.pop();
        decisions
    }

    /// Decision values of the µ-law table in 13-bit magnitude units: 1, then 15 steps of 2, then 16
    /// steps each of 4 … 256.
    fn ulaw_decisions() -> Vec<u32> {
        let mut value = 1;
        let mut decisions = vec![value];
        for step in [2u32, 4, 8, 16, 32, 64, 128, 256] {
            let steps = if step == 2 { 15 } else { 16 };
            for _ in 0..steps {
                value += step;
                decisions.push(value);
            }
        }
        decisions.pop();
        decisions
    }

    #[test]
    fn every_linear_value_encodes_to_the_interval_of_the_alaw_table() {
        let decisions = alaw_decisions();
        assert_eq!(decisions.len(), 127);
        for sample in i16::MIN..=i16::MAX {
            let magnitude = if sample < 0 { -(i32::from(sample) + 1) } else { i32::from(sample) } as u32 / 16;
            let code = interval(&decisions, magnitude) as u8;
            let expected = (if sample < 0 { code } else { code + 128 }) ^ 0x55;
            assert_eq!(alaw_encode(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn every_linear_value_encodes_to_the_interval_of_the_ulaw_table() {
        let decisions = ulaw_decisions();
        assert_eq!(decisions.len(), 127);
        for sample in i16::MIN..=i16::MAX {
            let magnitude = if sample < 0 { -(i32::from(sample) + 1) } else { i32::from(sample) } as u32 / 4;
            let code = interval(&decisions, magnitude) as u8;
            let expected = if sample < 0 { 127 - code } else { 255 - code };
            assert_eq!(ulaw_encode(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn decoded_values_are_the_middle_of_their_interval() {
        let mut bounds = vec![0];
        bounds.extend(alaw_decisions());
        bounds.push(2048);
        for code in 0u8..128 {
            let low = bounds[usize::from(code)] * 16;
            let high = bounds[usize::from(code) + 1] * 16;
            let middle = ((low + high) / 2) as i16;
            assert_eq!(alaw_decode((code | 0x80) ^ 0x55), middle, "A-law code {code}");
            assert_eq!(alaw_decode(code ^ 0x55), -middle, "A-law code -{code}");
        }
        let mut bounds = vec![0];
        bounds.extend(ulaw_decisions());
        bounds.push(8159);
        for code in 1u8..128 {
            let low = bounds[usize::from(code)] * 4;
            let high = bounds[usize::from(code) + 1] * 4;
            let middle = ((low + high) / 2) as i16;
            assert_eq!(ulaw_decode(255 - code), middle, "µ-law code {code}");
            assert_eq!(ulaw_decode(127 - code), -middle, "µ-law code -{code}");
        }
        assert_eq!(ulaw_decode(0xFF), 0);
    }

    #[test]
    fn the_table_of_a_law_is_its_formula() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut encoded = Vec::new();
        G711::A.encode(&samples, &mut encoded);
        assert!(encoded.iter().zip(&samples).all(|(byte, sample)| *byte == alaw_encode(*sample)));
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for byte in 0..=255u8 {
            assert_eq!(alaw_encode(alaw_decode(byte)), byte);
            // 0x7F is minus zero: it decodes to zero, whose code is 0xFF.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(ulaw_encode(ulaw_decode(byte)), expected);
        }
    }
}
