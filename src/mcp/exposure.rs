//! How per-phone actions are shown: as tools of each phone, or once with a `phone_id`.
//!
//! Users of per-phone tools expect a tool list that grows with every phone. But revision 2026-07-28
//! forbids lists that change as a side effect of calls, and some clients never ask for the list
//! again. That is detected from a client's behavior, not its name: until a client has followed a
//! change, the actions stay listed with a `phone_id`. Both names always work.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rmcp::model::ProtocolVersion;
use tokio::time::Instant;

/// A client that lists the tools within this time after `notifications/tools/list_changed` follows
/// changes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// The setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneTools {
    /// Every phone has its own 22 tools, named `<phone_id>_<action>`.
    Dynamic,
    /// The 22 actions are listed once and take a `phone_id`.
    Static,
    /// Static until a client is seen to follow list changes, then dynamic.
    #[default]
    Auto,
}

/// The text is not a valid setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not one of dynamic, static, auto")]
pub struct UnknownPhoneTools {
    /// The given text.
    given: String,
}

impl FromStr for PhoneTools {
    type Err = UnknownPhoneTools;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "dynamic" => Ok(Self::Dynamic),
            "static" => Ok(Self::Static),
            "auto" => Ok(Self::Auto),
            other => Err(UnknownPhoneTools { given: other.to_owned() }),
        }
    }
}

/// What one client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Projection {
    /// Tools of each phone.
    Dynamic,
    /// Tools with a `phone_id`.
    Static,
}

impl PhoneTools {
    /// Decides what a client sees, by the revision it speaks and by how it has behaved.
    pub(super) fn projection(self, revision: Option<&ProtocolVersion>, habit: &Habit) -> Projection {
        match self {
            Self::Dynamic => Projection::Dynamic,
            Self::Static => Projection::Static,
            Self::Auto => {
                let handshakes = revision.is_none_or(ProtocolVersion::has_initialize);
                if handshakes && habit.follows() { Projection::Dynamic } else { Projection::Static }
            }
        }
    }
}

/// Whether a client lists the tools again when notified that they changed.
#[derive(Debug, Default)]
pub(super) struct Habit(Mutex<Seen>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    told: Option<Instant>,
    follows: bool,
}

impl Habit {
    /// Notes that the client is being notified of a change.
    pub(super) fn told(&self) {
        self.change(|seen| seen.told = Some(Instant::now()));
    }

    /// Notes that the client asks for the list.
    pub(super) fn asked(&self) {
        self.change(|seen| {
            seen.follows |= seen.told.is_some_and(|told| told.elapsed() <= ANSWERS_WITHIN);
        });
    }

    /// Returns whether it has followed a change.
    pub(super) fn follows(&self) -> bool {
        self.change(|seen| seen.follows)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_is_believed_to_follow_changes_once_it_has() {
        let (auto, old, new) =
            (PhoneTools::Auto, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28);
        let habit = Habit::default();
        let shown = |revision: &ProtocolVersion| auto.projection(Some(revision), &habit);
        habit.asked();
        assert_eq!(shown(&old), Projection::Static, "nobody told it of a change");
        habit.told();
        tokio::time::sleep(ANSWERS_WITHIN + Duration::from_millis(1)).await;
        habit.asked();
        assert_eq!(shown(&old), Projection::Static, "it asked much later, of its own accord");
        habit.told();
        tokio::time::sleep(ANSWERS_WITHIN).await;
        habit.asked();
        assert_eq!((shown(&old), shown(&new)), (Projection::Dynamic, Projection::Static));
        assert_eq!(PhoneTools::Static.projection(None, &habit), Projection::Static);
        assert_eq!(PhoneTools::Dynamic.projection(Some(&new), &Habit::default()), Projection::Dynamic);
    }

    #[test]
    fn the_setting_reads_its_own_words() {
        assert_eq!("dynamic".parse(), Ok(PhoneTools::Dynamic));
        assert_eq!("auto".parse(), Ok(PhoneTools::default()));
        assert!("often".parse::<PhoneTools>().is_err());
    }
}
