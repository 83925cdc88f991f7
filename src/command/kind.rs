//! Which command, without its arguments: what rejections and reports name.

use super::{CallCommand, Command, NodeCommand, PhoneCommand};

/// A command without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandKind {
    /// [`NodeCommand::AddPhone`].
    AddPhone,
    /// [`NodeCommand::DropPhone`].
    DropPhone,
    /// [`PhoneCommand::Update`].
    UpdatePhone,
    /// [`PhoneCommand::Register`].
    Register,
    /// [`PhoneCommand::Unregister`].
    Unregister,
    /// [`PhoneCommand::PlaceCall`].
    PlaceCall,
    /// [`PhoneCommand::HangUpAll`] and [`NodeCommand::HangUpAll`].
    HangUpAll,
    /// [`PhoneCommand::Conference`].
    Conference,
    /// [`PhoneCommand::SendMessage`].
    SendMessage,
    /// [`CallCommand::Answer`].
    Answer,
    /// [`CallCommand::Reject`].
    Reject,
    /// [`CallCommand::HangUp`].
    HangUp,
    /// [`CallCommand::Hold`].
    Hold,
    /// [`CallCommand::Resume`].
    Resume,
    /// [`CallCommand::SendDigits`].
    SendDigits,
    /// [`CallCommand::Transfer`].
    Transfer,
    /// [`CallCommand::AttendedTransfer`].
    AttendedTransfer,
    /// [`CallCommand::Play`].
    Play,
    /// [`CallCommand::StopPlaying`].
    StopPlaying,
    /// [`CallCommand::Record`].
    Record,
    /// [`CallCommand::SetCodecs`].
    SetCodecs,
}

impl Command {
    /// Returns which command it is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Phone(_, command) => command.kind(),
            Self::Call(_, command) => command.kind(),
            Self::Node(NodeCommand::AddPhone(_)) => CommandKind::AddPhone,
            Self::Node(NodeCommand::DropPhone { .. }) => CommandKind::DropPhone,
            Self::Node(NodeCommand::HangUpAll) => CommandKind::HangUpAll,
        }
    }
}

impl PhoneCommand {
    /// Returns which command it is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Update(_) => CommandKind::UpdatePhone,
            Self::Register => CommandKind::Register,
            Self::Unregister => CommandKind::Unregister,
            Self::PlaceCall { .. } => CommandKind::PlaceCall,
            Self::HangUpAll => CommandKind::HangUpAll,
            Self::Conference { .. } => CommandKind::Conference,
            Self::SendMessage { .. } => CommandKind::SendMessage,
        }
    }
}

impl CallCommand {
    /// Returns which command it is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::Answer { .. } => CommandKind::Answer,
            Self::Reject { .. } => CommandKind::Reject,
            Self::HangUp => CommandKind::HangUp,
            Self::Hold => CommandKind::Hold,
            Self::Resume => CommandKind::Resume,
            Self::SendDigits { .. } => CommandKind::SendDigits,
            Self::Transfer { .. } => CommandKind::Transfer,
            Self::AttendedTransfer { .. } => CommandKind::AttendedTransfer,
            Self::Play { .. } => CommandKind::Play,
            Self::StopPlaying => CommandKind::StopPlaying,
            Self::Record { .. } => CommandKind::Record,
            Self::SetCodecs { .. } => CommandKind::SetCodecs,
        }
    }
}
