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
        /// The process stopped in order; without it, the next start finds dangling calls.
        "system.stopped" => Stopped {},
        /// A link to a phone system stands: for the first time in this process, or again.
        "pbx.linked" => PbxLinked {
            /// The link's name.
            name: String,
            /// What kind of phone system it is.
            system: String,
            /// Where that is.
            address: String,
        },
        /// A link did not come about. It is tried again if it stood before.
        "pbx.unreachable" => PbxUnreachable {
            /// The link's name.
            name: String,
            /// What kind of phone system it is.
            system: String,
            /// Why.
            reason: String,
        },
        /// A link that stood has failed; it is made again.
        "pbx.lost" => PbxLost {
            /// The link's name.
            name: String,
            /// Why.
            reason: String,
        },
        /// A link was ended in good order.
        "pbx.unlinked" => PbxUnlinked {
            /// The link's name.
            name: String,
        },
        /// Events are missing from the journal that nobody retired: its file was damaged, or the disk had refused them.
        "journal.missing" => Missing {
            /// The event before the first that is missing.
            after: Seq,
            /// How many are.
            count: u64,
        },
        /// The oldest calls and runs that are over were removed from the journal; nothing after `to` is missing.
        "journal.pruned" => Pruned {
            /// Position of the oldest event removed.
            from: Seq,
            /// Position of the newest event removed; events between the two that still count are kept.
            to: Seq,
            /// How many events were removed.
            count: u64,
            /// Who asked for it.
            by: String,
            /// The calls, as first and last of each stretch of numbers.
            calls: Vec<[u64; 2]>,
            /// The runs, as first and last of each stretch of numbers.
            runs: Vec<[u64; 2]>,
        },
    }
}
