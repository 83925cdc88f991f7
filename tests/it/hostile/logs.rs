//! Log lines that others can cause.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use super::tell;
use crate::support::{
    World,
    peer::{FOREIGN, Peer},
};

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self, with: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_nobody_can_take_fill_no_log() {
    const CALLS: usize = 100;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let offer = |nth: usize| {
        let length = FOREIGN.len();
        peer.send(&format!(
            "INVITE sip:a@127.0.0.1:5061 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKx{nth}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:p@127.0.0.1>;tag=p\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: x{nth}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:p@127.0.0.1:5070>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {length}\r\n\r\n{FOREIGN}"
        ));
    };
    for nth in 0..CALLS {
        offer(nth);
        peer.next("SIP/2.0 488").await;
    }
    assert_eq!(log.lines("call refused").len(), 1, "{:?}", log.lines("call refused"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    offer(CALLS);
    let ended = world.next(&a, "call.ended").await;
    assert_eq!(ended.event.kind(), "call.ended");
    tokio::time::sleep(Duration::from_secs(40)).await;
    let lines = log.lines("call refused");
    let unsaid = format!("more={}", CALLS - 1);
    assert!(lines.len() == 2 && lines[1].contains(&unsaid), "{lines:?}");
    tell(&format!("{} calls that nobody can take, 2 lines in the log", CALLS + 1));
    drop(peer);
    world.end().await;
}
