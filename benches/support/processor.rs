//! Processor time.

use std::time::Duration;

/// Returns the processor time of this process, user and system, in steps of 10 ms.
pub(crate) fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // After the command name, which may hold blanks: utime and stime are the 14th and 15th field of all.
    let (_, fields) = stat.rsplit_once(')').expect("a command name");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
