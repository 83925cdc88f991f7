//! Playout buffer: packets in at any moment, one frame out every tick.
//!
//! Packets wait as they came, in the order of their timestamps, and are decoded when they are due:
//! a codec with state gets them in order, and packets of any duration, copies and disorder need no
//! special care. The read position runs `delay` behind the newest audio. Late packets are counted
//! as discarded and make the buffer deeper; a buffer that stays too deep loses one frame. Gaps are
//! concealed: the last frame again, fading to silence within 60 ms.

mod playout;
mod queue;
mod voice;

pub use playout::{FrameKind, Playout, PlayoutConfig};
