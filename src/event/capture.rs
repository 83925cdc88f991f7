//! Facts about captures: what passed a phone's sockets, written to files.

use super::events;

events! {
    /// Facts about a phone's captures.
    CaptureEvent {
        /// A capture file was begun, with the first packet that it holds.
        "capture.started" => Started {
            /// The file, as this process sees it.
            path: String,
            /// The file that it goes on from, which has reached its size.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            continues: Option<String>,
        },
        /// From here on this call is in the file: from its first message, or from where the capture
        /// was switched on or went on in this file.
        "capture.call_added" => CallAdded {
            /// The file.
            path: String,
            /// Its former name: the first call gives a file its name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            renamed_from: Option<String>,
        },
        /// The disk was too slow: packets are missing from the file.
        "capture.gap" => Gap {
            /// The file.
            path: String,
            /// How many packets.
            lost: u64,
        },
        /// The file is complete.
        "capture.stopped" => Stopped {
            /// The file.
            path: String,
            /// Packets in it.
            packets: u64,
            /// Its size in bytes.
            bytes: u64,
        },
        /// The file could not be created, renamed or written; what it has so far stays.
        "capture.failed" => Failed {
            /// The file.
            path: String,
            /// The system's error.
            reason: String,
        },
        /// The oldest file of the phone's capture was removed to make room.
        "capture.removed" => Removed {
            /// The file.
            path: String,
        },
    }
}
