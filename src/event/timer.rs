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
    /// An INVITE is sent again.
    "timer_a" => TimerA,
    /// Nobody responded to an INVITE.
    "timer_b" => TimerB,
    /// Repeated refusals of an INVITE are no longer absorbed.
    "timer_d" => TimerD,
    /// A request is sent again.
    "timer_e" => TimerE,
    /// A request got no final response.
    "timer_f" => TimerF,
    /// The refusal of an INVITE is sent again.
    "timer_g" => TimerG,
    /// The refusal of an INVITE was never acknowledged.
    "timer_h" => TimerH,
    /// Repeated ACKs are no longer absorbed.
    "timer_i" => TimerI,
    /// The response to a request is forgotten.
    "timer_j" => TimerJ,
    /// Repeated responses are no longer absorbed.
    "timer_k" => TimerK,
    /// An INVITE that was answered is forgotten.
    "timer_l" => TimerL,
    /// No further 2xx to an INVITE is accepted.
    "timer_m" => TimerM,
    /// An INVITE had no response of ours yet, so 100 Trying says that it has arrived.
    "trying" => Trying,
    /// A request that was never answered is forgotten.
    "unanswered" => Unanswered,
    /// The answer to an INVITE is sent again until it is acknowledged.
    "repeat_answer" => RepeatAnswer,
    /// The answer to an INVITE was never acknowledged.
    "ack_missing" => AckMissing,
    /// A provisional response is sent again so that proxies keep the INVITE alive.
    "repeat_provisional" => RepeatProvisional,
    /// A canceled INVITE got no final response.
    "cancel_limit" => CancelLimit,
    /// The pause after two crossing re-INVITEs is over.
    "glare" => Glare,
    /// Nobody answered an INVITE in the time that its caller gave.
    "invite_expired" => InviteExpired,
    /// The subscriptions that outlived their call are forgotten.
    "subscription_outlived" => SubscriptionOutlived,
    /// A binding is refreshed before it expires.
    "registration_refresh" => RegistrationRefresh,
    /// A registration that failed is tried again.
    "registration_retry" => RegistrationRetry,
    /// The path to the registrar is kept open.
    "keep_alive" => KeepAlive,
    /// Nobody answered a call in time.
    "no_answer" => NoAnswer,
    /// A phone that closes has heard nothing from a registrar that never accepted it.
    "registrar_silent" => RegistrarSilent,
    /// A phone took too long to close.
    "closing_limit" => ClosingLimit,
    /// Some deadline of the SIP engine: a journal from before the reasons had names says no more.
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
