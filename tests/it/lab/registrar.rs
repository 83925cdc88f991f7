//! Registration: RFC 3261 §10.3, RFC 7616.

use std::time::Duration;

use offhook::{
    lab::{DigestChoice, LabOptions},
    net::Transport,
};
use offhook_sip::{
    auth::Credentials,
    message::{HeaderName, Method},
    registration::{Registration, RegistrationEvent},
    user_agent::Destination,
};

use super::world::World;

fn refused(event: &RegistrationEvent) -> Option<u16> {
    match event {
        RegistrationEvent::Failed { status, .. } => status.map(|status| status.code()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_registers_with_either_algorithm_over_either_transport() {
    for digest in [DigestChoice::Both, DigestChoice::Md5, DigestChoice::Sha256] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let world = World::with(LabOptions { digest, ..LabOptions::default() });
            let phone = world.phone_with("6001", "secret6001", transport);
            let RegistrationEvent::Registered { expires, contact_count, .. } = phone.register().await else {
                panic!("{digest:?} over {transport:?}: not registered");
            };
            assert_eq!((expires.as_secs(), contact_count), (3600, 1));
            assert_eq!(world.lab.live().bindings, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_forbidden_and_a_stranger_not_found() {
    let world = World::new();
    let wrong = world.phone_with("6001", "guess", Transport::Udp).register().await;
    assert_eq!(refused(&wrong), Some(403));
    let stranger = world.phone_with("7777", "secret7777", Transport::Udp).register().await;
    assert_eq!(refused(&stranger), Some(404));
    assert_eq!(world.lab.live().bindings, 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_registers_for_somebody_else() {
    let world = World::new();
    let phone = world.phone("6001");
    let destination = Destination::udp(world.lab.address());
    let mut forged = Registration::new(phone.uri("").without_headers(), phone.uri("6002"), destination);
    forged.credentials = Some(Credentials::new("6001", "secret6001"));
    phone.act(|agent, now| agent.register(now, forged));
    assert_eq!(refused(&phone.registration().await), Some(403));
    assert_eq!(world.lab.live().bindings, 0);
}

#[tokio::test(start_paused = true)]
async fn a_brief_registration_is_raised_to_what_the_registrar_wants() {
    let world = World::new();
    let phone = world.phone("6001");
    let headers = [(HeaderName::Contact, "<sip:6001@10.0.1.1:5060>;expires=30")];
    let response = phone.request(Method::Register, "", &headers, None).await.unwrap();
    assert_eq!(response.status().unwrap().code(), 423);
    assert_eq!(response.min_expires().unwrap(), Some(60));
    let RegistrationEvent::Registered { expires, .. } = phone.register_for(30).await else {
        panic!("not registered")
    };
    assert_eq!(expires.as_secs(), 60, "the phone took the hint");
}

#[tokio::test(start_paused = true)]
async fn several_contacts_are_listed_queried_and_cleared_with_a_star() {
    let world = World::new();
    let phone = world.phone("6001");
    let contact = |value: &'static str| [(HeaderName::Contact, value)];
    let first =
        phone.request(Method::Register, "", &contact("<sip:6001@10.0.1.1:1>;expires=600"), None).await;
    assert_eq!(first.unwrap().contacts().unwrap().list().len(), 1);
    let both = phone.request(Method::Register, "", &contact("<sip:6001@10.0.1.1:2>"), None).await.unwrap();
    let mut listed: Vec<_> =
        both.contacts().unwrap().list().iter().map(|it| (it.uri.port(), it.expires())).collect();
    listed.sort_unstable();
    assert_eq!(listed[0], (Some(1), Some(600)));
    assert_eq!(listed.len(), 2);
    let gone = phone.request(Method::Register, "", &contact("<sip:6001@10.0.1.1:1>;expires=0"), None).await;
    assert_eq!(gone.unwrap().contacts().unwrap().list().len(), 1);
    let odd = phone.request(Method::Register, "", &contact("*"), None).await.unwrap();
    assert_eq!(odd.status().unwrap().code(), 400, "* without Expires: 0");
    let star = [(HeaderName::Contact, "*"), (HeaderName::Expires, "0")];
    let cleared = phone.request(Method::Register, "", &star, None).await.unwrap();
    assert_eq!((cleared.status().unwrap().code(), world.lab.live().bindings), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_is_not_refreshed_expires() {
    let world = World::new();
    let a = world.registered("6001").await;
    let b = world.phone("6002");
    let headers = [(HeaderName::Contact, "<sip:6002@10.0.1.2:5060>;expires=60")];
    b.request(Method::Register, "", &headers, None).await.unwrap();
    assert_eq!(world.lab.live().bindings, 2);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(world.lab.live().bindings, 1);
    let call = a.call("6002");
    assert_eq!(a.refused(call).await.0, 480);
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_refreshed_in_time_and_removed_when_asked() {
    let world = World::new();
    let phone = world.phone("6001");
    phone.register_for(60).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.lab.live().bindings, 1, "kept up for ten times its life");
    let id = phone
        .event("the registration", |event| match event {
            offhook_sip::user_agent::Event::Registration { id, .. } => Some(*id),
            _ => None,
        })
        .await;
    phone.act(|agent, now| agent.unregister(now, id));
    phone
        .event("its end", |event| match event {
            offhook_sip::user_agent::Event::Registration {
                event: RegistrationEvent::Unregistered { .. },
                ..
            } => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(world.lab.live().bindings, 0);
}

#[tokio::test(start_paused = true)]
async fn a_contact_elsewhere_is_reached_where_its_register_came_from() {
    let world = World::new();
    let phone = world.phone("6001");
    let contact = format!("<sip:6001@{}>", world.lab.address());
    let response =
        phone.request(Method::Register, "", &[(HeaderName::Contact, &contact)], None).await.unwrap();
    assert_eq!(response.status().unwrap().code(), 200);
    let call = phone.call("6001");
    let (ringing, ..) = phone.incoming().await;
    phone.respond(ringing, 486, None, None);
    assert_eq!(phone.refused(call).await.0, 486);
    world.settle(&[&phone]).await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_is_the_lab_itself_is_refused() {
    let world = World::new();
    let phone = world.phone_at("6001", world.lab.address().ip());
    let contact = format!("<sip:6001@{}>", world.lab.address());
    let response =
        phone.request(Method::Register, "", &[(HeaderName::Contact, &contact)], None).await.unwrap();
    assert_eq!(response.status().unwrap().code(), 403);
    assert_eq!(world.lab.live().bindings, 0);
}
