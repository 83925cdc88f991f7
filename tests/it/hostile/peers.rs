//! Registrars and callees that do whatever comes to their mind.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command, PhoneCommand},
    event::PhoneSpec,
    id::PhoneId,
    journal::Query,
    secret::Secret,
};
use tokio::time::Instant;

use super::{next, tell};
use crate::support::{
    World, on,
    peer::{EVENTS, FOREIGN, PLAIN, Peer, header},
    spec,
};

fn count(world: &World, kind: &str) -> usize {
    world.board.journal().query_blocking(&Query::of_kinds(&[kind])).unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_never_tires_gets_few_requests_and_the_phone_stays() {
    const ATTEMPTS: usize = 60;
    let world = World::new().await;
    let a: PhoneId = "a".parse().unwrap();
    let registrar = Peer::new(&world.network, 5070, 5061);
    let spec = PhoneSpec { local_port: 5061, ..spec("127.0.0.1:5070", "a") };
    world.run(Command::add(a.clone(), spec, Secret::new("x".into()))).await.unwrap();
    let (mut luck, mut asked) = (0x9e37_79b9_7f4a_7c15, 0);
    for _ in 0..ATTEMPTS {
        world.run(Command::Phone(a.clone(), PhoneCommand::Register)).await.unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while let Some(register) =
            registrar.next_within("REGISTER", end.saturating_duration_since(Instant::now())).await
        {
            asked += 1;
            let realm = next(&mut luck);
            let challenge = |kind: &str| format!("{kind}: Digest realm=\"{realm}\", nonce=\"{realm}\"\r\n");
            match next(&mut luck) % 8 {
                0 | 1 => registrar.answer(&register, "401 Unauthorized", &challenge("WWW-Authenticate"), ""),
                2 => registrar.answer(&register, "407 Proxy", &challenge("Proxy-Authenticate"), ""),
                3 => registrar.answer(&register, "423 Interval Too Brief", "Min-Expires: 4294967295\r\n", ""),
                4 => registrar.answer(&register, "423 Interval Too Brief", "Min-Expires: 301\r\n", ""),
                5 => registrar.answer(&register, "200 OK", "Expires: 0\r\n", ""),
                6 => registrar.answer(&register, "200 OK", "Expires: 4294967295\r\n", ""),
                _ => registrar.answer(&register, "500 Again", "Retry-After: 0\r\n", ""),
            }
        }
    }
    // Five rounds of challenges, a longer lifetime, and repeats.
    assert!(asked < 12 * ATTEMPTS, "{asked} requests in {ATTEMPTS} attempts");
    assert_eq!(count(&world, "phone.crashed"), 0);
    registrar.request("OPTIONS", 1, "", "");
    registrar.next("SIP/2.0 200").await;
    tell(&format!(
        "{asked} requests to a hostile registrar in {ATTEMPTS} attempts, 0 crashes, the phone answers"
    ));
    drop(registrar);
    world.board.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_says_everything_at_once_costs_its_call_and_nothing_else() {
    const CALLS: usize = 60;
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let callee = Peer::new(&world.network, 5070, 5061);
    let statuses =
        ["100 Trying", "180 Ringing", "183 Progress", "199 Gone", "200 OK", "200 OK", "486 Busy", "699 No"];
    let (mut luck, mut said) = (0x2545_f491_4f6c_dd1d, 0);
    for _ in 0..CALLS {
        let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
        let invite = callee.next("INVITE").await;
        let to = format!("To: {}", header(&invite, "To"));
        for _ in 0..next(&mut luck) % 12 {
            let sdp = [EVENTS, PLAIN, FOREIGN, "v=0\r\n", ""][next(&mut luck) % 5];
            let forked = format!("{to};tag=fork{}", next(&mut luck) % 4);
            callee.answer(&invite.replace(&to, &forked), statuses[next(&mut luck) % 8], "", sdp);
            said += 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        if world.board.views().active_calls(&a).iter().any(|active| active.id == call) {
            world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
        }
        // Whatever it is asked now, it says no.
        while let Some(request) = callee.next_within("", Duration::from_secs(1)).await {
            if request.starts_with("BYE") || request.starts_with("CANCEL") {
                callee.answer(&request, "481 What Call", "", "");
            }
            if request.starts_with("CANCEL") {
                callee.answer(&invite, "487 Request Terminated", "", "");
            }
        }
        world.next(&a, "call.ended").await;
    }
    assert_eq!((count(&world, "call.crashed"), count(&world, "call.ended")), (0, CALLS));
    tell(&format!("{CALLS} calls to a hostile callee, {said} answers, 0 crashes, 0 calls left"));
    drop(callee);
    world.end().await;
}
