//! Attacks on the program and peers that are broken: a standing suite. Each test prints its figures
//! at the end.
//!
//! Most of it is in virtual time on the network in memory; floods that compete for the processor
//! are on real loopback and last a few seconds.

mod disks;
mod floods;
mod killed;
mod logs;
mod media;
mod mutants;
mod paths;
mod peers;
mod streams;

/// Prints what was tried and what became of it.
#[allow(clippy::print_stdout, reason = "the figures of this suite are read by people")]
fn tell(figures: &str) {
    println!("hostile: {figures}");
}

/// Xorshift: random numbers that are the same in every run.
fn next(luck: &mut u64) -> usize {
    *luck ^= *luck << 13;
    *luck ^= *luck >> 7;
    *luck ^= *luck << 17;
    usize::try_from(*luck % 1_000_000_007).unwrap()
}
