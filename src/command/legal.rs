//! Which commands a call accepts in its current state: the one list for rejections and for
//! snapshots.

use super::CommandKind;
use crate::event::{CallPhase, Direction};

/// The part of a call's state that decides which commands are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who placed it.
    pub direction: Direction,
    /// How far it is.
    pub phase: CallPhase,
    /// Whether a session description has been agreed.
    pub media: bool,
    /// Whether we hold the other side.
    pub held: bool,
}

impl Standing {
    /// Returns the commands that would not be rejected now, provided that their arguments are valid
    /// and no change is pending.
    #[must_use]
    pub fn legal(self) -> Vec<CommandKind> {
        let mut legal = Vec::new();
        match (self.phase, self.direction) {
            (CallPhase::Ending | CallPhase::Ended, _) => return legal,
            (CallPhase::Incoming | CallPhase::Early, Direction::Inbound) => {
                legal.extend([CommandKind::Answer, CommandKind::Reject]);
            }
            (CallPhase::Calling | CallPhase::Incoming | CallPhase::Early | CallPhase::Answered, _) => {}
            (CallPhase::Established, _) => legal.extend([
                if self.held { CommandKind::Resume } else { CommandKind::Hold },
                CommandKind::Transfer,
                CommandKind::AttendedTransfer,
                CommandKind::SetCodecs,
            ]),
        }
        if self.media {
            legal.extend([CommandKind::SendDigits, CommandKind::Play, CommandKind::StopPlaying]);
        }
        legal.extend([CommandKind::Record, CommandKind::HangUp]);
        legal
    }
}
