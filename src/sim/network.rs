//! The network itself: who is bound where, how links behave, what has crossed them.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use offhook_seed::Seed;
use offhook_sip::next_hop::Question;
use tokio::time::Instant;

use super::{
    datagram::{Mailbox, SimDatagram},
    link::{Crossing, Datagram, Fate, Link, Recording},
    names::Table,
    stream::{self, Door},
};
use crate::net::{
    self, Admission, Answer, BoxFuture, BoxedStream, DatagramSocket, LookupError, MediaPair, Names,
    StreamListener, Taps, Transport, media_ports::MediaPorts,
};

/// Ports used for port 0, as on Linux.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;
/// Streams that peers may hold open.
const ACCEPTED: usize = 4096;
/// How much of an undelivered datagram is quoted, as on Linux (RFC 1812 §4.3.2.3).
const QUOTE: usize = 520;
const MEDIA: std::ops::RangeInclusive<u16> = 10_000..=32_767;

type Filter = Box<dyn FnMut(&Datagram<'_>) -> Fate + Send>;

/// An in-memory network; clones are the same network.
///
/// Used as a [`net::Network`] itself it is the host `127.0.0.1`; [`Network::host`] gives others.
#[derive(Clone)]
pub struct Network {
    wires: Arc<Wires>,
}

/// The network as one host sees it.
#[derive(Clone)]
pub struct Host {
    network: Network,
    ip: IpAddr,
}

/// The part that sockets hold on to.
pub(super) struct Wires {
    started: Instant,
    ports: MediaPorts,
    accepted: Admission,
    taps: Taps,
    table: Table,
    names: Names,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    luck: Seed,
    next_port: u16,
    count: u64,
    mailboxes: HashMap<SocketAddr, Arc<Mailbox>>,
    /// Where signaling sockets are told which datagrams were not delivered.
    returns: HashMap<SocketAddr, Arc<Mailbox>>,
    doors: HashMap<SocketAddr, Arc<Door>>,
    default_link: Link,
    links: HashMap<(IpAddr, IpAddr), Link>,
    filter: Option<Filter>,
    recording: Recording,
    crossed: Vec<Crossing>,
}

impl Network {
    /// Creates an empty network; equal seeds and equal inputs give equal outcomes. Needs a tokio
    /// runtime.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State { luck: Seed::new(seed), next_port: *EPHEMERAL.start(), ..State::default() };
        let (ports, taps) = (MediaPorts::new(MEDIA, 0), Taps::default());
        let table = Table::default();
        let names = Names::new(table.clone());
        let accepted = Admission::new(ACCEPTED);
        let wires =
            Wires { started: Instant::now(), ports, accepted, taps, table, names, state: Mutex::new(state) };
        Self { wires: Arc::new(wires) }
    }

    /// Returns the network as the host `ip` sees it.
    #[must_use]
    pub fn host(&self, ip: IpAddr) -> Host {
        Host { network: self.clone(), ip }
    }

    /// Sets the behavior of every link without a rule of its own.
    pub fn set_default_link(&self, link: Link) {
        self.wires.lock().default_link = link;
    }

    /// Sets the behavior of the direction `from` → `to`.
    pub fn set_link(&self, from: IpAddr, to: IpAddr, link: Link) {
        self.wires.lock().links.insert((from, to), link);
    }

    /// Lets `filter` decide the fate of every datagram that its link does not lose.
    ///
    /// It is called while the network is locked, so it must not call the network.
    pub fn set_filter(&self, filter: impl FnMut(&Datagram<'_>) -> Fate + Send + 'static) {
        self.wires.lock().filter = Some(Box::new(filter));
    }

    /// Gives `name` these addresses in the DNS.
    pub fn add_name(&self, name: &str, addresses: Vec<IpAddr>) {
        self.wires.table.set_addresses(name, addresses);
    }

    /// Sets the answer of the DNS to a question, whose name is in lower case. Every other question
    /// gets an answer without records.
    pub fn set_answer(&self, question: Question, answer: Result<Answer, LookupError>) {
        self.wires.table.set(question, answer);
    }

    /// Sets how long the DNS takes for each answer.
    pub fn set_name_delay(&self, delay: Duration) {
        self.wires.table.set_delay(delay);
    }

    /// Returns the questions asked of the DNS, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        self.wires.table.asked()
    }

    /// Sets what is recorded from now on.
    pub fn record(&self, recording: Recording) {
        self.wires.lock().recording = recording;
    }

    /// Returns what was recorded, in the order of sending.
    #[must_use]
    pub fn crossed(&self) -> Vec<Crossing> {
        self.wires.lock().crossed.clone()
    }

    /// Returns how many datagram sockets and listeners are open: 0 after everything is gone.
    #[must_use]
    pub fn sockets(&self) -> usize {
        let state = self.wires.lock();
        state.mailboxes.len() + state.doors.len()
    }
}

impl Wires {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries one datagram.
    pub(super) fn carry(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = Instant::now();
        let mut state = self.lock();
        let link = state.links.get(&(from.ip(), to.ip())).copied().unwrap_or(state.default_link);
        let number = state.count;
        state.count += 1;
        let addressee = state.find(to);
        let fate = match addressee {
            // Nothing comes back from a host that nothing reaches.
            None if link.loss >= 1.0 => Fate::Lost,
            None => Fate::Unreachable,
            Some(_) => state.fate(link, &Datagram { number, from, to, bytes }),
        };
        let returned = (fate == Fate::Unreachable).then(|| state.returns.get(&from).cloned()).flatten();
        let copies = match fate {
            Fate::Arrives | Fate::Late(_) => 1,
            Fate::Twice => 2,
            Fate::Lost | Fate::Unreachable => 0,
        };
        let late = if let Fate::Late(late) = fate { late } else { Duration::ZERO };
        let delays: Vec<Duration> =
            (0..copies).map(|_| link.latency + late + link.jitter.mul_f64(state.luck.next_unit())).collect();
        state.note(Crossing {
            at: now - self.started,
            transport: Transport::Udp,
            from,
            to,
            bytes: bytes.to_vec(),
            fate,
        });
        drop(state);
        if let Some(returned) = returned {
            returned.put(now + link.latency * 2, to, bytes.get(..QUOTE).unwrap_or(bytes));
        }
        if let Some(addressee) = addressee {
            for delay in delays {
                addressee.put(now + delay, from, bytes);
            }
        }
    }

    /// Records one write to a stream.
    pub(super) fn note_stream(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let at = Instant::now() - self.started;
        let crossing =
            Crossing { at, transport: Transport::Tcp, from, to, bytes: bytes.to_vec(), fate: Fate::Arrives };
        self.lock().note(crossing);
    }

    pub(super) fn close_mailbox(&self, local: SocketAddr) {
        let mut state = self.lock();
        state.mailboxes.remove(&local);
        state.returns.remove(&local);
    }

    pub(super) fn close_door(&self, local: SocketAddr) {
        self.lock().doors.remove(&local);
    }

    fn bind(
        self: &Arc<Self>,
        local: SocketAddr,
        ports: Option<Arc<net::media_ports::PortPair>>,
    ) -> io::Result<Arc<SimDatagram>> {
        let mut state = self.lock();
        let local = state.free_address(local, |state, address| state.mailboxes.contains_key(address))?;
        let mailbox = Arc::new(Mailbox::default());
        state.mailboxes.insert(local, Arc::clone(&mailbox));
        let returned = Arc::new(Mailbox::default());
        if ports.is_none() {
            state.returns.insert(local, Arc::clone(&returned));
        }
        drop(state);
        Ok(Arc::new(SimDatagram::new(local, (mailbox, returned), Arc::clone(self), ports)))
    }
}

impl State {
    fn fate(&mut self, link: Link, datagram: &Datagram<'_>) -> Fate {
        // Both numbers are always drawn, so that one link's rule does not change the random numbers
        // of the others.
        let (loss, duplication) = (self.luck.next_unit(), self.luck.next_unit());
        if loss < link.loss {
            return Fate::Lost;
        }
        let fate = self.filter.as_mut().map_or(Fate::Arrives, |filter| filter(datagram));
        let doubled = fate == Fate::Arrives && duplication < link.duplication;
        if doubled { Fate::Twice } else { fate }
    }

    fn find(&self, to: SocketAddr) -> Option<Arc<Mailbox>> {
        self.mailboxes.get(&to).or_else(|| self.mailboxes.get(&any(to))).cloned()
    }

    fn door(&self, to: SocketAddr) -> Option<Arc<Door>> {
        self.doors.get(&to).or_else(|| self.doors.get(&any(to))).cloned()
    }

    fn note(&mut self, crossing: Crossing) {
        if self.recording.wants(&crossing.bytes) {
            self.crossed.push(crossing);
        }
    }

    fn ephemeral(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = if port >= *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
        port
    }

    fn free_address(
        &mut self,
        wanted: SocketAddr,
        taken: impl Fn(&Self, &SocketAddr) -> bool,
    ) -> io::Result<SocketAddr> {
        if wanted.port() != 0 {
            return if taken(self, &wanted) { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(wanted) };
        }
        for _ in EPHEMERAL {
            let address = SocketAddr::new(wanted.ip(), self.ephemeral());
            if !taken(self, &address) {
                return Ok(address);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

/// Returns the same port on the unspecified address.
fn any(to: SocketAddr) -> SocketAddr {
    let ip = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, to.port())
}

impl Host {
    fn own(&self, ip: IpAddr) -> IpAddr {
        if ip.is_unspecified() { self.ip } else { ip }
    }
}

impl net::Network for Host {
    fn bind_datagram(&self, local: SocketAddr) -> io::Result<Arc<dyn DatagramSocket>> {
        Ok(self.network.wires.bind(SocketAddr::new(self.own(local.ip()), local.port()), None)?)
    }

    fn bind_media(&self, ip: IpAddr) -> io::Result<MediaPair> {
        let wires = &self.network.wires;
        let mut taken = Vec::new();
        while let Some(pair) = wires.ports.take() {
            let pair = Arc::new(pair);
            let open = |port| wires.bind(SocketAddr::new(self.own(ip), port), Some(Arc::clone(&pair)));
            match open(pair.even()).and_then(|rtp| Ok((rtp as _, open(pair.odd())? as _))) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken.push(pair),
                done => return done,
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn listen_stream(&self, local: SocketAddr) -> io::Result<Box<dyn StreamListener>> {
        let wires = &self.network.wires;
        let mut state = wires.lock();
        let wanted = SocketAddr::new(self.own(local.ip()), local.port());
        let local = state.free_address(wanted, |state, address| state.doors.contains_key(address))?;
        let door = Arc::new(Door::default());
        state.doors.insert(local, Arc::clone(&door));
        drop(state);
        Ok(Box::new(stream::SimListener::new(local, door, Arc::clone(wires))))
    }

    fn connect_stream(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<BoxedStream>> {
        let from = self.own(local);
        Box::pin(async move {
            let wires = &self.network.wires;
            let (door, local, trip) = {
                let mut state = wires.lock();
                let link = state.links.get(&(from, remote.ip())).copied().unwrap_or(state.default_link);
                let local = SocketAddr::new(from, state.ephemeral());
                (state.door(remote), local, link.latency * 2)
            };
            tokio::time::sleep(trip).await;
            let door = door.ok_or(io::ErrorKind::ConnectionRefused)?;
            stream::connect(&door, local, remote, wires)
        })
    }

    fn names(&self) -> &Names {
        &self.network.wires.names
    }

    fn local_ip_towards(&self, _remote: SocketAddr) -> io::Result<IpAddr> {
        Ok(self.ip)
    }

    fn accepted(&self) -> &Admission {
        &self.network.wires.accepted
    }

    fn taps(&self) -> &Taps {
        &self.network.wires.taps
    }
}

impl net::Network for Network {
    fn bind_datagram(&self, local: SocketAddr) -> io::Result<Arc<dyn DatagramSocket>> {
        self.local_host().bind_datagram(local)
    }

    fn bind_media(&self, ip: IpAddr) -> io::Result<MediaPair> {
        self.local_host().bind_media(ip)
    }

    fn listen_stream(&self, local: SocketAddr) -> io::Result<Box<dyn StreamListener>> {
        self.local_host().listen_stream(local)
    }

    fn connect_stream(&self, local: IpAddr, remote: SocketAddr) -> BoxFuture<'_, io::Result<BoxedStream>> {
        let host = self.local_host();
        Box::pin(async move { host.connect_stream(local, remote).await })
    }

    fn names(&self) -> &Names {
        &self.wires.names
    }

    fn local_ip_towards(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        self.local_host().local_ip_towards(remote)
    }

    fn accepted(&self) -> &Admission {
        &self.wires.accepted
    }

    fn taps(&self) -> &Taps {
        &self.wires.taps
    }
}

impl Network {
    fn local_host(&self) -> Host {
        self.host(Ipv4Addr::LOCALHOST.into())
    }
}
