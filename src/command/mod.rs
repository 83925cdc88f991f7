//! Commands: every request that changes something, as pure data.
//!
//! MCP tools, scenario actions and CLI verbs all become a [`Command`] and go through one door. Its
//! outer layer says whom it is for, with one variant and one file per subject; only the subject
//! itself looks further.

mod arguments;
mod call;
mod legal;
mod node;
mod phone;
mod refused;
mod rejection;
mod verb;
mod verbs;

use std::{future::Future, pin::Pin};

pub use arguments::{Argument, Arguments, Missing};
pub use call::{CallCommand, CallSelector, Sound};
pub use legal::Standing;
pub use node::{AddPhone, NodeCommand};
pub use phone::{PhoneChanges, PhoneCommand, check_built};
pub use refused::Refused;
pub use rejection::{Code, Rejection};
pub use verb::{
    ActionArgument, ActionName, Addressee, Effect, Made, Make, Need, Parameter, Sort, ToolArgument, ToolName,
    Verb,
};
pub use verbs::CommandKind;

use crate::{
    event::{Cause, PhoneSpec},
    id::{CallId, PhoneId, Seq},
    secret::Secret,
};

/// A request to change something, by addressee.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// For one phone.
    Phone(PhoneId, PhoneCommand),
    /// For one call.
    Call(CallSelector, CallCommand),
    /// For the process: its set of phones, or all phones at once.
    Node(NodeCommand),
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
            Self::Node(NodeCommand::Conference { .. }) => CommandKind::Conference,
        }
    }

    /// Creates a phone; one of the same name is replaced.
    #[must_use]
    pub const fn add(phone: PhoneId, spec: PhoneSpec, password: Secret<String>) -> Self {
        Self::Node(NodeCommand::AddPhone(AddPhone { phone, spec, password }))
    }
}

/// The result of an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The journal's head after the command's facts: a read or wait from here misses nothing.
    pub seq: Seq,
    /// The call that was placed or chosen.
    pub call: Option<CallId>,
    /// All calls concerned, if there may be several.
    pub calls: Vec<CallId>,
}

/// The door through which every surface and every run sends its commands.
pub trait Execute: Send + Sync {
    /// Executes `command` and journals its facts with `cause`.
    fn execute(
        &self,
        command: Command,
        cause: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send + '_>>;
}
