//! Why a command was rejected, with the data that a sentence needs.
//!
//! The sentences here are for logs and reports, and name no tool and no argument; a surface that
//! knows both has its own.

use std::time::Duration;

use super::{Code, CommandKind};
use crate::{
    event::{CallPhase, Direction},
    id::{CallId, PhoneId, RunId},
    secret::without_password,
};

/// Why a command was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such phone.
    #[error("there is no phone '{0}'")]
    NoPhone(PhoneId),
    /// No phone was named, and there is not exactly one.
    #[error("there is not exactly one phone: name one")]
    WhichPhone,
    /// There is no such call, or it is over.
    #[error("there is no {0}, or it is over")]
    NoCall(CallId),
    /// The phone has no suitable call.
    #[error("phone '{0}' has no call that fits")]
    NoCallOf(PhoneId),
    /// The call belongs to another phone.
    #[error("{call} is a call of phone '{owner}', not of '{named}'")]
    CallOfAnother {
        /// The call.
        call: CallId,
        /// The phone it belongs to.
        owner: PhoneId,
        /// The phone that was named.
        named: PhoneId,
    },
    /// There is no such run, or it is over.
    #[error("there is no {0}, or it is over")]
    NoRun(RunId),
    /// There is no such connector.
    #[error("there is no connector '{0}'")]
    NoConnector(String),
    /// The call is in the wrong phase.
    #[error("the {direction} call is {phase} and cannot {}", .command.verb().cannot, direction = way(*.direction), phase = .phase.name())]
    WrongPhase {
        /// Who placed it.
        direction: Direction,
        /// How far it is.
        phase: CallPhase,
        /// The rejected command.
        command: CommandKind,
    },
    /// No session description has been agreed.
    #[error("the call has no media")]
    NoMedia,
    /// A re-INVITE of ours has no answer yet.
    #[error(
        "another change of this call waits for its answer: try again when call.modified or call.modify_failed has come"
    )]
    ChangePending,
    /// The status does not exist.
    #[error("status {0} does not exist: give 180 to ring, 200 to answer, 300 to 699 to refuse")]
    NoSuchStatus(u16),
    /// The status cannot refuse a call.
    #[error("status {0} does not refuse a call: give 300 to 699, such as 486")]
    NotARefusal(u16),
    /// The text contains something other than digits.
    #[error("'{0}' holds something that is no digit: use 0-9 * # A-D")]
    NotDigits(String),
    /// The media session cannot send digits now.
    #[error("digits cannot be sent: {why}")]
    DigitsNotTaken {
        /// Its reason.
        why: String,
    },
    /// As many digits wait for the other side as may.
    #[error(
        "at most {0} digits can wait for the other side: send fewer, or go on when dtmf.finished has come"
    )]
    DigitsWaiting(usize),
    /// Another request to play or stop came before this sound was ready.
    #[error("the sound was stopped or replaced before it was ready")]
    SoundOvertaken,
    /// The call's codec cannot carry the tone.
    #[error("a tone of {hz} Hz cannot be heard in {codec}: give less than {below} Hz")]
    ToneTooHigh {
        /// The tone.
        hz: String,
        /// The codec that is sent.
        codec: &'static str,
        /// What it carries less than, in hertz.
        below: u32,
    },
    /// The phone has fewer than two calls to connect.
    #[error("phone '{0}' needs two calls for an attended transfer")]
    TooFewToTransfer(PhoneId),
    /// None of these codecs is available.
    #[error("no codec of {} is available: use {}", quoted(.given), .known.join(" or "))]
    NoCodec {
        /// The codecs requested.
        given: Vec<String>,
        /// The codecs available.
        known: Vec<&'static str>,
    },
    /// One of the codecs is not available.
    #[error("codec '{name}' is not available: use {}", .known.join(" or "))]
    UnknownCodec {
        /// The codec.
        name: String,
        /// The codecs available.
        known: Vec<&'static str>,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {why}")]
    FileNotRead {
        /// The file.
        path: String,
        /// The system's error.
        why: String,
    },
    /// The file contains nothing that can be played.
    #[error("cannot play {path}: {why}")]
    FileNotPlayed {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The text is not a valid target.
    #[error("'{}' cannot be called: {why}", without_password(target))]
    BadTarget {
        /// The target as given.
        target: String,
        /// What is wrong with it.
        why: String,
    },
    /// The URI needs a transport that cannot be used.
    #[error("'{}' asks for {why}", without_password(uri))]
    BadTransport {
        /// The URI.
        uri: String,
        /// What it needs, and why that cannot be.
        why: String,
    },
    /// The phone's domain is not a valid host.
    #[error("domain '{}' is no host or host:port: {why}", without_password(domain))]
    BadDomain {
        /// The domain as given.
        domain: String,
        /// What is wrong with it.
        why: String,
    },
    /// User and domain do not form an address of record.
    #[error("'{username}@{domain}' is no address of record")]
    NoAddressOfRecord {
        /// The user.
        username: String,
        /// The domain.
        domain: String,
    },
    /// The name has no address.
    #[error("{why}")]
    NotResolved {
        /// The resolver's reason.
        why: String,
    },
    /// A header that the phone writes itself.
    #[error("the header '{0}' is written by the phone itself and cannot be given")]
    HeaderIsOurs(String),
    /// Not a valid header.
    #[error("'{}' is no header: {why}", name.escape_debug())]
    NotAHeader {
        /// Its name.
        name: String,
        /// The reason.
        why: &'static str,
    },
    /// A value that is longer than there is room for.
    #[error("{what}: {size} bytes, and there is room for {most}")]
    TooLong {
        /// What it is: headers, codecs, realm.
        what: &'static str,
        /// Its total size in bytes.
        size: usize,
        /// The limit in bytes.
        most: usize,
    },
    /// SRTP is not implemented.
    #[error("srtp is not built yet: leave it out or give false")]
    SrtpNotBuilt,
    /// Fewer than two of the calls have audio to mix; of which phone, if one was named.
    #[error("a conference needs two calls with audio")]
    TooFewToConfer(Option<PhoneId>),
    /// A conference cannot have so many calls.
    #[error("a conference has room for {0} calls")]
    ConferenceFull(usize),
    /// The phone has reached its call limit.
    #[error("phone '{phone}' has {limit} calls already: hang one up first")]
    CallsOfPhone {
        /// The phone.
        phone: PhoneId,
        /// The limit.
        limit: usize,
    },
    /// The process has reached its call limit.
    #[error("there are {0} calls already: hang one up first")]
    Calls(usize),
    /// The process has reached its phone limit.
    #[error("there are {0} phones already")]
    Phones(usize),
    /// The process has reached its run limit.
    #[error("{0} runs go on, and the limit of runs is {0}: wait until one ends")]
    Runs(usize),
    /// The journal cannot be written, and a call whose facts are not on disk could not be ended
    /// after a crash.
    #[error("no call is placed while the journal cannot be written: {why}")]
    FactsNotKept {
        /// The disk error.
        why: String,
    },
    /// No port for media is free.
    #[error("no media port is free: {why}")]
    NoMediaPort {
        /// The system's error.
        why: String,
    },
    /// The phone is closing.
    #[error("phone '{0}' is being dropped: add it again first")]
    PhoneLeaves(PhoneId),
    /// The phone could not be started.
    #[error("phone '{phone}' cannot start: {why}")]
    PhoneNotStarted {
        /// The phone.
        phone: PhoneId,
        /// The reason.
        why: String,
    },
    /// The connector could not be started.
    #[error("{connector} cannot start: {why}")]
    ConnectorNotStarted {
        /// The connector.
        connector: String,
        /// The reason.
        why: String,
    },
    /// The run could not be started.
    #[error("{run} cannot start: {why}")]
    RunNotStarted {
        /// The run.
        run: RunId,
        /// The reason.
        why: String,
    },
    /// The password cannot be saved.
    #[error("the password cannot be kept: {why}")]
    PasswordNotKept {
        /// The system's error.
        why: String,
    },
    /// The actor ended before it answered.
    #[error("it has just ended")]
    JustEnded,
    /// The actor did not answer.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    /// The process is about to end.
    #[error("the process is about to end")]
    ShuttingDown,
    /// Executing the command failed on our side.
    #[error("the command broke on our side: {why}")]
    Broke {
        /// The error.
        why: String,
    },
}

impl Refused {
    /// Returns the code for programs to branch on.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NoPhone(_) | Self::NoCall(_) | Self::NoCallOf(_) | Self::NoConnector(_) => Code::NotFound,
            Self::NoRun(_) => Code::NotFound,
            Self::FileNotRead { .. } => Code::NotFound,
            Self::WrongPhase { .. } | Self::NoMedia | Self::ChangePending => Code::WrongState,
            Self::DigitsNotTaken { .. } | Self::SoundOvertaken => Code::WrongState,
            Self::TooFewToTransfer(_) | Self::TooFewToConfer(_) => Code::WrongState,
            Self::WhichPhone | Self::CallOfAnother { .. } => Code::InvalidArgument,
            Self::NoSuchStatus(_) | Self::NotARefusal(_) | Self::NotDigits(_) => Code::InvalidArgument,
            Self::NoCodec { .. } | Self::UnknownCodec { .. } => Code::InvalidArgument,
            Self::FileNotPlayed { .. } | Self::BadTarget { .. } => Code::InvalidArgument,
            Self::ToneTooHigh { .. } => Code::InvalidArgument,
            Self::BadTransport { .. } | Self::BadDomain { .. } => Code::InvalidArgument,
            Self::NoAddressOfRecord { .. }
            | Self::SrtpNotBuilt
            | Self::HeaderIsOurs(_)
            | Self::NotAHeader { .. }
            | Self::TooLong { .. } => Code::InvalidArgument,
            Self::CallsOfPhone { .. } | Self::Calls(_) | Self::Phones(_) => Code::LimitReached,
            Self::DigitsWaiting(_) | Self::Runs(_) | Self::ConferenceFull(_) => Code::LimitReached,
            Self::NoAnswer(_) => Code::TimedOut,
            Self::NotResolved { .. }
            | Self::NoMediaPort { .. }
            | Self::PasswordNotKept { .. }
            | Self::FactsNotKept { .. } => Code::Unavailable,
            Self::PhoneNotStarted { .. } | Self::ConnectorNotStarted { .. } => Code::Unavailable,
            Self::PhoneLeaves(_) | Self::JustEnded | Self::ShuttingDown => Code::Unavailable,
            Self::RunNotStarted { .. } | Self::Broke { .. } => Code::Unavailable,
        }
    }
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_shows_the_password_of_a_uri() {
        let given = || "sips:bob:hunter2@pbx".to_owned();
        let why = || "a reason".to_owned();
        for refused in [
            Refused::BadTarget { target: given(), why: why() },
            Refused::BadTransport { uri: given(), why: why() },
            Refused::BadDomain { domain: given(), why: why() },
        ] {
            let told = refused.to_string();
            assert!(told.contains("sips:bob:***@pbx") && !told.contains("hunter2"), "{told}");
        }
    }
}
