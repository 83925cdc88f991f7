//! What asks a process to end: Ctrl-C, a service manager, a closing terminal.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that is canceled by SIGINT, by SIGTERM, and by SIGHUP unless the process was
/// started with it ignored, as by `nohup`.
///
/// It listens from now on, for as long as the process lives. Must be called inside a tokio runtime.
///
/// # Errors
/// The system refuses to deliver the signals.
pub fn asked_to_end() -> io::Result<CancellationToken> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = match is_ignored(SignalKind::hangup()) {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    let asked = CancellationToken::new();
    let token = asked.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            () = received(&mut hung_up) => {}
        }
        token.cancel();
    });
    Ok(asked)
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns whether the process was started with a signal ignored; false if the system does not say.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status, kind)
}

/// Reads the mask of ignored signals from a `/proc/<pid>/status` (proc_pid_status(5)).
fn ignored_in(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let bit = u32::try_from(kind.as_raw_value() - 1).ok().and_then(|shift| 1_u64.checked_shl(shift));
    bit.is_some_and(|bit| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read_bit_by_bit() {
        let status = |mask: &str| format!("Name:\toffhook\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignored_in(&status("0000000000000001"), SignalKind::hangup()));
        assert!(ignored_in(&status("0000000000001001"), SignalKind::hangup()));
        assert!(!ignored_in(&status("0000000000001002"), SignalKind::hangup()));
        assert!(!ignored_in("", SignalKind::hangup()));
    }
}
