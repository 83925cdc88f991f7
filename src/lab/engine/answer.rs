//! Requests from outside: who sent them, and which number they want.

use std::time::Instant;

use offhook_media::sdp::SessionDescription;
use offhook_sip::{
    message::{HeaderName, Message, Method, NameAddr, StatusCode},
    session::ReplacedDialog,
    user_agent::{Flow, IncomingId, NamedHeaders, SessionId},
};

use super::{
    Engine,
    bindings::{Refusal, is_query},
    dialplan::{self, Route},
    guard::Check,
    hunt::Purpose,
    leg::{Leg, Role},
};
use crate::lab::told::Told;

/// The response to a request that may not pass.
struct Stop {
    status: StatusCode,
    headers: NamedHeaders,
}

impl From<StatusCode> for Stop {
    fn from(status: StatusCode) -> Self {
        Self { status, headers: Vec::new() }
    }
}

impl Engine {
    /// Handles an incoming call.
    pub(super) fn incoming(
        &mut self,
        now: Instant,
        id: SessionId,
        invite: &Message,
        flow: Flow,
        offer: Option<&[u8]>,
        replaces: Option<&ReplacedDialog>,
    ) {
        self.teller.incoming(id, invite);
        match self.admit_call(now, id, invite, flow, offer, replaces) {
            Ok(()) => self.teller.admitted(id),
            Err(stop) => self.respond(now, id, stop.status, None, stop.headers),
        }
    }

    fn admit_call(
        &mut self,
        now: Instant,
        id: SessionId,
        invite: &Message,
        flow: Flow,
        offer: Option<&[u8]>,
        replaces: Option<&ReplacedDialog>,
    ) -> Result<(), Stop> {
        if self.legs.len() / 2 >= self.options.most_calls {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        }
        let party = self.sender(now, invite)?;
        let offer = match offer.map(SessionDescription::parse) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(error)) => {
                tracing::debug!(%error, "unreadable offer at the lab");
                return Err(StatusCode::BAD_REQUEST.into());
            }
        };
        let leg = |engine: &Self, role| -> Result<Leg, Stop> {
            let media = engine.open_media(flow.remote).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
            let mut leg = Leg::new(party.clone(), media, role);
            leg.talk.received.clone_from(&offer);
            Ok(leg)
        };
        if let Some(replaces) = replaces {
            let replaced = replaces.session.ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
            let leg = leg(self, Role::Waiting)?;
            return self.take_over(now, id, leg, replaced).map_err(Stop::from);
        }
        let uri = invite.request_uri().ok_or(StatusCode::NOT_FOUND)?;
        let number = uri.user_decoded().ok_or(StatusCode::NOT_FOUND)?;
        match dialplan::route(&number, &self.users, &self.options.timing) {
            Route::Refused(status) => Err(status.into()),
            Route::Robot(script) => {
                let leg = leg(self, Role::Caller)?;
                self.legs.insert(id, leg);
                self.robot_called(now, id, script);
                Ok(())
            }
            Route::Phone { user, limit } => {
                let contacts = self.bindings.of(&user, now);
                if contacts.is_empty() {
                    return Err(StatusCode::TEMPORARILY_UNAVAILABLE.into());
                }
                let leg = leg(self, Role::Caller)?;
                self.legs.insert(id, leg);
                let headers = carried(invite);
                self.hunt(now, id, &contacts, limit, headers, Purpose::Call);
                Ok(())
            }
        }
    }

    /// Returns how others see the sender of an INVITE or MESSAGE, once its identity is verified.
    fn sender(&mut self, now: Instant, request: &Message) -> Result<NameAddr, Stop> {
        let from = request.from().map_err(|_| StatusCode::BAD_REQUEST)?;
        let claimed = from.uri.user_decoded().unwrap_or_default().into_owned();
        let user = if self.options.authenticate_calls {
            match self.guard.check(now, request, &self.users) {
                Check::Passed(user) if user == claimed => user,
                Check::Challenge(headers) => return Err(Stop { status: StatusCode::UNAUTHORIZED, headers }),
                Check::Passed(_) | Check::Refused | Check::Unknown => {
                    return Err(StatusCode::FORBIDDEN.into());
                }
            }
        } else {
            claimed
        };
        let shown = self.number(&user);
        let known = self.users.get(&user).and_then(|user| user.display.clone());
        Ok(match from.display.or(known) {
            Some(display) => shown.with_display(&display),
            None => shown,
        })
    }

    /// Handles a request outside any call.
    pub(super) fn request(&mut self, now: Instant, id: IncomingId, request: &Message, flow: Flow) {
        let taken = match request.method() {
            Method::Register => self.register(now, id, request, flow),
            Method::Message => self
                .sender(now, request)
                .and_then(|party| self.relay_message(now, id, request, &party).map_err(Stop::from)),
            // Outside a call there is nobody to transfer.
            Method::Refer => Err(StatusCode::FORBIDDEN.into()),
            // The engine raises no others.
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Info
            | Method::Notify
            | Method::Subscribe
            | Method::Publish
            | Method::Prack
            | Method::Update
            | Method::Extension(_) => Err(StatusCode::NOT_IMPLEMENTED.into()),
        };
        if let Err(stop) = taken {
            self.teller.refused(request, stop.status);
            self.reply_with(now, id, request, stop.status, stop.headers);
        }
    }

    fn register(&mut self, now: Instant, id: IncomingId, request: &Message, flow: Flow) -> Result<(), Stop> {
        let to = request.to().map_err(|_| StatusCode::BAD_REQUEST)?;
        let aor = to.uri.user_decoded().unwrap_or_default().into_owned();
        match self.guard.check(now, request, &self.users) {
            Check::Passed(user) if user == aor => {}
            Check::Challenge(headers) => return Err(Stop { status: StatusCode::UNAUTHORIZED, headers }),
            Check::Unknown => return Err(StatusCode::NOT_FOUND.into()),
            Check::Passed(_) | Check::Refused => return Err(StatusCode::FORBIDDEN.into()),
        }
        let query = request.contacts().is_ok_and(|contacts| is_query(&contacts));
        if !query {
            let timing = self.options.timing;
            let done = self.bindings.register(now, &aor, request, flow, &timing, self.address);
            done.map_err(refusal)?;
        }
        let headers = self.bindings.headers(&aor, now);
        if !query {
            let has_contact = headers.iter().any(|(name, _)| *name == HeaderName::Contact);
            self.teller.tell(match has_contact {
                true => Told::Registered(aor, flow.remote.to_string()),
                false => Told::Unregistered(aor),
            });
        }
        self.reply_with(now, id, request, StatusCode::OK, headers);
        Ok(())
    }
}

fn refusal(refusal: Refusal) -> Stop {
    let headers = match refusal {
        Refusal::TooBrief(least) => vec![(HeaderName::MinExpires, least.to_string())],
        Refusal::Bad(why) | Refusal::Forbidden(why) => {
            vec![(HeaderName::Warning, format!("399 offhook-lab \"{why}\""))]
        }
    };
    Stop { status: refusal.status(), headers }
}

/// Returns the headers of an INVITE that are passed on to the called phone: those that carry the
/// caller's own words.
fn carried(invite: &Message) -> NamedHeaders {
    let passes = |name: &HeaderName| {
        matches!(
            name,
            HeaderName::Subject | HeaderName::AlertInfo | HeaderName::CallInfo | HeaderName::Priority
        ) || name.as_str().get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
    };
    let fields = invite.headers().filter(|field| passes(&field.name));
    fields.map(|field| (field.name.clone(), field.value.into_owned())).collect()
}
