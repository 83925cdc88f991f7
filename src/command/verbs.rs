//! Every verb once: the names and arguments with which surfaces offer a command, and how arguments
//! become the command.
//!
//! The tools of phones, the actions of scenarios, their schemas and their references are generated
//! from these rows. Phones are created and changed through their settings, which each surface
//! spells out itself; those rows hold names only.

use super::{
    CallCommand, PhoneCommand, Sound,
    verb::{Addressee, Effect, Made, Need, Parameter, Sort, Verb, action, argument, tool, verb},
};

/// A command without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
pub enum CommandKind {
    /// [`PhoneCommand::PlaceCall`].
    PlaceCall,
    /// [`CallCommand::Answer`].
    Answer,
    /// [`CallCommand::Reject`].
    Reject,
    /// [`CallCommand::HangUp`].
    HangUp,
    /// [`PhoneCommand::HangUpAll`], and the process's.
    HangUpAll,
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
    /// [`super::NodeCommand::Conference`].
    Conference,
    /// [`CallCommand::Play`].
    Play,
    /// [`CallCommand::StopPlaying`].
    StopPlaying,
    /// [`CallCommand::Record`].
    Record,
    /// [`PhoneCommand::SendMessage`].
    SendMessage,
    /// [`CallCommand::SetCodecs`].
    SetCodecs,
    /// [`PhoneCommand::Register`].
    Register,
    /// [`PhoneCommand::Unregister`].
    Unregister,
    /// [`super::NodeCommand::AddPhone`].
    AddPhone,
    /// [`super::NodeCommand::DropPhone`].
    DropPhone,
    /// [`PhoneCommand::Update`].
    UpdatePhone,
}

/// The call of a tool that must be given one; scenarios give every call in the same way, apart from
/// the arguments.
const NAMED_CALL: Parameter =
    argument("call", Sort::Call, Need::Required).tool("call_id", "Which call.", Some("call_id"));

/// The call of a tool that finds one if none is given.
const ANY_CALL: Parameter = argument("call", Sort::Call, Need::Optional).tool(
    "call_id",
    "Which call; the oldest active one by default.",
    Some("call_id"),
);

/// The call of a tool that finds a ringing one if none is given.
const RINGING_CALL: Parameter = argument("call", Sort::Call, Need::Optional).tool(
    "call_id",
    "Which call; the oldest ringing one by default.",
    Some("call_id"),
);

/// How long a tool waits for the other side's answer; scenarios expect the fact instead.
const WAIT: Parameter = argument("wait", Sort::Time, Need::Optional).tool(
    "wait_ms",
    "How long to wait for the outcome: done, refused or pending.",
    None,
);

static PLACE_CALL: Verb = Verb {
    tool: Some(tool(
        "make_call",
        "Place a call",
        "Place a SIP call (send INVITE) and return its call_id at once; follow it with wait_for_event or get_call_info.",
        Effect::Dials,
    )),
    action: Some(action("make_call", Some("to"), "Calls someone.")),
    parameters: &[
        argument("target", Sort::Target, Need::Required)
            .tool(
                "dest_uri",
                "SIP URI to call, such as sip:600@pbx.example; a bare extension is dialed at the phone's domain.",
                None,
            )
            .action(
                &["to", "dest_uri", "value"],
                "whom: a SIP URI, an extension, `${b}` or `${echo}`",
                Some("dest_uri"),
            ),
        argument("headers", Sort::Headers, Need::Optional)
            .tool("headers", "Extra headers for the INVITE.", None)
            .action(&["headers"], "extra headers of the INVITE", None),
    ],
    make: Some(|given| {
        let (target, headers) = (given.text("target")?, given.headers("headers"));
        Ok(Made::Phone(PhoneCommand::PlaceCall { target, headers }))
    }),
    ..verb(CommandKind::PlaceCall, Addressee::Phone)
};

static ANSWER: Verb = Verb {
    cannot: "be answered",
    tool: Some(tool(
        "answer_call",
        "Answer a call",
        "Answer a ringing incoming call with 200, or send a provisional 180 or 183.",
        Effect::Dials,
    )),
    action: Some(action("answer", Some("code"), "Answers a ringing call.")),
    parameters: &[
        RINGING_CALL,
        argument("status", Sort::Status(180, 299), Need::Status(200))
            .tool("status_code", "180 or 183 to ring, 200 to answer.", None)
            .action(
                &["code", "status", "value"],
                "200; a status below 200 is a provisional answer",
                Some("status_code"),
            ),
    ],
    make: Some(|given| Ok(Made::Call(CallCommand::Answer { status: given.status("status")? }))),
    ..verb(CommandKind::Answer, Addressee::Call)
};

static REJECT: Verb = Verb {
    cannot: "be rejected",
    tool: Some(tool(
        "reject_call",
        "Reject a call",
        "Refuse an incoming call, 486 Busy Here by default.",
        Effect::Ends,
    )),
    action: Some(action("reject", Some("code"), "Refuses a ringing call.")),
    parameters: &[
        RINGING_CALL,
        argument("status", Sort::Status(300, 699), Need::Status(486))
            .tool("status_code", "Final status, 300 to 699.", Some("status_code"))
            .action(&["code", "status", "value"], "486", Some("status_code")),
    ],
    make: Some(|given| Ok(Made::Call(CallCommand::Reject { status: given.status("status")? }))),
    ..verb(CommandKind::Reject, Addressee::Call)
};

static HANG_UP: Verb = Verb {
    tool: Some(tool(
        "hangup",
        "Hang up",
        "Hang up a call: BYE, CANCEL or a refusal, as its state asks.",
        Effect::Ends,
    )),
    action: Some(
        action("hangup", Some("call"), "Ends a call with BYE, CANCEL or a refusal, as its state asks.")
            .also(&["hang_up"]),
    ),
    parameters: &[ANY_CALL],
    make: Some(|_| Ok(Made::Call(CallCommand::HangUp))),
    ..verb(CommandKind::HangUp, Addressee::Call)
};

static HANG_UP_ALL: Verb = Verb {
    action: Some(action("hangup_all", None, "Ends every call of the phone, or of all phones.")),
    make: Some(|_| Ok(Made::Phone(PhoneCommand::HangUpAll))),
    ..verb(CommandKind::HangUpAll, Addressee::PhoneOrAll)
};

static HOLD: Verb = Verb {
    cannot: "be held",
    tool: Some(tool("hold", "Hold", "Put a call on hold (re-INVITE, sendonly).", Effect::Settles)),
    action: Some(action("hold", Some("call"), "Puts the other side on hold.")),
    parameters: &[NAMED_CALL, WAIT],
    make: Some(|_| Ok(Made::Call(CallCommand::Hold))),
    ..verb(CommandKind::Hold, Addressee::Call)
};

static RESUME: Verb = Verb {
    cannot: "be resumed",
    tool: Some(tool("unhold", "Resume", "Take a held call back (re-INVITE, sendrecv).", Effect::Settles)),
    action: Some(action("unhold", Some("call"), "Takes the other side back.").also(&["resume"])),
    parameters: &[NAMED_CALL, WAIT],
    make: Some(|_| Ok(Made::Call(CallCommand::Resume))),
    ..verb(CommandKind::Resume, Addressee::Call)
};

static SEND_DIGITS: Verb = Verb {
    tool: Some(tool(
        "send_dtmf",
        "Send DTMF",
        "Send DTMF digits on a call, as for an IVR menu.",
        Effect::Dials,
    )),
    action: Some(action("send_dtmf", Some("digits"), "Sends digits.")),
    parameters: &[
        NAMED_CALL,
        argument("digits", Sort::Digits, Need::Required)
            .tool("digits", "Digits 0-9 * # A-D.", Some("digits"))
            .action(&["digits", "value"], "one or several of 0-9 * # A-D", Some("digits")),
        argument("duration", Sort::Time, Need::Optional).action(
            &["duration", "duration_ms"],
            "length of one digit; 200ms",
            None,
        ),
    ],
    make: Some(|given| {
        let (digits, duration) = (given.text("digits")?, given.time("duration"));
        Ok(Made::Call(CallCommand::SendDigits { digits, duration }))
    }),
    ..verb(CommandKind::SendDigits, Addressee::Call)
};

static TRANSFER: Verb = Verb {
    cannot: "be transferred",
    tool: Some(tool(
        "blind_transfer",
        "Blind transfer",
        "Transfer the other party of a call to an address (REFER).",
        Effect::Dials,
    )),
    action: Some(
        action("blind_transfer", Some("to"), "Asks the other side to call someone else.").also(&["transfer"]),
    ),
    parameters: &[
        argument("to", Sort::Target, Need::Required)
            .tool("dest_uri", "SIP URI or extension to transfer to.", Some("transfer_to"))
            .action(&["to", "dest_uri", "value"], "to whom", Some("to")),
        ANY_CALL,
        WAIT,
    ],
    make: Some(|given| Ok(Made::Call(CallCommand::Transfer { to: given.text("to")? }))),
    ..verb(CommandKind::Transfer, Addressee::Call)
};

static ATTENDED_TRANSFER: Verb = Verb {
    cannot: "be transferred",
    tool: Some(tool(
        "attended_transfer",
        "Attended transfer",
        "Connect the other parties of two calls of the phone (REFER with Replaces).",
        Effect::Dials,
    )),
    action: Some(action("attended_transfer", None, "Joins the other sides of two calls.")),
    parameters: &[
        argument("call", Sort::Call, Need::Optional).tool(
            "call_id",
            "Call whose party is transferred; the older of the first two by default.",
            None,
        ),
        argument("target", Sort::Call, Need::Optional)
            .tool(
                "dest_call_id",
                "Call whose party it is connected to; the newer of the first two by default.",
                None,
            )
            .action(
                &["dest_call_id", "target_call_id", "target"],
                "the call that takes over; the phone's newest other call",
                Some("dest_call_id"),
            ),
        WAIT,
    ],
    make: Some(|given| Ok(Made::Call(CallCommand::AttendedTransfer { target: given.call("target") }))),
    ..verb(CommandKind::AttendedTransfer, Addressee::Call)
};

static CONFERENCE: Verb = Verb {
    tool: Some(tool(
        "conference",
        "Conference",
        "Let the other sides of several calls of the phone hear each other. The conference has exactly these calls: name all but one to take one out.",
        Effect::Settles,
    )),
    action: Some(action(
        "conference",
        Some("call_ids"),
        "Lets the other sides of several calls hear each other; a member that is not named again leaves.",
    )),
    parameters: &[argument("calls", Sort::Calls, Need::AllCalls)
        .tool("call_ids", "At least two calls of the phone.", Some("call_ids"))
        .action(
            &["call_ids", "calls", "value"],
            "calls, of one phone or several, or `auto` for all active ones of the phone",
            Some("call_ids"),
        )],
    make: Some(|given| Ok(Made::Conference(given.calls("calls")))),
    ..verb(CommandKind::Conference, Addressee::Phone)
};

static PLAY: Verb = Verb {
    tool: Some(tool(
        "play_audio",
        "Play audio",
        "Play a WAV file of this machine into a call.",
        Effect::Dials,
    )),
    action: Some(
        action("play_audio", Some("file"), "Plays a file or a tone to the other side.").also(&["play"]),
    ),
    parameters: &[
        argument("file", Sort::Text, Need::Unless(&["tone", "echo"]))
            .tool("file_path", "Path of a WAV file.", Some("playing_file"))
            .action(&["file", "path", "file_path", "value"], "a WAV file", Some("file")),
        ANY_CALL,
        argument("tone", Sort::Frequencies(20.0, 7_000.0), Need::Optional).action(
            &["tone", "hz"],
            "frequency in hertz, or several; G.711 carries those below 4000",
            None,
        ),
        argument("level", Sort::Level, Need::Optional).action(
            &["level", "level_dbfs"],
            "level of the tone in dBFS; -10",
            None,
        ),
        argument("duration", Sort::Time, Need::Optional).action(
            &["duration", "duration_ms"],
            "length of the tone; until stopped",
            None,
        ),
        argument("echo", Sort::Flag, Need::Optional).action(&["echo"], "sends back what is heard", None),
        argument("loop", Sort::Flag, Need::Flag(false))
            .tool("loop", "Repeat until stopped.", Some("loop"))
            .action(&["loop", "repeat"], "whether a file repeats; false", Some("loop")),
    ],
    make: Some(|given| {
        let sound = match given.frequencies("tone") {
            Some(hz) => Sound::Tone {
                hz,
                level_dbfs: given.level("level").unwrap_or(-10.0),
                duration: given.time("duration"),
            },
            None if given.flag("echo").unwrap_or(false) => Sound::Echo,
            None => Sound::File(given.text("file")?),
        };
        Ok(Made::Call(CallCommand::Play { sound, repeat: given.flag("loop")? }))
    }),
    ..verb(CommandKind::Play, Addressee::Call)
};

static STOP_PLAYING: Verb = Verb {
    tool: Some(tool("stop_audio", "Stop audio", "Stop what is being played into a call.", Effect::Settles)),
    action: Some(action("stop_audio", None, "Stops what is being played.")),
    parameters: &[ANY_CALL],
    make: Some(|_| Ok(Made::Call(CallCommand::StopPlaying))),
    ..verb(CommandKind::StopPlaying, Addressee::Call)
};

static RECORD: Verb = Verb {
    action: Some(action("record", Some("on"), "Switches the recording of a call on or off.")),
    parameters: &[argument("on", Sort::Flag, Need::Flag(true)).action(&["on", "value"], "true", Some("on"))],
    make: Some(|given| Ok(Made::Call(CallCommand::Record { on: given.flag("on")? }))),
    ..verb(CommandKind::Record, Addressee::Call)
};

static SEND_MESSAGE: Verb = Verb {
    tool: Some(tool(
        "send_message",
        "Send a message",
        "Send a SIP MESSAGE (instant message, SMS over SIP) outside any call.",
        Effect::Dials,
    )),
    action: Some(action("send_message", Some("body"), "Sends a SIP MESSAGE.")),
    parameters: &[
        argument("to", Sort::Target, Need::Required)
            .tool("dest_uri", "SIP URI or extension.", Some("dest_uri"))
            .action(&["to", "dest_uri"], "to whom", Some("to")),
        argument("body", Sort::Text, Need::Required).tool("body", "Text to send.", None).action(
            &["body", "value"],
            "what",
            Some("body"),
        ),
        argument("content_type", Sort::Text, Need::Text("text/plain")).action(
            &["content_type"],
            "text/plain",
            Some("content_type"),
        ),
        WAIT,
    ],
    make: Some(|given| {
        Ok(Made::Phone(PhoneCommand::SendMessage {
            to: given.text("to")?,
            body: given.text("body")?,
            content_type: given.text("content_type")?,
        }))
    }),
    ..verb(CommandKind::SendMessage, Addressee::Phone)
};

static SET_CODECS: Verb = Verb {
    action: Some(action("set_codecs", Some("codecs"), "Offers other codecs on a running call.")),
    parameters: &[argument("codecs", Sort::Names, Need::Required).action(
        &["codecs", "value"],
        "codec names in order",
        Some("codecs"),
    )],
    make: Some(|given| Ok(Made::Call(CallCommand::SetCodecs { codecs: given.names("codecs")? }))),
    ..verb(CommandKind::SetCodecs, Addressee::Call)
};

static REGISTER: Verb = Verb {
    tool: Some(tool(
        "register",
        "Register",
        "Send a REGISTER now and tell the registrar's answer.",
        Effect::Settles,
    )),
    action: Some(action(
        "register",
        Some("phone"),
        "Registers the phone and waits for the registrar's answer.",
    )),
    make: Some(|_| Ok(Made::Phone(PhoneCommand::Register))),
    ..verb(CommandKind::Register, Addressee::Phone)
};

static UNREGISTER: Verb = Verb {
    tool: Some(tool(
        "unregister",
        "Unregister",
        "Remove the phone's registration (REGISTER with Expires 0); phone and tools stay.",
        Effect::Settles,
    )),
    action: Some(action("unregister", Some("phone"), "Removes the phone's binding.")),
    parameters: &[WAIT],
    make: Some(|_| Ok(Made::Phone(PhoneCommand::Unregister))),
    ..verb(CommandKind::Unregister, Addressee::Phone)
};

static ADD_PHONE: Verb = Verb {
    tool: Some(tool(
        "add_phone",
        "Add a phone",
        "Create a SIP softphone and register it at its PBX (digest authentication). A phone of the same name is replaced.",
        Effect::Settles,
    )),
    ..verb(CommandKind::AddPhone, Addressee::Node)
};

static DROP_PHONE: Verb = Verb {
    tool: Some(tool(
        "drop_phone",
        "Drop a phone",
        "Remove a phone: hang up its calls, unregister, forget it.",
        Effect::Ends,
    )),
    ..verb(CommandKind::DropPhone, Addressee::Node)
};

static UPDATE_PHONE: Verb = Verb {
    tool: Some(tool(
        "update_phone",
        "Change a phone",
        "Change auto answer, codecs, recording, password or realm of a phone; running calls follow.",
        Effect::Settles,
    )),
    ..verb(CommandKind::UpdatePhone, Addressee::Phone)
};

impl CommandKind {
    /// Every command, in the order of the reference.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Returns how surfaces offer it.
    #[must_use]
    pub const fn verb(self) -> &'static Verb {
        match self {
            Self::PlaceCall => &PLACE_CALL,
            Self::Answer => &ANSWER,
            Self::Reject => &REJECT,
            Self::HangUp => &HANG_UP,
            Self::HangUpAll => &HANG_UP_ALL,
            Self::Hold => &HOLD,
            Self::Resume => &RESUME,
            Self::SendDigits => &SEND_DIGITS,
            Self::Transfer => &TRANSFER,
            Self::AttendedTransfer => &ATTENDED_TRANSFER,
            Self::Conference => &CONFERENCE,
            Self::Play => &PLAY,
            Self::StopPlaying => &STOP_PLAYING,
            Self::Record => &RECORD,
            Self::SendMessage => &SEND_MESSAGE,
            Self::SetCodecs => &SET_CODECS,
            Self::Register => &REGISTER,
            Self::Unregister => &UNREGISTER,
            Self::AddPhone => &ADD_PHONE,
            Self::DropPhone => &DROP_PHONE,
            Self::UpdatePhone => &UPDATE_PHONE,
        }
    }
}
