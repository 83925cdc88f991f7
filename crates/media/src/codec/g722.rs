//! G.722 at 64 kbit/s: two bands of 8000 samples a second, 6 bits for the low one and 2 for the high one.
//!
//! ITU-T G.722 sections 3 to 6. Each band is adaptive differential PCM: what is sent is how far the sample lies from its
//! prediction, in steps that grow and shrink with the signal. The names of blocks (LOGSCL, UPPOL2, FILTEZ …) are the
//! recommendation's. Sixteen-bit sound loses its lowest bit: the algorithm counts in fifteen.

use super::{Decode, Encode};

/// The filter of 24 taps that splits and joins the bands, every second tap; the others are its mirror image.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the low band's sixty codes, one sign of them (table 15).
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Outputs of the low band's inverse quantizer of six bits, by code.
const LOW_SIX_BITS: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032,
    -1688, -1360, -1040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360,
    8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040,
    728, 432, 136, -432, -136,
];
/// Outputs of the low band's inverse quantizer of four bits, which prediction is built on: it is the same at 48 kbit/s.
const LOW_FOUR_BITS: [i32; 16] =
    [0, -20_456, -12_896, -8968, -6288, -4240, -2584, -1200, 20_456, 12_896, 8968, 6288, 4240, 2584, 1200, 0];
/// How the low band's logarithmic step changes, by its code of four bits.
const LOW_STEP_CHANGES: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// Outputs of the high band's inverse quantizer, by code.
const HIGH_TWO_BITS: [i32; 4] = [-7408, -1616, 7408, 1616];
/// How the high band's logarithmic step changes, by code.
const HIGH_STEP_CHANGES: [i32; 4] = [798, -214, 798, -214];
/// The only decision level of the high band, but its sign.
const HIGH_DECISION: i32 = 564;
/// Powers of two between 2048 and 4096, a thirty-second apart: steps are made of their logarithms with it.
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// The sending side.
#[derive(Debug, Default)]
pub(super) struct G722Encoder {
    past: [i32; 24],
    low: Band<Low>,
    high: Band<High>,
}

/// The receiving side.
#[derive(Debug, Default)]
pub(super) struct G722Decoder {
    past: [i32; 24],
    low: Band<Low>,
    high: Band<High>,
}

impl Encode for G722Encoder {
    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        // A packet holds whole milliseconds, so no sample is ever left over.
        out.extend(samples.as_chunks::<2>().0.iter().map(|pair| self.byte(*pair)));
    }
}

impl G722Encoder {
    fn byte(&mut self, [first, second]: [i16; 2]) -> u8 {
        let (even, odd) = filter(&mut self.past, i32::from(first), i32::from(second));
        let (low, high) = (limited((odd + even) >> 14), limited((odd - even) >> 14));
        let low = self.low.quantize(low);
        let high = self.high.quantize(high);
        low | high << 6
    }
}

impl Decode for G722Decoder {
    fn samples(&self, payload: &[u8]) -> usize {
        2 * payload.len()
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        out.extend(payload.iter().flat_map(|byte| self.pair(*byte)));
    }
}

impl G722Decoder {
    fn pair(&mut self, byte: u8) -> [i16; 2] {
        let low = self.low.reconstruct(byte & 0x3F);
        let high = self.high.reconstruct(byte >> 6);
        let (even, odd) = filter(&mut self.past, low + high, low - high);
        [narrow(odd >> 11), narrow(even >> 11)]
    }
}

/// Takes two samples into the past, and gives what the two halves of the filter make of it.
fn filter(past: &mut [i32; 24], first: i32, second: i32) -> (i32, i32) {
    past.copy_within(2.., 0);
    past[22] = first;
    past[23] = second;
    let pairs = past.as_chunks::<2>().0.iter();
    pairs
        .zip(QMF.iter().zip(QMF.iter().rev()))
        .fold((0, 0), |(even, odd), ([left, right], (tap, mirrored))| {
            (even + left * tap, odd + right * mirrored)
        })
}

/// What distinguishes the bands.
trait Quantizer {
    /// The step before anything was sent.
    const FIRST_STEP: i32;
    /// The largest logarithm of a step.
    const LARGEST: i32;
    /// How much finer than a power of the table a step is, in bits.
    const FINENESS: i32;

    /// Returns the code of a difference.
    fn code(difference: i32, step: i32) -> u8;
    /// Returns the difference that is heard.
    fn heard(code: u8) -> i32;
    /// Returns the difference that predictions are built on.
    fn predicting(code: u8) -> i32;
    /// Returns how the logarithm of the step changes.
    fn change(code: u8) -> i32;
}

#[derive(Debug, Default)]
struct Low;

#[derive(Debug, Default)]
struct High;

impl Quantizer for Low {
    const FIRST_STEP: i32 = 32;
    const LARGEST: i32 = 18_432;
    const FINENESS: i32 = 8;

    fn code(difference: i32, step: i32) -> u8 {
        let size = if difference < 0 { !difference } else { difference };
        let interval = LOW_DECISIONS.partition_point(|level| size >= (level * step) >> 12) as u8;
        // Codes fall from the least difference to the largest; the two least negative ones stand at the end.
        match (difference < 0, interval) {
            (true, 0..=1) => 63 - interval,
            (true, _) => 33 - interval,
            (false, _) => 61 - interval,
        }
    }

    fn heard(code: u8) -> i32 {
        pick(&LOW_SIX_BITS, code)
    }

    fn predicting(code: u8) -> i32 {
        pick(&LOW_FOUR_BITS, code >> 2)
    }

    fn change(code: u8) -> i32 {
        pick(&LOW_STEP_CHANGES, code >> 2)
    }
}

impl Quantizer for High {
    const FIRST_STEP: i32 = 8;
    const LARGEST: i32 = 22_528;
    const FINENESS: i32 = 10;

    fn code(difference: i32, step: i32) -> u8 {
        let size = if difference < 0 { !difference } else { difference };
        let small = size < (HIGH_DECISION * step) >> 12;
        u8::from(difference >= 0) << 1 | u8::from(small)
    }

    fn heard(code: u8) -> i32 {
        pick(&HIGH_TWO_BITS, code)
    }

    fn predicting(code: u8) -> i32 {
        Self::heard(code)
    }

    fn change(code: u8) -> i32 {
        pick(&HIGH_STEP_CHANGES, code)
    }
}

/// Adaptive differential PCM of one band.
#[derive(Debug)]
struct Band<Q> {
    quantizer: std::marker::PhantomData<Q>,
    /// Size of a step, and its logarithm.
    step: i32,
    logarithm: i32,
    /// The next sample as it is expected, and the part of it that the zeros give.
    predicted: i32,
    of_zeros: i32,
    /// Coefficients of the poles, and what they weigh: the last sounds, newest first.
    poles: [i32; 2],
    sounds: [i32; 2],
    /// Signs of the last sounds without what the poles gave.
    falling: [bool; 2],
    /// Coefficients of the zeros, and what they weigh: the last differences, newest first.
    zeros: [i32; 6],
    differences: [i32; 6],
}

impl<Q: Quantizer> Default for Band<Q> {
    fn default() -> Self {
        Self {
            quantizer: std::marker::PhantomData,
            step: Q::FIRST_STEP,
            logarithm: 0,
            predicted: 0,
            of_zeros: 0,
            poles: [0; 2],
            sounds: [0; 2],
            falling: [false; 2],
            zeros: [0; 6],
            differences: [0; 6],
        }
    }
}

impl<Q: Quantizer> Band<Q> {
    /// Returns the code of a sample.
    fn quantize(&mut self, sample: i32) -> u8 {
        let code = Q::code(saturated(sample - self.predicted), self.step);
        self.adapt(code);
        code
    }

    /// Returns the sample of a code.
    fn reconstruct(&mut self, code: u8) -> i32 {
        let sample = limited(self.predicted + product(self.step, Q::heard(code)));
        self.adapt(code);
        sample
    }

    /// Learns from a code, on both sides alike.
    fn adapt(&mut self, code: u8) {
        let difference = product(self.step, Q::predicting(code));
        self.scale(Q::change(code));
        self.predict(difference);
    }

    /// Makes the next step: LOGSCL and SCALEL, LOGSCH and SCALEH.
    fn scale(&mut self, change: i32) {
        self.logarithm = (product(self.logarithm, 32_512) + change).clamp(0, Q::LARGEST);
        let power = pick(&POWERS, (self.logarithm >> 6 & 31) as u8);
        let shift = Q::FINENESS - (self.logarithm >> 11);
        self.step = if shift < 0 { power << -shift } else { power >> shift } << 2;
    }

    /// Makes the next prediction of the last difference: PARREC to PREDIC.
    fn predict(&mut self, difference: i32) {
        let sound = saturated(self.predicted + difference);
        let falls = saturated(self.of_zeros + difference) < 0;
        self.move_poles(falls);
        self.move_zeros(difference);
        self.sounds = [sound, self.sounds[0]];
        self.falling = [falls, self.falling[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC.
        let weigh = |coefficient: i32, past: i32| product(coefficient, saturated(2 * past));
        let of_poles = saturated(weigh(self.poles[0], self.sounds[0]) + weigh(self.poles[1], self.sounds[1]));
        let zeros = self.zeros.iter().zip(&self.differences).rev();
        self.of_zeros = zeros.fold(0, |sum, (zero, past)| saturated(sum + weigh(*zero, *past)));
        self.predicted = saturated(of_poles + self.of_zeros);
    }

    /// UPPOL2 and UPPOL1: each pole follows the signs, and both stay where the filter is stable.
    fn move_poles(&mut self, falls: bool) {
        let [first, second] = self.poles;
        let same = falls == self.falling[0];
        let fourfold = saturated(4 * first);
        let turned = saturated(if same { -fourfold } else { fourfold });
        let push = if falls == self.falling[1] { 128 } else { -128 };
        let second = saturated((turned >> 7) + push + product(second, 32_512)).clamp(-12_288, 12_288);
        let push = if same { 192 } else { -192 };
        let most = 15_360 - second;
        let first = saturated(push + product(first, 32_640)).clamp(-most, most);
        self.poles = [first, second];
    }

    /// UPZERO.
    fn move_zeros(&mut self, difference: i32) {
        for (zero, past) in self.zeros.iter_mut().zip(&self.differences) {
            let push = match difference {
                0 => 0,
                _ if (difference < 0) == (*past < 0) => 128,
                _ => -128,
            };
            *zero = saturated(push + product(*zero, 32_640));
        }
    }
}

/// The product of two fractions.
const fn product(left: i32, right: i32) -> i32 {
    (left * right) >> 15
}

/// Keeps a number within sixteen bits.
fn saturated(number: i32) -> i32 {
    number.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// Keeps a sample within the fifteen bits of the algorithm.
fn limited(sample: i32) -> i32 {
    sample.clamp(-16_384, 16_383)
}

fn narrow(sample: i32) -> i16 {
    saturated(sample) as i16
}

/// Reads a table that is as long as there are codes.
fn pick(table: &[i32], code: u8) -> i32 {
    table.get(usize::from(code)).copied().unwrap_or_default()
}
