//! The deadlines that cause facts, by name.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::upcast;

/// Defines the reasons and the list of their names.
macro_rules! reasons {
    ($( $(#[$meta:meta])* $name:literal => $variant:ident ),* $(,)?) => {
        /// A deadline whose passing caused something.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        pub enum TimerReason {
            $( $(#[$meta])* #[serde(rename = $name)] $variant ),*
        }

        impl TimerReason {
            /// Every reason with its name.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),*];
        }
    };
}

reasons! {
    /// An INVITE is retransmitted.
    "timer_a" => TimerA,
    /// An INVITE got no response.
    "timer_b" => TimerB,
    /// Retransmitted refusals of an INVITE are no longer absorbed.
    "timer_d" => TimerD,
    /// A request is retransmitted.
    "timer_e" => TimerE,
    /// A request got no final response.
    "timer_f" => TimerF,
    /// The refusal of an INVITE is retransmitted.
    "timer_g" => TimerG,
    /// The refusal of an INVITE was never acknowledged.
    "timer_h" => TimerH,
    /// Retransmitted ACKs are no longer absorbed.
    "timer_i" => TimerI,
    /// The response to a request is forgotten.
    "timer_j" => TimerJ,
    /// Retransmitted responses are no longer absorbed.
    "timer_k" => TimerK,
    /// An INVITE that was answered is forgotten.
    "timer_l" => TimerL,
    /// No further 2xx to an INVITE is accepted.
    "timer_m" => TimerM,
    /// We have not responded to an INVITE yet, so 100 Trying says that it has arrived.
    "trying" => Trying,
    /// A request that was never answered is forgotten.
    "unanswered" => Unanswered,
    /// The answer to an INVITE is retransmitted until it is acknowledged.
    "repeat_answer" => RepeatAnswer,
    /// The answer to an INVITE was never acknowledged.
    "ack_missing" => AckMissing,
    /// A provisional response is sent again, so that proxies keep the INVITE alive.
    "repeat_provisional" => RepeatProvisional,
    /// A canceled INVITE got no final response.
    "cancel_limit" => CancelLimit,
    /// The back-off after two crossing re-INVITEs is over.
    "glare" => Glare,
    /// An INVITE was not answered within the time its caller gave.
    "invite_expired" => InviteExpired,
    /// Subscriptions that outlived their call are forgotten.
    "subscription_outlived" => SubscriptionOutlived,
    /// A binding is refreshed before it expires.
    "registration_refresh" => RegistrationRefresh,
    /// A failed registration is retried.
    "registration_retry" => RegistrationRetry,
    /// The path to the registrar is kept open.
    "keep_alive" => KeepAlive,
    /// Nobody answered a call in time.
    "no_answer" => NoAnswer,
    /// A closing phone has heard nothing from a registrar that never accepted it.
    "registrar_silent" => RegistrarSilent,
    /// A phone took too long to close.
    "closing_limit" => ClosingLimit,
    /// The calls in a capture file are over, and so are their last messages.
    "capture_over" => CaptureOver,
    /// Some deadline of the SIP engine: journals from before the reasons had names do not say
    /// which.
    "unspecified" => Unspecified,
}

impl<'de> Deserialize<'de> for TimerReason {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let known = Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, reason)| *reason);
        Ok(known.unwrap_or_else(|| upcast::timer_reason(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_as_it_is_written() {
        for (name, reason) in TimerReason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<TimerReason>(&json).unwrap(), *reason);
        }
    }
}
