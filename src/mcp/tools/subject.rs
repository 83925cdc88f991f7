//! Whether what a filter names exists at all: what never existed cannot be waited for, and what is
//! no longer kept is not "nothing".

use crate::{
    command::Code,
    id::{CallId, PhoneId, RunId, Seq},
    mcp::{compat::words, result::Refusal, services::Services},
};

/// What a search or a wait names.
#[derive(Default)]
pub(super) struct Named<'a> {
    pub(super) phone: Option<&'a PhoneId>,
    pub(super) call: Option<CallId>,
    pub(super) run: Option<RunId>,
    /// Position to start after.
    pub(super) after: Option<u64>,
}

impl Named<'_> {
    /// Refuses a phone, call or run that never existed, and a position that has not been reached or
    /// is no longer kept.
    pub(super) fn check(&self, services: &Services) -> Result<(), Refusal> {
        if let Some(phone) = self.phone.filter(|phone| services.views.phone_ever(phone).is_none()) {
            let sentence = words::unknown_phone_filter(phone.as_str(), &services.phone_ids());
            return Err(Refusal::new(Code::NotFound, sentence).or_try(&["list_phones"]));
        }
        // Views forget what has long been over; the journal on disk may still have it.
        let next = services.views.next_call_id();
        if let Some(call) = self.call.filter(|call| *call >= next) {
            return Err(no_call(call, services));
        }
        self.check_owner(services)?;
        let next = services.views.next_run_id();
        if let Some(run) = self.run.filter(|run| *run >= next) {
            let sentence = format!("there was no {run} yet");
            return Err(Refusal::new(Code::NotFound, sentence).or_try(&["query_events"]));
        }
        self.check_position(services)
    }

    /// Refuses a call that is another phone's: it has no event of the phone that is named.
    fn check_owner(&self, services: &Services) -> Result<(), Refusal> {
        let (Some(phone), Some(call)) = (self.phone, self.call) else { return Ok(()) };
        match services.views.call(call) {
            Some(found) if found.phone != *phone => {
                let sentence = words::call_of_another_phone(call, &found.phone, phone);
                Err(Refusal::new(Code::InvalidArgument, sentence))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_position(&self, services: &Services) -> Result<(), Refusal> {
        let Some(after) = self.after else { return Ok(()) };
        let (head, kept_after) = (services.journal.head(), services.journal.kept_after());
        if after > head.0 {
            let sentence = format!("after {after}: the journal is only at {head}");
            return Err(Refusal::new(Code::InvalidArgument, sentence));
        }
        if Seq(after) < kept_after {
            let sentence = format!("events up to {kept_after} are no longer kept: give after {kept_after}");
            return Err(Refusal::new(Code::NotFound, sentence));
        }
        Ok(())
    }
}

/// Refuses an unknown call: it never existed, or has been forgotten.
pub(super) fn no_call(call: CallId, services: &Services) -> Refusal {
    let sentence = words::no_call(call, services.views.next_call_id());
    Refusal::new(Code::NotFound, sentence).or_try(&["list_phones", "query_events"])
}
