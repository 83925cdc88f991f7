//! The table of actions: names, spellings, arguments. Reader, suggestions, schema and reference all come from it.

/// An action's identity, whatever its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Answer,
    Reject,
    HangUp,
    HangUpAll,
    Hold,
    Resume,
    SendDigits,
    Transfer,
    AttendedTransfer,
    Conference,
    PlaceCall,
    Play,
    StopPlaying,
    Record,
    SendMessage,
    SetCodecs,
    Register,
    Unregister,
    Wait,
    WaitUntil,
    Emit,
    Checkpoint,
    Log,
    Expect,
    Never,
    HoldFor,
}

/// One action as documents write it.
#[derive(Clone, Copy, Debug)]
pub struct ActionShape {
    pub(super) verb: Verb,
    /// Its name.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// Argument that a bare value stands for.
    pub value: Option<&'static str>,
    /// Its own arguments.
    pub args: &'static [ArgShape],
    /// Whether it acts on a phone.
    pub on_phone: bool,
    /// Whether it acts on a call.
    pub on_call: bool,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub struct ArgShape {
    /// Its name.
    pub name: &'static str,
    /// What it must be, for schema and reference.
    pub kind: &'static str,
    /// What it means, with its default.
    pub doc: &'static str,
}

const fn arg(name: &'static str, kind: &'static str, doc: &'static str) -> ArgShape {
    ArgShape { name, kind, doc }
}

const fn shape(verb: Verb, name: &'static str, doc: &'static str) -> ActionShape {
    ActionShape { verb, name, aliases: &[], value: None, args: &[], on_phone: true, on_call: false, doc }
}

const fn call(verb: Verb, name: &'static str, doc: &'static str) -> ActionShape {
    ActionShape { on_call: true, ..shape(verb, name, doc) }
}

const fn local(verb: Verb, name: &'static str, doc: &'static str) -> ActionShape {
    ActionShape { on_phone: false, ..shape(verb, name, doc) }
}

/// Every action, in the order of the reference.
pub const ACTIONS: &[ActionShape] = &[
    ActionShape {
        value: Some("to"),
        args: &[
            arg("to", "target", "whom: a SIP URI, an extension, `${b}` or `${echo}`"),
            arg("headers", "map", "extra headers of the INVITE"),
            arg("as", "name", "keeps the call under this name, to be used as `$name`"),
        ],
        ..shape(Verb::PlaceCall, "make_call", "Calls someone.")
    },
    ActionShape {
        value: Some("code"),
        args: &[arg("code", "status", "200; a status below 200 is a provisional answer")],
        ..call(Verb::Answer, "answer", "Answers a ringing call.")
    },
    ActionShape {
        value: Some("code"),
        args: &[arg("code", "status", "486")],
        ..call(Verb::Reject, "reject", "Refuses a ringing call.")
    },
    ActionShape {
        value: Some("call"),
        aliases: &["hang_up"],
        ..call(Verb::HangUp, "hangup", "Ends a call with BYE, CANCEL or a refusal, as its state asks.")
    },
    shape(Verb::HangUpAll, "hangup_all", "Ends every call of the phone, or of all phones."),
    ActionShape { value: Some("call"), ..call(Verb::Hold, "hold", "Puts the other side on hold.") },
    ActionShape {
        aliases: &["resume"],
        value: Some("call"),
        ..call(Verb::Resume, "unhold", "Takes the other side back.")
    },
    ActionShape {
        value: Some("digits"),
        args: &[
            arg("digits", "digits", "one or several of 0-9 * # A-D"),
            arg("duration", "duration", "length of one digit; 200ms"),
        ],
        ..call(Verb::SendDigits, "send_dtmf", "Sends digits.")
    },
    ActionShape {
        aliases: &["transfer"],
        value: Some("to"),
        args: &[arg("to", "target", "to whom")],
        ..call(Verb::Transfer, "blind_transfer", "Asks the other side to call someone else.")
    },
    ActionShape {
        args: &[arg("dest_call_id", "call", "the call that takes over; the phone's newest other call")],
        ..call(Verb::AttendedTransfer, "attended_transfer", "Joins the other sides of two calls.")
    },
    ActionShape {
        value: Some("call_ids"),
        args: &[arg("call_ids", "any", "calls, or `auto` for all active ones")],
        ..shape(Verb::Conference, "conference", "Connects the audio of several calls of one phone.")
    },
    ActionShape {
        aliases: &["play"],
        value: Some("file"),
        args: &[
            arg("file", "text", "a WAV file"),
            arg("tone", "any", "frequency in hertz, or several"),
            arg("level", "number", "level of the tone in dBFS; -10"),
            arg("duration", "duration", "length of the tone; until stopped"),
            arg("echo", "bool", "sends back what is heard"),
            arg("loop", "bool", "whether a file repeats; false"),
        ],
        ..call(Verb::Play, "play_audio", "Plays a file or a tone to the other side.")
    },
    call(Verb::StopPlaying, "stop_audio", "Stops what is being played."),
    ActionShape {
        value: Some("on"),
        args: &[arg("on", "bool", "true")],
        ..call(Verb::Record, "record", "Switches the recording of a call on or off.")
    },
    ActionShape {
        value: Some("body"),
        args: &[
            arg("to", "target", "to whom"),
            arg("body", "text", "what"),
            arg("content_type", "text", "text/plain"),
        ],
        ..shape(Verb::SendMessage, "send_message", "Sends a SIP MESSAGE.")
    },
    ActionShape {
        value: Some("codecs"),
        args: &[arg("codecs", "list", "codec names in order")],
        ..call(Verb::SetCodecs, "set_codecs", "Offers other codecs on a running call.")
    },
    ActionShape {
        value: Some("phone"),
        ..shape(Verb::Register, "register", "Registers the phone and waits for the registrar's answer.")
    },
    ActionShape {
        value: Some("phone"),
        ..shape(Verb::Unregister, "unregister", "Removes the phone's binding.")
    },
    ActionShape {
        value: Some("event"),
        args: &[
            arg("event", "event", "name of the event"),
            arg("timeout_ms", "duration", "how long at most; 10s"),
        ],
        ..shape(Verb::WaitUntil, "wait_until", "Waits for the next matching event; its absence is a failure.")
    },
    ActionShape {
        value: Some("ms"),
        args: &[arg("ms", "duration", "how long")],
        ..local(Verb::Wait, "wait", "Pauses this list.")
    },
    ActionShape {
        value: Some("for"),
        args: &[arg("for", "duration", "how long")],
        ..call(Verb::HoldFor, "hold_for", "Waits while the call, or every call that is up, must stay up.")
    },
    local(Verb::Expect, "expect", "Waits until something has happened; its absence is a failure."),
    local(Verb::Never, "never", "Watches for a while that something does not happen."),
    ActionShape {
        value: Some("name"),
        args: &[arg("name", "text", "name, without `user.`"), arg("data", "map", "its data")],
        ..shape(Verb::Emit, "emit", "Emits an event of the scenario's own, `user.<name>`.")
    },
    ActionShape {
        value: Some("label"),
        args: &[arg("label", "text", "its label")],
        ..local(Verb::Checkpoint, "checkpoint", "Marks a place, for the timeline and for `since`.")
    },
    ActionShape {
        value: Some("message"),
        args: &[arg("message", "text", "what to say")],
        ..local(Verb::Log, "log", "Says something in the timeline.")
    },
];

/// Finds an action by any of its spellings.
pub(super) fn find(name: &str) -> Option<&'static ActionShape> {
    ACTIONS.iter().find(|shape| shape.name == name || shape.aliases.contains(&name))
}

/// Returns every spelling of every action.
pub(super) fn spellings() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().flat_map(|shape| std::iter::once(shape.name).chain(shape.aliases.iter().copied()))
}
