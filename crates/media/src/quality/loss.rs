//! How bursty losses are.
//!
//! ITU-T G.107 BurstR: mean burst length over the mean that the same share of random loss would have.

use crate::rtp::BurstHistogram;

/// Returns the burst ratio, at least 1; 1 when nothing was lost.
#[must_use]
pub fn burst_ratio(expected: u64, lost: u64, bursts: &BurstHistogram) -> f64 {
    let count = bursts.bursts();
    if count == 0 || lost == 0 || lost >= expected {
        return 1.0;
    }
    let measured = lost as f64 / count as f64;
    // Independent losses with share p have bursts of 1 / (1 − p).
    let random = 1.0 / (1.0 - lost as f64 / expected as f64);
    (measured / random).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_losses_have_ratio_one_and_clustered_ones_more() {
        let spread = BurstHistogram { one: 10, ..BurstHistogram::default() };
        assert_eq!(burst_ratio(200, 10, &spread), 1.0);
        let clustered = BurstHistogram { six_to_ten: 1, ..BurstHistogram::default() };
        assert!((burst_ratio(200, 10, &clustered) - 9.5).abs() < 1e-9);
        assert_eq!(burst_ratio(200, 0, &BurstHistogram::default()), 1.0);
    }
}
