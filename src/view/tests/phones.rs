//! Phones and registrations.

use std::time::Duration;

use super::*;
use crate::event::SystemEvent;

fn ids(phones: &[std::sync::Arc<PhoneView>]) -> Vec<&str> {
    phones.iter().map(|phone| phone.id.as_str()).collect()
}

#[test]
fn phones_are_listed_in_order_of_addition_and_dropped_ones_are_history() {
    let given = given();
    for id in [b(), a()] {
        given.phone(id.clone(), PhoneEvent::Added { spec: spec(id.as_str()) });
    }
    assert_eq!(ids(&given.views.phones()), ["b", "a"]);
    given.phone(b(), PhoneEvent::Dropped {});
    assert_eq!(ids(&given.views.phones()), ["a"]);
    assert_eq!(ids(&given.views.phones_ever()), ["b", "a"]);
    assert_eq!(given.views.phone(&b()), None);
    given.phone(b(), PhoneEvent::Added { spec: spec("b") });
    assert_eq!(ids(&given.views.phones()), ["a", "b"]);
}

#[test]
fn a_registration_is_followed_from_never_tried_to_removed() {
    let given = given();
    let now = || given.views.phone(&a()).unwrap().registration.clone();
    given.phone(a(), PhoneEvent::Added { spec: spec("a") });
    assert_eq!((now().state, now().registered, now().status), (Registration::NeverTried, false, None));

    given.phone(a(), PhoneEvent::Registering { registrar: "sip:example.com".into() });
    assert_eq!((now().state, now().registered), (Registration::Pending, false));

    given.phone(a(), PhoneEvent::Registered { status: 200, reason: "OK".into(), expires_s: 300 });
    let registered = now();
    assert_eq!((registered.state, registered.registered), (Registration::Accepted, true));
    assert_eq!(
        (registered.status, registered.reason.as_str(), registered.expires_s),
        (Some(200), "OK", Some(300))
    );
    let lifetime = registered.expires_at.unwrap().duration_since(registered.at.unwrap());
    assert_eq!(Duration::try_from(lifetime).unwrap(), Duration::from_secs(300));

    given.phone(a(), PhoneEvent::Registering { registrar: "sip:example.com".into() });
    assert_eq!((now().state, now().registered), (Registration::Pending, true), "a refresh keeps the binding");

    let failed = PhoneEvent::RegistrationFailed {
        status: None,
        reason: "no answer".into(),
        retry_in_ms: Some(30_000),
    };
    given.phone(a(), failed);
    assert_eq!((now().state, now().registered, now().status), (Registration::Failed, false, None));
    assert_eq!((now().retry_in, now().expires_s), (Some(Duration::from_secs(30)), None));

    given.phone(a(), PhoneEvent::Unregistered { status: Some(200) });
    assert_eq!((now().state, now().registered), (Registration::Removed, false));
}

#[test]
fn after_a_start_nothing_of_the_last_process_is_registered() {
    let given = given();
    given.phone(a(), PhoneEvent::Added { spec: spec("a") });
    given.phone(a(), PhoneEvent::Bound { local: "127.0.0.1:5071".parse().unwrap() });
    given.phone(a(), PhoneEvent::Registered { status: 200, reason: "OK".into(), expires_s: 300 });
    assert_eq!(given.views.phone(&a()).unwrap().bound, Some("127.0.0.1:5071".parse().unwrap()));
    let started = SystemEvent::Started { version: "1".into() };
    given.journal.append(Subject::system(), Cause::Start, started);
    let phone = given.views.phone(&a()).unwrap();
    assert_eq!((phone.bound, phone.registration.state), (None, Registration::NeverTried));
}

#[test]
fn settings_failures_and_restarts_are_remembered() {
    let given = given();
    given.phone(a(), PhoneEvent::Added { spec: spec("a") });
    given.phone(a(), PhoneEvent::Updated { spec: PhoneSpec { auto_answer: true, ..spec("a") } });
    given.phone(a(), PhoneEvent::Crashed { reason: "boom".into() });
    given.phone(a(), PhoneEvent::Restarted { attempt: 1 });
    let phone = given.views.phone(&a()).unwrap();
    assert!(phone.spec.auto_answer);
    assert_eq!((phone.restarts, phone.last_failure.as_deref()), (1, Some("boom")));
}
