//! What can be asked of a call as it stands: the one list for rejections and for snapshots.

use super::CommandKind;
use crate::event::{CallPhase, Direction};

/// What decides what can be asked of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who placed it.
    pub direction: Direction,
    /// How far it is.
    pub phase: CallPhase,
    /// Whether a session description was agreed.
    pub media: bool,
    /// Whether we hold the other side.
    pub held: bool,
}

impl Standing {
    /// Returns the commands that are not refused now, if their arguments and a change under way allow them.
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
