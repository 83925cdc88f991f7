//! Media of the lab: ports, relays, and the voices of the test numbers, built on the legs and the
//! clock of `media`.

mod leg;
mod prompt;

pub(super) use crate::media::Target;
pub(super) use leg::{Media, MediaFact, MediaLeg};
pub(super) use prompt::{announcement, beep};
