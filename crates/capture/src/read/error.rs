//! Why a capture cannot be read, in the words of the old tools where they had some.

/// Why a capture cannot be read, or not further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing in it.
    #[error("unreadable pcap: the file is empty")]
    Empty,
    /// The bytes are not those of a capture.
    #[error("unreadable pcap: {what} at byte {at}")]
    Unreadable {
        /// Where in the file.
        at: u64,
        /// What is wrong there.
        what: Damage,
    },
    /// The input failed; the text is that of its error.
    #[error("cannot read pcap: {0}")]
    Input(String),
}

/// What makes bytes unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file does not begin as a capture does.
    #[error("neither a pcap nor a pcapng file")]
    Magic,
    /// The file ends within its header.
    #[error("cut within the header")]
    HeaderCut,
    /// A section says neither byte order.
    #[error("section without byte order")]
    ByteOrder,
    /// A block is too short for what it is, is not made of whole words, or its two lengths differ.
    #[error("block of impossible length")]
    BlockLength,
    /// A packet is longer than the block around it.
    #[error("packet longer than its block")]
    PacketLength,
    /// A section has more interfaces than any machine.
    #[error("too many interfaces")]
    Interfaces,
}
