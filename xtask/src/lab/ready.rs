//! Asks a starting lab whether it is ready, over the interfaces that the tests use.

use super::ami::Ami;
use super::place::{Place, Ports};
use anyhow::{Context, Result, bail};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Time between two looks at something that cannot notify us.
pub(crate) const POLL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the lab answers, and says why when it does not; `log` gives the end of its log.
///
/// # Errors
/// When the lab does not answer in 30 s.
pub(crate) fn wait(place: &Place, log: impl Fn() -> String) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if now(&place.ports) {
            return Ok(());
        }
        pause();
    }
    let last = probe(&place.ports).err().map(|error| format!("{error:#}")).unwrap_or_default();
    bail!("the lab Asterisk is not ready after {} s: {last}\n  {}", PATIENCE.as_secs(), log())
}

/// Tells whether the lab answers AMI and SIP now.
pub(crate) fn now(ports: &Ports) -> bool {
    probe(ports).is_ok()
}

/// Tells whether some program has the lab's ports.
pub(crate) fn taken(ports: &Ports) -> bool {
    [ports.sip, ports.ami, ports.ari].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
}

/// Waits one polling interval.
#[expect(clippy::disallowed_methods, reason = "another process's start and end send no event to wait for")]
pub(crate) fn pause() {
    std::thread::sleep(POLL);
}

fn probe(ports: &Ports) -> Result<()> {
    Ami::login(ports.ami)?.fully_booted()?;
    TcpStream::connect(("127.0.0.1", ports.sip)).context("no answer over SIP/TCP")?;
    options(ports.sip)
}

/// Sends OPTIONS and takes any SIP response for an answer; without credentials it is a 401.
fn options(port: u16) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("could not open a socket")?;
    socket.connect(("127.0.0.1", port)).context("could not aim the socket")?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).context("could not limit the wait")?;
    let local = socket.local_addr().context("could not read the socket's address")?;
    let stamp = local.port();
    let request = format!(
        "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bK-probe-{stamp};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:6001@127.0.0.1>;tag=probe-{stamp}\r\n\
         To: <sip:127.0.0.1:{port}>\r\n\
         Call-ID: probe-{stamp}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    socket.send(request.as_bytes()).context("could not send OPTIONS")?;
    let mut answer = [0; 2048];
    let length = socket.recv(&mut answer).context("no answer over SIP/UDP")?;
    if !answer.get(..length).is_some_and(|bytes| bytes.starts_with(b"SIP/2.0 ")) {
        bail!("what answers on port {port} does not speak SIP");
    }
    Ok(())
}
