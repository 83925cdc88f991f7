//! What the unit tests share: an instant to start from, and something like speech.

use std::time::Instant;

use offhook_seed::Seed;

/// Returns the instant that a test calls zero.
#[expect(clippy::disallowed_methods, reason = "the one source of time for unit tests")]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}

/// Makes something like speech: a buzz with jittered pitch through moving formants, syllables, pauses.
pub(crate) fn speech(seed: u64, samples: usize) -> Vec<i16> {
    let mut seed = Seed::new(seed);
    let mut out = Vec::with_capacity(samples);
    while out.len() < samples {
        syllable(&mut seed, &mut out);
    }
    out.truncate(samples);
    out
}

fn syllable(seed: &mut Seed, out: &mut Vec<i16>) {
    let length = 800 + (seed.next_unit() * 2400.0) as usize;
    let voiced = seed.next_unit() < 0.75;
    let mut pitch = 80.0 + seed.next_unit() * 170.0;
    let formants = [300.0, 850.0, 2100.0].map(|low| low + seed.next_unit() * low * 0.9);
    let glide = formants.map(|_| 1.0 + (seed.next_unit() - 0.5) * 0.00008);
    let mut resonators = formants.map(|hz| (hz, 0.0f64, 0.0f64));
    let (mut phase, loudness) = (0.0, 300.0 + seed.next_unit() * 1500.0);
    for index in 0..length {
        pitch *= 1.0 + (seed.next_unit() - 0.5) * 0.004;
        phase += pitch / 8000.0;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase %= 1.0;
        let noise = seed.next_unit() - 0.5;
        let excitation = if voiced { pulse * 6.0 + noise * 0.1 } else { noise * 2.0 };
        let mut sum = 0.0;
        for ((hz, last, before), change) in resonators.iter_mut().zip(glide) {
            *hz *= change;
            let next =
                excitation + 1.9 * (std::f64::consts::TAU * *hz / 8000.0).cos() * *last - 0.9025 * *before;
            (*before, *last) = (*last, next);
            sum += next;
        }
        let envelope = (std::f64::consts::PI * index as f64 / length as f64).sin();
        out.push((sum * loudness * envelope).clamp(-32_000.0, 32_000.0) as i16);
    }
    if seed.next_unit() < 0.3 {
        out.extend(std::iter::repeat_n(0, (seed.next_unit() * 4000.0) as usize));
    }
}
