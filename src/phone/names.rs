//! Resolving names for a phone: each resolution is a task, so that no handler waits, and its steps
//! become a fact.

use std::{sync::Arc, time::Duration};

use offhook_sip::{
    message::Uri,
    user_agent::{Destination, SessionId},
};
use tokio::time::{Instant, timeout};

use super::{
    actor::{PhoneMessage, Shell},
    commands::{Asked, CLOSING},
    target::{find, resolved},
};
use crate::{
    event::Cause,
    id::{CallId, Seq},
    net::Resolution,
};

/// Who is waiting for the addresses of a URI.
#[derive(Debug)]
pub(crate) enum Asker {
    /// A user's command to call it or to send it a message.
    Command(Asked),
    /// The engine has a request for it.
    Engine {
        /// The URI as the engine knows it.
        uri: Uri,
        /// The session the request belongs to.
        session: Option<SessionId>,
        /// The cause of the request.
        cause: Cause,
    },
}

impl Shell {
    /// Starts resolving a URI; [`PhoneMessage::Followed`] brings the result.
    pub(super) fn follow(&mut self, uri: Uri, asker: Asker) {
        self.followed += 1;
        let random = self.shared.seed_of(&self.id, self.followed);
        let (me, network, transport) =
            (self.me.clone(), Arc::clone(&self.shared.network), self.spec.transport);
        // A closing phone must send before its time is over. If a name takes too long, requests
        // within a dialog go where the dialog came from.
        let patience = if self.closing { CLOSING / 4 } else { Duration::MAX };
        tokio::spawn(async move {
            let found = timeout(patience, find(&*network, &uri, transport, random)).await;
            let found = Box::new(found.unwrap_or_else(|_| Resolution::out_of_time(uri, patience)));
            let asker = Box::new(asker);
            // If the phone is gone the reply is dropped, which tells the asker.
            drop(me.cast(PhoneMessage::Followed { found, asker }));
        });
    }

    /// Resumes what was waiting for a URI, and returns the cause of what follows.
    pub(super) async fn followed(&mut self, found: &Resolution, asker: Asker) -> Cause {
        let places: Vec<_> =
            found.places().iter().copied().filter(|(_, to)| self.can_reach(to.ip())).collect();
        match asker {
            Asker::Command(asked) => {
                let cause = asked.cause.clone();
                self.append_found(found, None, &cause);
                let destination = match self.problem(found) {
                    Some(problem) => Err(problem),
                    None => Ok(Destination::among(places)),
                };
                self.go_on(asked, destination).await
            }
            Asker::Engine { uri, session, cause } => {
                let call = session.and_then(|session| self.calls.of_session(session));
                let seq = self.append_found(found, call, &cause);
                self.unsent = self.problem(found);
                self.agent.resolved(Instant::now().into_std(), &uri, &places);
                seq.map_or(cause, |seq| Cause::Event { seq })
            }
        }
    }

    /// Records how a URI was resolved; one that holds a numeric address needed no steps.
    pub(super) fn append_found(
        &self,
        found: &Resolution,
        call: Option<CallId>,
        cause: &Cause,
    ) -> Option<Seq> {
        let event = (!found.lookups.is_empty()).then(|| resolved(found))?;
        Some(self.shared.journal.append(self.subject(call), cause.clone(), event))
    }

    /// Explains in one sentence why this phone cannot send to a URI, if it cannot.
    fn problem(&self, found: &Resolution) -> Option<String> {
        let host =
            found.uri.maddr().as_ref().or(found.uri.host()).map(ToString::to_string).unwrap_or_default();
        match &found.targets {
            Err(error) => Some(format!("cannot resolve '{host}': {error}")),
            Ok(places) if !places.iter().any(|(_, to)| self.can_reach(to.ip())) => {
                Some(format!("'{host}' has no address that is reached from {}", self.local.ip()))
            }
            Ok(_) => None,
        }
    }

    /// Returns whether an address is of the same family as our socket.
    const fn can_reach(&self, to: std::net::IpAddr) -> bool {
        self.local.ip().is_ipv4() == to.is_ipv4()
    }
}
