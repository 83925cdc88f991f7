//! Which codecs are the same, and how one is shown.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::{Codec, Descriptor};

impl Codec {
    fn identity(self) -> (&'static str, u32, u8) {
        (self.name, self.rtp_clock, self.channels)
    }
}

impl Deref for Codec {
    type Target = Descriptor;

    fn deref(&self) -> &Descriptor {
        self.0
    }
}

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0) || self.identity() == other.identity()
    }
}

impl Eq for Codec {}

impl Hash for Codec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.name, self.rtp_clock)
    }
}
