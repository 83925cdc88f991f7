//! The tools, one file per group, in the order in which clients list them.

mod artifact;
mod conference;
mod events;
mod inspection;
mod media;
mod messaging;
mod outcome;
mod profile;
mod registration;
mod roster;
mod scenario;
mod select;
mod sip;
mod subject;
mod system;
mod verbs;

use super::catalog::{ActionDefinition, ToolDefinition};
use crate::id::PhoneId;

/// Names of the actions that every phone has, in the order of the list.
pub(super) const ACTION_NAMES: [&str; 22] = [
    "make_call",
    "answer_call",
    "reject_call",
    "hangup",
    "get_call_info",
    "list_calls",
    "get_active_calls",
    "get_call_history",
    "hold",
    "unhold",
    "send_dtmf",
    "blind_transfer",
    "attended_transfer",
    "conference",
    "play_audio",
    "stop_audio",
    "get_recording",
    "send_message",
    "get_messages",
    "get_registration_status",
    "unregister",
    "register",
];

/// Returns the names of one phone's tools, in the order of the list.
pub(super) fn names_of(phone: &PhoneId) -> Vec<String> {
    ACTION_NAMES.iter().map(|action| [phone.as_str(), "_", action].concat()).collect()
}

/// Defines every tool that is always listed: the compatible ones first, in their published order.
pub(super) fn all() -> Vec<ToolDefinition> {
    let mut tools = roster::tools();
    tools.extend(sip::tools());
    tools.extend(artifact::tools());
    tools.extend(scenario::tools());
    tools.extend(events::tools());
    tools.extend(system::tools());
    tools.extend(conference::tools());
    tools
}

/// Defines every phone action.
pub(super) fn actions() -> Vec<ActionDefinition> {
    let mut actions = verbs::actions();
    actions.extend(inspection::actions());
    actions.extend(media::actions());
    actions.extend(messaging::actions());
    actions.extend(registration::actions());
    actions.sort_by_key(|action| ACTION_NAMES.iter().position(|name| *name == action.name()));
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_name_has_one_definition() {
        let names: Vec<_> = actions().iter().map(ActionDefinition::name).collect();
        assert_eq!(names, ACTION_NAMES);
    }
}
