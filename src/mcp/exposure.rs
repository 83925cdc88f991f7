//! How per-phone actions are shown: as tools of each phone, or once with a `phone_id`.
//!
//! A tool list that grows with every phone is what users of per-phone tools know, but revision 2026-07-28 forbids
//! lists that change as a side effect of calls, and some clients never ask for the list again.

use std::str::FromStr;

use rmcp::model::ProtocolVersion;

/// Clients that are known to ignore `notifications/tools/list_changed`, by the name that they give themselves.
const DEAF_CLIENTS: &[&str] = &["claude-ai", "codex-mcp-client", "gemini-cli-mcp-client"];

/// The setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneTools {
    /// Every phone brings its own 22 tools, named `<phone_id>_<action>`.
    Dynamic,
    /// The 22 actions are listed once and take a `phone_id`.
    Static,
    /// Dynamic for clients that follow list changes, static for all others.
    #[default]
    Auto,
}

/// The text is none of the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not one of dynamic, static, auto")]
pub struct UnknownPhoneTools {
    /// What was given.
    given: String,
}

impl FromStr for PhoneTools {
    type Err = UnknownPhoneTools;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "dynamic" => Ok(Self::Dynamic),
            "static" => Ok(Self::Static),
            "auto" => Ok(Self::Auto),
            other => Err(UnknownPhoneTools { given: other.to_owned() }),
        }
    }
}

/// What one client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Projection {
    /// Tools of each phone.
    Dynamic,
    /// Tools with a `phone_id`.
    Static,
}

impl PhoneTools {
    /// Decides what a client sees, by the revision it speaks and the name it gives itself.
    pub(super) fn projection(self, revision: Option<&ProtocolVersion>, client: Option<&str>) -> Projection {
        match self {
            Self::Dynamic => Projection::Dynamic,
            Self::Static => Projection::Static,
            Self::Auto => {
                let handshakes = revision.is_none_or(ProtocolVersion::has_initialize);
                let deaf = client.is_some_and(|name| DEAF_CLIENTS.contains(&name));
                if handshakes && !deaf { Projection::Dynamic } else { Projection::Static }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_follows_the_revision_and_the_client() {
        let auto = PhoneTools::Auto;
        for (revision, client, expected) in [
            (ProtocolVersion::V_2024_11_05, "claude-code", Projection::Dynamic),
            (ProtocolVersion::V_2025_11_25, "Visual Studio Code", Projection::Dynamic),
            (ProtocolVersion::V_2025_11_25, "codex-mcp-client", Projection::Static),
            (ProtocolVersion::V_2026_07_28, "claude-code", Projection::Static),
        ] {
            assert_eq!(auto.projection(Some(&revision), Some(client)), expected, "{revision} {client}");
        }
        assert_eq!(PhoneTools::Static.projection(None, None), Projection::Static);
        let newest = ProtocolVersion::V_2026_07_28;
        assert_eq!(PhoneTools::Dynamic.projection(Some(&newest), None), Projection::Dynamic);
    }

    #[test]
    fn the_setting_reads_its_own_words() {
        assert_eq!("dynamic".parse(), Ok(PhoneTools::Dynamic));
        assert_eq!("auto".parse(), Ok(PhoneTools::default()));
        assert!("often".parse::<PhoneTools>().is_err());
    }
}
