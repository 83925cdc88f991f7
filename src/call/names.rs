//! Session descriptions that name hosts (RFC 8866 §5.7): the names are looked up before the call
//! goes on.
//!
//! A message with such a description waits, and so does all signaling and every command behind it,
//! to keep their order. Media and timers go on. A name that is not resolved in time has no address,
//! and the description is refused as it would be without DNS.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use offhook_media::sdp::HostName;
use offhook_sip::{message::Uri, session::SessionEvent};
use tokio::time::timeout;

use super::{CallMessage, actor::Shell};
use crate::net::{Names, Transport};

/// How long a call waits for the names of a description.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most messages that may wait; one more, and the names are given up.
const MOST_HELD: usize = 64;

/// A name, and its address if it has one.
pub(crate) type Found = (HostName, Option<IpAddr>);

/// Messages that wait for names.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: VecDeque<CallMessage>,
    /// How many look-ups there have been; only the result of the last one counts.
    round: u64,
}

impl Shell {
    /// Returns the message, unless it must wait for names: its own, or those of a message before
    /// it.
    pub(super) fn admit(&mut self, message: CallMessage) -> Option<CallMessage> {
        let keeps_order = matches!(
            message,
            CallMessage::Begin { .. }
                | CallMessage::Command { .. }
                | CallMessage::Sip { .. }
                | CallMessage::PatienceOver
        );
        if !keeps_order {
            return Some(message);
        }
        self.held.messages.push_back(message);
        match self.held.messages.len() {
            1 => self.next_held(),
            MOST_HELD.. => {
                if let Some(more) = self.refusals.turn() {
                    tracing::warn!(call = %self.id, more, "too much waits for the names of a description");
                }
                let names = self.held.messages.front().map(|first| self.names_of(first)).unwrap_or_default();
                self.found(self.held.round, names.into_iter().map(|name| (name, None)).collect());
                None
            }
            _ => None,
        }
    }

    /// Takes the addresses of names; returns whether they were awaited. [`Self::next_held`] then
    /// returns the messages.
    pub(super) fn names_found(&mut self, round: u64, found: Vec<Found>) -> bool {
        let awaited = round == self.held.round && !self.held.messages.is_empty();
        if awaited {
            self.media.know(found);
        }
        awaited
    }

    /// Returns the first waiting message, unless it has names that are not known; those are looked
    /// up first.
    pub(super) fn next_held(&mut self) -> Option<CallMessage> {
        let names = self.names_of(self.held.messages.front()?);
        if names.is_empty() {
            return self.held.messages.pop_front();
        }
        self.held.round += 1;
        self.look_up(names);
        None
    }

    /// Returns the names in a message whose addresses are not known.
    fn names_of(&self, message: &CallMessage) -> Vec<HostName> {
        let sdp = if let CallMessage::Sip { event, .. } = message {
            description(event)
        } else if matches!(message, CallMessage::Begin { .. }) {
            self.offer.as_deref()
        } else {
            None
        };
        sdp.map(|sdp| self.media.unknown_names(sdp)).unwrap_or_default()
    }

    fn look_up(&self, wanted: Vec<HostName>) {
        let (me, names, round) = (self.me.clone(), self.media.names().clone(), self.held.round);
        tokio::spawn(async move {
            let mut found = Vec::new();
            let all = async {
                for name in &wanted {
                    found.push((name.clone(), address(&names, name).await));
                }
            };
            let _in_time = timeout(PATIENCE, all).await;
            let late = wanted.iter().skip(found.len()).map(|name| (name.clone(), None)).collect::<Vec<_>>();
            found.extend(late);
            // A call that is over needs no addresses.
            drop(me.cast(CallMessage::NamesFound { round, found }));
        });
    }

    fn found(&self, round: u64, found: Vec<Found>) {
        // A cast to ourselves cannot fail.
        drop(self.me.cast(CallMessage::NamesFound { round, found }));
    }
}

/// Returns the session description that an event carries.
fn description(event: &SessionEvent) -> Option<&[u8]> {
    if let SessionEvent::Provisional { sdp, .. }
    | SessionEvent::Answered { sdp, .. }
    | SessionEvent::Acknowledged { sdp }
    | SessionEvent::Reoffered { offer: sdp, .. }
    | SessionEvent::Modified { answer: sdp, .. } = event
    {
        return sdp.as_deref();
    }
    None
}

/// Returns the first address of a name, in the address family the description gave.
async fn address(names: &Names, name: &HostName) -> Option<IpAddr> {
    // A URI with a port asks only for the addresses of the name (RFC 3263 §4.2); the port itself
    // means nothing here.
    let uri: Uri = format!("sip:{}:9", name.name).parse().ok()?;
    let found = names.find(&uri, &[Transport::Udp], 0).await;
    let mut addresses = found.places().iter().map(|(_, place)| place.ip());
    addresses.find(|address| address.is_ipv6() == name.is_ipv6)
}
