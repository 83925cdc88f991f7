//! What people do who wish the program ill, or whose programs are broken: a standing suite. Each test tells its figures last.
//!
//! Most of it is in virtual time on the network in memory; floods that compete for the processor are on real loopback and last a
//! few seconds.

mod floods;
mod streams;

/// Tells what was tried and what became of it.
#[allow(clippy::print_stdout, reason = "the figures of this suite are read by people")]
fn tell(figures: &str) {
    println!("hostile: {figures}");
}
