//! Facts about a phone: its presence, its registration and the messages it exchanged.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events;
use crate::id::Seq;

/// A transport of SIP: the one towards a phone's registrar, or that of a message.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RFC 3261 over UDP, switching to TCP for large requests.
    #[default]
    Udp,
    /// RFC 3261 over TCP.
    Tcp,
    /// RFC 3261 over TLS; not built yet.
    Tls,
    /// WebSocket, RFC 7118; not built yet.
    Ws,
    /// WebSocket over TLS, RFC 7118; not built yet.
    Wss,
}

impl Transport {
    /// Every transport that has a name.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];
    /// Those that a phone can use; `net` carries exactly these.
    pub const BUILT: [Self; 2] = [Self::Udp, Self::Tcp];

    /// Returns the name, as events and users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Tells whether a phone can use it.
    #[must_use]
    pub fn is_built(self) -> bool {
        Self::BUILT.contains(&self)
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What a phone is, without its password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhoneSpec {
    /// Registrar and address-of-record host, with an optional `:port`.
    pub domain: String,
    /// User part of the address of record; also the digest user name.
    pub username: String,
    /// Realm to answer; none answers any.
    #[serde(default)]
    pub realm: Option<String>,
    /// Transport towards the registrar.
    #[serde(default)]
    pub transport: Transport,
    /// Transport exactly as the user wrote it (`UDP`), for surfaces that echo it.
    #[serde(default)]
    pub transport_text: Option<String>,
    /// Local SIP port; 0 lets the system choose.
    #[serde(default)]
    pub local_port: u16,
    /// Codec names offered and accepted, in order; none means all.
    #[serde(default)]
    pub codecs: Option<Vec<String>>,
    /// Whether incoming calls are answered by themselves.
    #[serde(default)]
    pub auto_answer: bool,
    /// Whether media must be SRTP.
    #[serde(default)]
    pub srtp: bool,
    /// Whether the phone registers when it is added.
    #[serde(default = "yes")]
    pub register: bool,
    /// Whether calls are recorded.
    #[serde(default)]
    pub recording_enabled: bool,
    /// Whether packets are captured.
    #[serde(default)]
    pub capture_enabled: bool,
}

impl PhoneSpec {
    /// Returns the settings of a phone of which only its registrar and its name are said.
    #[must_use]
    pub fn new(domain: impl Into<String>, username: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            username: username.into(),
            realm: None,
            transport: Transport::default(),
            transport_text: None,
            local_port: 0,
            codecs: None,
            auto_answer: false,
            srtp: false,
            register: yes(),
            recording_enabled: false,
            capture_enabled: false,
        }
    }
}

const fn yes() -> bool {
    true
}

events! {
    /// Facts about a phone.
    PhoneEvent {
        /// The phone exists from now on.
        "phone.added" => Added {
            /// What it is.
            spec: PhoneSpec,
        },
        /// Its settings changed.
        "phone.updated" => Updated {
            /// What it is now.
            spec: PhoneSpec,
        },
        /// Its socket is open.
        "phone.bound" => Bound {
            /// Address and port on which it receives SIP.
            local: SocketAddr,
        },
        /// The phone is gone.
        "phone.dropped" => Dropped {},
        /// A REGISTER was decided.
        "phone.registering" => Registering {
            /// The registrar's URI.
            registrar: String,
        },
        /// The registrar accepted the binding.
        "phone.registered" => Registered {
            /// Status of the response.
            status: u16,
            /// Reason phrase as received; odd ones are a finding.
            reason: String,
            /// Granted lifetime in seconds.
            expires_s: u64,
        },
        /// The registrar refused, or nobody answered.
        "phone.registration_failed" => RegistrationFailed {
            /// Status of the response; absent when none came.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
            /// Milliseconds until the next attempt; absent when none will be made.
            retry_in_ms: Option<u64>,
        },
        /// The binding was removed at our request.
        "phone.unregistered" => Unregistered {
            /// Status of the response; absent when the registrar did not answer.
            status: Option<u16>,
        },
        /// The phone's actor failed; its calls were ended.
        "phone.crashed" => Crashed {
            /// The failure's text.
            reason: String,
        },
        /// The phone was started again after a failure.
        "phone.restarted" => Restarted {
            /// How many restarts in a row, from 1.
            attempt: u32,
        },
        /// A MESSAGE arrived outside or inside a dialog.
        "message.received" => MessageReceived {
            /// Sender's URI.
            from: String,
            /// Our URI as addressed.
            to: String,
            /// The body; text that is not UTF-8 is shown with replacement characters.
            body: String,
            /// Media type.
            content_type: String,
        },
        /// A MESSAGE was decided.
        "message.sent" => MessageSent {
            /// Recipient's URI.
            to: String,
            /// The body.
            body: String,
            /// Media type.
            content_type: String,
        },
        /// The MESSAGE got a 2xx.
        "message.delivered" => MessageDelivered {
            /// Recipient's URI.
            to: String,
            /// Status of the response.
            status: u16,
            /// The `message.sent` that it is about; absent in facts that were written before they named it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            sent: Option<Seq>,
        },
        /// The MESSAGE was refused or nobody answered.
        "message.failed" => MessageFailed {
            /// Recipient's URI.
            to: String,
            /// Status of the response; absent when none came.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
            /// The `message.sent` that it is about; absent in facts that were written before they named it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            sent: Option<Seq>,
        },
    }
}
