//! Facts about the process.

use super::events;

events! {
    /// Facts about the process.
    SystemEvent {
        /// The process started on this journal.
        "system.started" => Started {
            /// Program version.
            version: String,
        },
        /// The process stopped in order; without it, the next start finds dangling calls.
        "system.stopped" => Stopped {},
    }
}
