//! The limits of one process, so that nothing grows without bound.

/// How much of everything one process takes on; what exceeds a limit is refused with
/// `limit_reached`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Phones at a time. Each costs a socket and two tasks.
    pub phones: usize,
    /// Calls at a time in the whole process. Each costs a media socket and a task of its own.
    pub calls: usize,
    /// Calls at a time that one phone places, and as many that it accepts; further incoming ones
    /// are answered with 486.
    pub calls_per_phone: usize,
    /// Scenario runs at a time.
    pub runs: usize,
    /// SIP messages that may wait for one phone; more are refused and counted.
    pub waiting_messages_per_phone: usize,
}

impl Default for Limits {
    /// Limits that a laptop can handle: 1000 phones, 2000 calls, 100 calls per phone, 64 runs, 256
    /// waiting messages.
    fn default() -> Self {
        Self { phones: 1_000, calls: 2_000, calls_per_phone: 100, runs: 64, waiting_messages_per_phone: 256 }
    }
}
