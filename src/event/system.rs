//! Facts about the process.

use super::events;
use crate::id::Seq;

events! {
    /// Facts about the process.
    SystemEvent {
        /// The process started on this journal.
        "system.started" => Started {
            /// Program version.
            version: String,
        },
        /// The process stopped in an orderly way; without this fact, the next start finds dangling
        /// calls.
        "system.stopped" => Stopped {},
        /// A link to a phone system is up: for the first time in this process, or again.
        "pbx.linked" => PbxLinked {
            /// The link's name.
            name: String,
            /// What kind of phone system it is.
            system: String,
            /// Its address.
            address: String,
        },
        /// A link could not be established. It is retried if it was up before.
        "pbx.unreachable" => PbxUnreachable {
            /// The link's name.
            name: String,
            /// What kind of phone system it is.
            system: String,
            /// The reason.
            reason: String,
        },
        /// A link that was up has failed; it is being re-established.
        "pbx.lost" => PbxLost {
            /// The link's name.
            name: String,
            /// The reason.
            reason: String,
        },
        /// A link was closed in an orderly way.
        "pbx.unlinked" => PbxUnlinked {
            /// The link's name.
            name: String,
        },
        /// Events that nobody retired are missing from the journal: its file was damaged, or the
        /// disk had failed.
        "journal.missing" => Missing {
            /// The last event before the missing ones.
            after: Seq,
            /// How many are missing.
            count: u64,
        },
        /// The oldest calls and runs that are over were removed from the journal; nothing after
        /// `to` is missing.
        "journal.pruned" => Pruned {
            /// Position of the oldest event removed.
            from: Seq,
            /// Position of the newest event removed; events between the two that still count are
            /// kept.
            to: Seq,
            /// How many events were removed.
            count: u64,
            /// Who asked for it.
            by: String,
            /// The calls, as the first and last number of each range.
            calls: Vec<[u64; 2]>,
            /// The runs, as the first and last number of each range.
            runs: Vec<[u64; 2]>,
        },
    }
}
