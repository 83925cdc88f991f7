//! Which documents look at events in the older form; for the others it need not be produced.

use super::{CallMemory, CompatEvent, events::COMPATIBLE};
use crate::{event::Envelope, scenario::Scenario};

/// Shows each event in the older form.
#[derive(Clone, Debug, Default)]
pub struct Lens {
    memory: CallMemory,
}

impl Lens {
    /// Creates the lens of a document, if any of its patterns matches a name of the older form.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let named = |name: &str| scenario.patterns().iter().any(|pattern| pattern.matches(name));
        let mut by_type = false;
        // The older name is an event's `type`, whatever pattern selected it.
        scenario
            .matchers(&mut |matcher| by_type |= matcher.conditions.iter().any(|each| each.path == "type"));
        // An event that a document emits has its name only in this form.
        let emitted = scenario.patterns().iter().any(|pattern| pattern.as_str().starts_with("user"));
        let older = scenario.lenient || emitted || by_type || COMPATIBLE.iter().any(|(name, _)| named(name));
        older.then(Self::default)
    }

    /// Notes an event and returns its older form, if it has one.
    pub fn observe(&mut self, envelope: &Envelope) -> Option<CompatEvent> {
        self.memory.observe(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Known, check_yaml};

    fn has_lens(waits: &str) -> bool {
        let text =
            format!("name: n\nphones: {{a: }}\nsteps:\n  - make_call: '600'\n  - expect: {{{waits}}}\n");
        let reading = check_yaml(&text, None, &Known::default());
        Lens::of(&reading.scenario.unwrap()).is_some()
    }

    #[test]
    fn only_a_document_that_uses_the_older_form_has_it_made() {
        for native in ["event: call.ended", "event: 'media.*'", "event: phone.registered", "digits: '1'"] {
            assert!(!has_lens(native), "{native}");
        }
        for older in [
            "event: call.state.confirmed",
            "event: 'call.*'",
            "event: '*'",
            "event: user.ready",
            "all: [{event: dtmf.in}]",
            "event: call.ended, match: {type: call.state.disconnected}",
        ] {
            assert!(has_lens(older), "{older}");
        }
    }
}
