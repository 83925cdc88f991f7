//! Facts about a phone: its existence, its registration and the messages it exchanged.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events;
use crate::id::Seq;

/// A SIP transport: the one to a phone's registrar, or that of a message.
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
    /// RFC 3261 over TLS; not implemented yet.
    Tls,
    /// WebSocket, RFC 7118; not implemented yet.
    Ws,
    /// WebSocket over TLS, RFC 7118; not implemented yet.
    Wss,
}

impl Transport {
    /// Every transport that has a name.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];
    /// The transports that a phone can use; `net` implements exactly these.
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

    /// Returns whether a phone can use it.
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

/// A phone's settings, without its password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhoneSpec {
    /// Registrar and address-of-record host, with an optional `:port`.
    pub domain: String,
    /// User part of the address of record; also the digest user name.
    pub username: String,
    /// Realm to answer; `None` answers any.
    #[serde(default)]
    pub realm: Option<String>,
    /// Transport to the registrar.
    #[serde(default)]
    pub transport: Transport,
    /// Transport exactly as the user wrote it (`UDP`), for surfaces that echo it.
    #[serde(default)]
    pub transport_text: Option<String>,
    /// Local SIP port; 0 lets the system choose.
    #[serde(default)]
    pub local_port: u16,
    /// Codec names offered and accepted, in order of preference; `None` means all.
    #[serde(default)]
    pub codecs: Option<Vec<String>>,
    /// Whether incoming calls are answered automatically.
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
    /// Returns the default settings for this registrar and user name.
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
        /// The phone was added.
        "phone.added" => Added {
            /// Its settings.
            spec: PhoneSpec,
        },
        /// Its settings changed.
        "phone.updated" => Updated {
            /// Its settings now.
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
            /// Reason phrase as received; an odd one may be of interest.
            reason: String,
            /// Granted lifetime in seconds.
            expires_s: u64,
        },
        /// The registrar refused, or there was no response.
        "phone.registration_failed" => RegistrationFailed {
            /// Status of the response; absent if there was none.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
            /// Milliseconds until the next attempt; absent if there will be none.
            retry_in_ms: Option<u64>,
        },
        /// The binding was removed at our request.
        "phone.unregistered" => Unregistered {
            /// Status of the response; absent if there was none.
            status: Option<u16>,
        },
        /// The phone's actor failed; its calls were ended.
        "phone.crashed" => Crashed {
            /// The error.
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
            /// The `message.sent` of this MESSAGE; absent in facts written before it was recorded.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            sent: Option<Seq>,
        },
        /// The MESSAGE was refused, or there was no response.
        "message.failed" => MessageFailed {
            /// Recipient's URI.
            to: String,
            /// Status of the response; absent if there was none.
            status: Option<u16>,
            /// Reason phrase, or what went wrong on our side.
            reason: String,
            /// The `message.sent` of this MESSAGE; absent in facts written before it was recorded.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            sent: Option<Seq>,
        },
    }
}
