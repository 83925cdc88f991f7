//! What a lab reports to whoever runs it: who registered, called or was refused, and which digits
//! arrived.

use std::{collections::BTreeMap, fmt};

use offhook_sip::{
    message::{Message, StatusCode},
    user_agent::SessionId,
};
use tokio::sync::mpsc;

/// Most calls whose names are remembered; beyond that, calls are reported without names.
const CALLS: usize = 10_000;

/// Something that happened at a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A user has registered, from this address.
    Registered(String, String),
    /// A user no longer has a contact.
    Unregistered(String),
    /// Somebody calls somebody.
    Called(String, String),
    /// The call was answered.
    Answered(String, String),
    /// The call ended after it was answered.
    Ended(String, String),
    /// The call ended before it was answered.
    GivenUp(String, String),
    /// A test number received a digit in a call.
    Digit(String, String, char),
    /// A request was refused: its method, its sender and the status.
    Refused(String, String, u16),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(user, from) => write!(f, "{user} registered from {from}"),
            Self::Unregistered(user) => write!(f, "{user} unregistered"),
            Self::Called(from, to) => write!(f, "{from} calls {to}"),
            Self::Answered(from, to) => write!(f, "{from} and {to} are connected"),
            Self::Ended(from, to) => write!(f, "{from} and {to} hung up"),
            Self::GivenUp(from, to) => write!(f, "{from} gave up the call to {to}"),
            Self::Digit(from, to, digit) => write!(f, "{to} hears digit {digit} from {from}"),
            Self::Refused(what, whom, status) => write!(f, "{what} of {whom} refused with {status}"),
        }
    }
}

/// A call as seen from the caller's side.
#[derive(Debug)]
struct Call {
    from: String,
    to: String,
    /// Whether it was admitted, and so is worth a line.
    told: bool,
    answered: bool,
}

/// Reports to a listener, if there is one; reports that find no room are lost.
#[derive(Debug, Default)]
pub(super) struct Teller {
    to: Option<mpsc::Sender<Told>>,
    /// By the caller's leg.
    calls: BTreeMap<SessionId, Call>,
}

impl Teller {
    pub(super) fn new(to: Option<mpsc::Sender<Told>>) -> Self {
        Self { to, calls: BTreeMap::new() }
    }

    pub(super) fn tell(&self, told: Told) {
        if let Some(to) = &self.to {
            // A person reads this; a report that does not fit is not worth waiting for.
            drop(to.try_send(told));
        }
    }

    /// Notes a call that has not been checked yet.
    pub(super) fn incoming(&mut self, leg: SessionId, invite: &Message) {
        if self.to.is_none() || self.calls.len() >= CALLS {
            return;
        }
        let (from, to) = (sender(invite), target(invite));
        self.calls.insert(leg, Call { from, to, told: false, answered: false });
    }

    /// Notes a call that was admitted.
    pub(super) fn admitted(&mut self, leg: SessionId) {
        if let Some(call) = self.calls.get_mut(&leg).filter(|call| !call.told) {
            call.told = true;
            let told = Told::Called(call.from.clone(), call.to.clone());
            self.tell(told);
        }
    }

    /// Notes a response to a caller; a digest challenge says nothing about the call.
    pub(super) fn responded(&mut self, leg: SessionId, status: StatusCode) {
        if status == StatusCode::UNAUTHORIZED {
            self.calls.remove(&leg);
            return;
        }
        self.admitted(leg);
        let Some(call) = self.calls.get_mut(&leg).filter(|call| !call.answered) else { return };
        if status.is_success() {
            call.answered = true;
            let told = Told::Answered(call.from.clone(), call.to.clone());
            self.tell(told);
        } else if status.is_final()
            && let Some(call) = self.calls.remove(&leg)
        {
            self.tell(Told::Refused(format!("call to {}", call.to), call.from, status.code()));
        }
    }

    /// Notes a digit that a test number received.
    pub(super) fn digit(&self, leg: SessionId, digit: char) {
        if let Some(call) = self.calls.get(&leg) {
            self.tell(Told::Digit(call.from.clone(), call.to.clone(), digit));
        }
    }

    /// Notes the end of a caller's leg; one that ends before it was answered was given up.
    pub(super) fn ended(&mut self, leg: SessionId) {
        let Some(call) = self.calls.remove(&leg).filter(|call| call.told) else { return };
        let over = if call.answered { Told::Ended } else { Told::GivenUp };
        self.tell(over(call.from, call.to));
    }

    /// Notes a refused request outside any call.
    pub(super) fn refused(&self, request: &Message, status: StatusCode) {
        if status != StatusCode::UNAUTHORIZED {
            self.tell(Told::Refused(request.method().to_string(), sender(request), status.code()));
        }
    }
}

/// Returns the user that a request says it comes from.
fn sender(request: &Message) -> String {
    let from = request.from().ok();
    let user = from.as_ref().and_then(|from| from.uri.user_decoded());
    user.map_or_else(|| "somebody".to_owned(), |user| user.into_owned())
}

fn target(request: &Message) -> String {
    let user = request.request_uri().and_then(|uri| uri.user_decoded().map(|user| user.into_owned()));
    user.unwrap_or_else(|| "nobody".to_owned())
}
