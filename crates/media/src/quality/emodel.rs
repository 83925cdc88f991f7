//! The E-model with default parameters.
//!
//! ITU-T G.107: R = 93.2 − Id − Ie,eff. Impairment constants are those of G.113 appendix I.

/// Rating of a perfect narrowband call: Ro − Is with all defaults.
const BASE: f64 = 93.2;

/// How much a codec impairs speech, by itself and under loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodecImpairment {
    /// Ie: impairment without loss.
    pub equipment: f64,
    /// Bpl: robustness against loss.
    pub robustness: f64,
}

impl CodecImpairment {
    /// G.711 with loss concealment.
    pub const G711_CONCEALED: Self = Self { equipment: 0.0, robustness: 25.1 };
    /// G.711 that plays losses as silence.
    pub const G711: Self = Self { equipment: 0.0, robustness: 4.3 };
    /// G.729A with voice activity detection.
    pub const G729A: Self = Self { equipment: 11.0, robustness: 19.0 };
    /// G.723.1 at 6.3 kbit/s.
    pub const G723_1: Self = Self { equipment: 15.0, robustness: 16.1 };
    /// GSM enhanced full rate.
    pub const GSM_EFR: Self = Self { equipment: 5.0, robustness: 10.0 };
}

/// Returns the transmission rating.
///
/// `loss_percent` includes what the playout buffer discarded; `burst_ratio` is 1 for random loss;
/// `delay_ms` is one-way, mouth to ear.
#[must_use]
pub fn r_factor(codec: CodecImpairment, loss_percent: f64, burst_ratio: f64, delay_ms: f64) -> f64 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let spread = loss / burst_ratio.max(f64::MIN_POSITIVE) + codec.robustness;
    let equipment = codec.equipment + (95.0 - codec.equipment) * loss / spread;
    let delay = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
    BASE - delay - equipment
}

/// Returns the mean opinion score of a rating.
#[must_use]
pub fn mos(r_factor: f64) -> f64 {
    if r_factor <= 0.0 {
        return 1.0;
    }
    if r_factor >= 100.0 {
        return 4.5;
    }
    let score = 1.0 + 0.035 * r_factor + 7e-6 * r_factor * (r_factor - 60.0) * (100.0 - r_factor);
    // The cubic dips below one for very small ratings.
    score.max(1.0)
}

/// Returns the burst ratio of a two-state chain from its transition probabilities.
///
/// `to_loss` is good → lost, `to_good` is lost → good; `None` when the chain never moves.
#[must_use]
pub fn burst_ratio_of_chain(to_loss: f64, to_good: f64) -> Option<f64> {
    let sum = to_loss + to_good;
    (sum > 0.0).then(|| 1.0 / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_cases_come_out() {
        let concealed = CodecImpairment::G711_CONCEALED;
        let cases = [
            (concealed, 0.0, 1.0, 0.0, 93.20, 4.409),
            (concealed, 1.0, 1.0, 50.0, 88.36, 4.297),
            (concealed, 3.0, 1.0, 150.0, 79.46, 4.003),
            (concealed, 5.0, 1.0, 250.0, 63.42, 3.275),
            (concealed, 5.0, 2.0, 150.0, 72.39, 3.707),
            (CodecImpairment::G711, 1.0, 1.0, 50.0, 74.08, 3.782),
            (CodecImpairment::G729A, 0.0, 1.0, 50.0, 81.00, 4.061),
            (CodecImpairment::G729A, 2.0, 1.0, 150.0, 70.60, 3.625),
        ];
        for (codec, loss, burst, delay, rating, score) in cases {
            let r = r_factor(codec, loss, burst, delay);
            assert!((r - rating).abs() < 0.0051, "{codec:?} {loss} % {delay} ms: R {r}, expected {rating}");
            assert!((mos(r) - score).abs() < 0.00051, "{codec:?} {loss} %: MOS {}, expected {score}", mos(r));
        }
    }

    #[test]
    fn the_score_stays_between_one_and_four_and_a_half() {
        assert_eq!(mos(-5.0), 1.0);
        assert_eq!(mos(0.5), 1.0);
        assert_eq!(mos(120.0), 4.5);
    }

    #[test]
    fn a_chain_with_independent_losses_has_ratio_one() {
        assert_eq!(burst_ratio_of_chain(0.05, 0.95), Some(1.0));
        assert_eq!(burst_ratio_of_chain(0.02, 0.48), Some(2.0));
        assert_eq!(burst_ratio_of_chain(0.0, 0.0), None);
    }
}
