//! Injected randomness: a small generator that an engine or a simulation seeds once.
//!
//! Steele's SplitMix64: good enough for identifiers, first numbers, timer spread and the luck of a simulated network,
//! never for secrets. The same seed gives the same numbers on every machine.

/// Deterministic stream of numbers behind one seed.
///
/// ```
/// use offhook_seed::Seed;
///
/// let (mut one, mut two) = (Seed::new(7), Seed::new(7));
/// assert_eq!(one.next_u64(), two.next_u64());
/// assert!((0.0..1.0).contains(&one.next_unit()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seed {
    state: u64,
}

impl Seed {
    /// Starts the stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.state)
    }

    /// Returns the next 32 bits.
    pub const fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// Returns the next 16 bits.
    pub const fn next_u16(&mut self) -> u16 {
        (self.next_u64() >> 48) as u16
    }

    /// Returns a number in `0.0..1.0`.
    pub const fn next_unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Scrambles a number so that neighbors look unrelated; no two numbers give the same.
#[must_use]
pub const fn scramble(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference_implementation() {
        // The first outputs of Vigna's splitmix64.c for the seeds 0 and 1234567.
        let mut seed = Seed::new(0);
        assert_eq!(
            [0; 3].map(|_: u64| seed.next_u64()),
            [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]
        );
        let mut seed = Seed::new(1_234_567);
        assert_eq!(
            [0; 3].map(|_: u64| seed.next_u64()),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn smaller_numbers_are_the_upper_bits() {
        let whole = Seed::new(9).next_u64();
        assert_eq!(u64::from(Seed::new(9).next_u32()), whole >> 32);
        assert_eq!(u64::from(Seed::new(9).next_u16()), whole >> 48);
        let mut seed = Seed::new(9);
        assert!((0..10_000).all(|_| (0.0..1.0).contains(&seed.next_unit())));
    }
}
