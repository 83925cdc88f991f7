//! Mutated messages to a phone in a call, from its peer and from somebody else.

use std::{net::SocketAddr, time::Duration};

use offhook::net::Network;

use super::{next, tell};
use crate::support::{
    beside_a_peer,
    peer::{EVENTS, PLAIN, header},
};

/// Texts to put in place of a value.
const ODD: [&str; 10] = [
    "",
    "-1",
    "4294967296",
    "<sip:a@[::1]:99999>;tag=",
    "%00%ff",
    "\"",
    ";;;=",
    "sip:\u{1F600}@\u{202e}",
    "application/sdp;;boundary=",
    "99999999999999999999",
];

/// Returns a message with something wrong in it.
fn mutate(message: &str, luck: &mut u64) -> Vec<u8> {
    let mut lines: Vec<String> = message.split("\r\n").map(str::to_owned).collect();
    for _ in 0..=next(luck) % 3 {
        let at = next(luck) % lines.len();
        match next(luck) % 6 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[next(luck) % lines.len()].clone()),
            2 => {
                let name = lines[at].split(':').next().unwrap_or_default().to_owned();
                lines[at] = format!("{name}: {}", ODD[next(luck) % ODD.len()]);
            }
            3 => lines[at] = lines[at].repeat(1 + next(luck) % 50),
            4 => {
                let mut line = std::mem::take(&mut lines[at]).into_bytes();
                if !line.is_empty() {
                    let byte = next(luck) % line.len();
                    line[byte] = next(luck).to_le_bytes()[0];
                }
                lines[at] = String::from_utf8_lossy(&line).into_owned();
            }
            _ => lines.truncate(at.max(1)),
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
    }
    lines.join("\r\n").into_bytes()
}

/// Messages of a call in which the peer is the caller; none of them ends it.
fn corpus(own: SocketAddr, phone: SocketAddr, to: &str, cseq: u32) -> Vec<String> {
    let from = |who: &str, start: &str, method: &str, branch: u32, tag: &str, extra: &str, body: &str| {
        let length = body.len();
        format!(
            "{start}\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKm{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:peer@{own}>;tag={who}\r\nTo: <sip:a@{phone}>{tag}\r\nCall-ID: from-peer\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:peer@{own}>\r\n{extra}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let head = |start: &str, method: &str, branch: u32, tag: &str, extra: &str, body: &str| {
        from("peer", start, method, branch, tag, extra, body)
    };
    let (tag, sdp) = (format!(";tag={to}"), "Content-Type: application/sdp\r\n");
    let line = |method: &str| format!("{method} sip:a@{phone} SIP/2.0");
    vec![
        head(&line("INFO"), "INFO", cseq, &tag, "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\n"),
        head(&line("INVITE"), "INVITE", cseq, &tag, sdp, PLAIN),
        head(&line("INVITE"), "INVITE", cseq, "", sdp, EVENTS),
        head(&line("ACK"), "ACK", cseq, &tag, "", ""),
        head(&line("OPTIONS"), "OPTIONS", cseq, "", "", ""),
        // Somebody who knows nearly all of the dialog, and an INVITE that is over.
        from("peeR", &line("BYE"), "BYE", cseq, &tag, "", ""),
        head(&line("CANCEL"), "CANCEL", 1, "", "", ""),
        head(&line("NOTIFY"), "NOTIFY", cseq, &tag, "Event: refer\r\nSubscription-State: active\r\n", ""),
        head(&line("MESSAGE"), "MESSAGE", cseq, &tag, "Content-Type: text/plain\r\n", "hello"),
        head("SIP/2.0 200 OK", "INVITE", cseq, &tag, sdp, EVENTS),
        head(
            "SIP/2.0 407 Proxy",
            "REGISTER",
            cseq,
            &tag,
            "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n",
            "",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_mutated_message_ends_a_call_or_its_phone() {
    const TRIED: u32 = 3_000;
    let (mut world, a, peer) = beside_a_peer().await;
    let (call, to) = world.called_by(&peer, &a).await;
    let phone = SocketAddr::from(([127, 0, 0, 1], 5061));
    let elsewhere = world.network.bind_datagram(SocketAddr::from(([127, 0, 0, 1], 5999))).unwrap();
    let mut luck = 0x9e37_79b9_7f4a_7c15;
    for nth in 0..TRIED {
        let messages = corpus(SocketAddr::from(([127, 0, 0, 1], 5070)), phone, &to, 2 + nth);
        let mutant = mutate(&messages[next(&mut luck) % messages.len()], &mut luck);
        if next(&mut luck).is_multiple_of(2) {
            drop(elsewhere.try_send(&mutant, phone));
        } else {
            peer.send(&String::from_utf8_lossy(&mutant));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Calls that mutants began, and changes of this one that they never acknowledged, end by
    // themselves.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let crashed = world.story().matches(".crashed").count();
    assert_eq!(crashed, 0);
    let up = world.board.views().active_calls(&a).iter().any(|active| active.id == call);
    assert!(up, "the call is gone\n{}", world.story());
    // Responses to mutants do not count as responses to this.
    while peer.next_within("", Duration::from_millis(10)).await.is_some() {}
    peer.request("OPTIONS", 1_000_000, "", "");
    let answer = peer.next("SIP/2.0 200 OK").await;
    assert_eq!(header(&answer, "CSeq"), "1000000 OPTIONS");
    world.hang_up(call, &peer).await;
    tell(&format!("{TRIED} mutated messages in a call, {crashed} crashes, 0 calls lost, the phone answers"));
    drop((peer, elsewhere));
    world.end().await;
}
