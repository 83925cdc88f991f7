//! A world for the MCP server: phones that only exist as events, and a client that sees every line.

use std::{
    collections::HashMap,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use offhook::{
    artifact::{ArtifactFolder, ArtifactKind},
    command::{
        CallCommand, CallSelector, Command, Execute, NodeCommand, Outcome, PhoneCommand, Refused, Rejection,
        Sound,
    },
    config::Pool,
    event::{
        CallEvent, Cause, DigitMethod, EndCause, MediaDirection, MediaEvent, MediaStatistics, Party,
        PhoneEvent, RawMessage, SipEvent, SipSummary, Subject, Transport,
    },
    id::{CallId, PhoneId, RunId, Seq},
    journal::Journal,
    mcp::{McpServer, NoRuns, PhoneTools, Runs, Services},
    view::Views,
    wall::Wall,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;

/// Executes commands by writing the events that real phones would write.
pub(crate) struct Exchange {
    pub(crate) journal: Journal,
    pub(crate) views: Views,
    /// Knows which run has which phone.
    pub(crate) pool: Pool,
    next: AtomicU64,
    /// The call at the other end of a call between two phones of the world.
    peers: Mutex<HashMap<CallId, CallId>>,
    /// Rejects the next command with this.
    pub(crate) refusal: Mutex<Option<Rejection>>,
    /// Every command received, in words that contain no password.
    pub(crate) commands: Mutex<Vec<String>>,
    /// Panics on the next command.
    pub(crate) broken: Mutex<bool>,
}

impl Exchange {
    pub(crate) fn new(journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            journal: journal.clone(),
            views: Views::attach(journal),
            pool: Pool::new(RunId(1)),
            next: AtomicU64::new(0),
            peers: Mutex::default(),
            refusal: Mutex::default(),
            commands: Mutex::default(),
            broken: Mutex::new(false),
        })
    }

    fn subject(&self, phone: &PhoneId) -> Subject {
        Subject::phone(phone.clone()).during(self.pool.run_of(phone))
    }

    fn on(&self, phone: &PhoneId, call: CallId) -> Subject {
        Subject { call: Some(call), ..self.subject(phone) }
    }

    pub(crate) fn on_phone(&self, phone: &PhoneId, event: PhoneEvent) -> Seq {
        self.journal.append(self.subject(phone), Cause::Start, event)
    }

    pub(crate) fn on_call(&self, call: CallId, event: impl Into<offhook::event::Event>) -> Seq {
        let phone = self.views.call(call).unwrap().phone.clone();
        self.journal.append(self.on(&phone, call), Cause::Start, event)
    }

    fn add(&self, add: offhook::command::AddPhone) {
        let (phone, register) = (add.phone, add.spec.register);
        let (wrong, slow) = (add.password.reveal() == "wrong", add.password.reveal() == "slow");
        if self.views.phone(&phone).is_some() {
            self.on_phone(&phone, PhoneEvent::Dropped {});
        }
        self.on_phone(&phone, PhoneEvent::Added { spec: add.spec });
        self.on_phone(&phone, PhoneEvent::Bound { local: "127.0.0.1:5061".parse().unwrap() });
        if register && slow {
            let (journal, subject) = (self.journal.clone(), self.subject(&phone));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(400)).await;
                let registered = PhoneEvent::Registered { status: 200, reason: "OK".into(), expires_s: 300 };
                journal.append(subject, Cause::Network, registered);
            });
        } else if register {
            self.register(&phone, wrong);
        }
    }

    fn register(&self, phone: &PhoneId, wrong: bool) {
        self.on_phone(phone, PhoneEvent::Registering { registrar: "sip:pbx.test".into() });
        self.message(phone, true, "REGISTER", 1, None, "reg-1");
        if wrong {
            self.message(phone, false, "REGISTER", 1, Some(403), "reg-1");
            let reason = "Forbidden".into();
            self.on_phone(
                phone,
                PhoneEvent::RegistrationFailed { status: Some(403), reason, retry_in_ms: None },
            );
        } else {
            self.message(phone, false, "REGISTER", 1, Some(200), "reg-1");
            self.on_phone(phone, PhoneEvent::Registered { status: 200, reason: "OK".into(), expires_s: 300 });
        }
    }

    /// Records a SIP message of a phone.
    pub(crate) fn message(
        &self,
        phone: &PhoneId,
        sent: bool,
        method: &str,
        cseq: u32,
        status: Option<u16>,
        sip_call_id: &str,
    ) {
        let first = status.map_or_else(
            || format!("{method} sip:pbx.test SIP/2.0"),
            |status| format!("SIP/2.0 {status} Whatever"),
        );
        let body = if method == "INVITE" {
            "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        } else {
            ""
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{first}\r\nVia: SIP/2.0/UDP 127.0.0.1:5061\r\nFrom: <sip:{phone}@pbx.test>;tag=1\r\nTo: <sip:600@pbx.test>\r\n\
             Call-ID: {sip_call_id}\r\nCSeq: {cseq} {method}\r\n{kind}\r\n{body}"
        );
        let summary = SipSummary {
            method: Some(method.into()),
            status,
            reason: status.map(|_| "Whatever".into()),
            cseq: Some(cseq),
            sip_call_id: Some(sip_call_id.into()),
            sdp: !body.is_empty(),
            ..SipSummary::default()
        };
        let (local, remote) = ("127.0.0.1:5061".parse().unwrap(), "127.0.0.1:5060".parse().unwrap());
        let transport = Transport::Udp;
        let message = RawMessage::Text(text);
        let event = if sent {
            SipEvent::Sent { transport, local, remote, summary, retransmission: false, message }
        } else {
            SipEvent::Received { transport, local, remote, summary, message }
        };
        self.journal.append(self.subject(phone), Cause::Start, event);
    }

    /// Lets a phone be called from outside.
    pub(crate) fn ring(&self, phone: &PhoneId, remote: &str) -> CallId {
        let call = CallId(self.next.fetch_add(1, Ordering::SeqCst));
        let incoming = CallEvent::Incoming {
            remote: remote.into(),
            local: format!("<sip:{phone}@pbx.test>"),
            sip_call_id: format!("in-{call}"),
            contact: None,
        };
        self.journal.append(self.on(phone, call), Cause::Start, incoming);
        self.message(phone, false, "INVITE", 1, None, &format!("in-{call}"));
        call
    }

    fn place(&self, phone: &PhoneId, target: &str) -> CallId {
        let call = CallId(self.next.fetch_add(1, Ordering::SeqCst));
        let placed = CallEvent::Placed {
            target: target.into(),
            local: format!("sip:{phone}@pbx.test"),
            sip_call_id: format!("out-{call}"),
        };
        self.journal.append(self.on(phone, call), Cause::Start, placed);
        self.message(phone, true, "INVITE", 1, None, &format!("out-{call}"));
        let user = target.trim_start_matches("sip:").split('@').next().unwrap_or_default();
        if let Some(other) =
            self.views.phones().iter().find(|each| each.spec.username == user && each.id != *phone)
        {
            let peer = self.ring(&other.id, &format!("<sip:{phone}@pbx.test>"));
            let mut peers = self.peers.lock().unwrap();
            peers.insert(call, peer);
            peers.insert(peer, call);
        }
        call
    }

    fn both(&self, call: CallId) -> Vec<CallId> {
        let mut both = vec![call];
        both.extend(self.peers.lock().unwrap().get(&call));
        both
    }

    fn answer(&self, call: CallId, status: u16) {
        if status >= 300 {
            // As a call does it: the end follows when the refusal has left.
            self.on_call(call, CallEvent::Ending {});
            return;
        }
        for each in self.both(call) {
            if status < 200 {
                self.on_call(
                    each,
                    CallEvent::Ringing { status, reason: "Ringing".into(), early_media: false },
                );
                continue;
            }
            let by = if each == call { Party::Local } else { Party::Remote };
            self.on_call(each, CallEvent::Answered { by, status, reason: "OK".into() });
            self.on_call(each, CallEvent::Established { contact: Some("sip:pbx@127.0.0.1:5060".into()) });
            let remote = Some("127.0.0.1:4002".into());
            let direction = MediaDirection::Sendrecv;
            self.on_call(
                each,
                MediaEvent::Started {
                    local: "127.0.0.1:4000".into(),
                    remote,
                    codec: "PCMA".into(),
                    direction,
                    epoch: 1,
                    agreement: None,
                },
            );
            let statistics = MediaStatistics {
                sent_packets: 50,
                received_packets: 49,
                lost: 1,
                jitter_ms: 1.5,
                mos: Some(4.3),
                ..MediaStatistics::default()
            };
            self.on_call(each, MediaEvent::Statistics { statistics, epoch: 1 });
        }
    }

    fn end(&self, call: CallId, cause: EndCause, status: Option<u16>) {
        for each in self.both(call) {
            let by = if each == call { Party::Local } else { Party::Remote };
            let reason =
                if cause == EndCause::Rejected { "Busy Here" } else { "Normal call clearing" }.into();
            self.on_call(each, CallEvent::Ended { by, cause, status, reason, duration_ms: 0 });
        }
    }

    fn choose(&self, selector: &CallSelector, ringing: bool) -> Result<CallId, Rejection> {
        if let Some(call) = selector.call {
            return Ok(call);
        }
        let calls = self.views.active_calls(selector.phone.as_ref().unwrap());
        let fits = |call: &&Arc<offhook::view::CallView>| {
            !ringing || call.phase == offhook::event::CallPhase::Incoming
        };
        let chosen = calls.iter().find(fits).or_else(|| calls.first());
        chosen.map(|call| call.id).ok_or_else(|| Refused::NoCallOf(selector.phone.clone().unwrap()).into())
    }

    fn in_call(&self, call: CallId, command: CallCommand) {
        match command {
            CallCommand::SendDigits { digits, .. } => {
                self.on_call(
                    call,
                    MediaEvent::DigitsSent { digits: digits.clone(), method: DigitMethod::Rfc4733, epoch: 1 },
                );
                for peer in self.both(call).into_iter().skip(1) {
                    for digit in digits.chars() {
                        let method = DigitMethod::Rfc4733;
                        self.on_call(peer, MediaEvent::DigitStarted { digit, method, epoch: 1 });
                        self.on_call(
                            peer,
                            MediaEvent::DigitReceived { digit, duration_ms: 200, method, epoch: 1 },
                        );
                    }
                }
            }
            CallCommand::Play { sound: Sound::File(source), repeat } => {
                self.on_call(call, MediaEvent::PlaybackStarted { source, repeat, epoch: 1 });
            }
            CallCommand::StopPlaying => {
                let playing = self.views.call(call).unwrap().playing.clone();
                if let Some(playing) = playing {
                    self.on_call(call, MediaEvent::PlaybackFinished { source: playing.source, epoch: 1 });
                }
            }
            CallCommand::Hold => drop(self.on_call(call, CallEvent::Held { by: Party::Local })),
            CallCommand::Resume => drop(self.on_call(call, CallEvent::Resumed { by: Party::Local })),
            CallCommand::Transfer { to } => {
                self.on_call(call, CallEvent::TransferRequested { by: Party::Local, to });
            }
            CallCommand::AttendedTransfer { .. } => {}
            CallCommand::Answer { status } => self.answer(call, status),
            CallCommand::Reject { status } => self.end(call, EndCause::Rejected, Some(status)),
            CallCommand::HangUp => self.end(call, EndCause::Normal, None),
            CallCommand::Play { .. } | CallCommand::Record { .. } | CallCommand::SetCodecs { .. } => {
                panic!("no tool sends this")
            }
        }
    }

    fn update(&self, phone: &PhoneId, update: offhook::command::PhoneChanges) {
        let mut spec = self.views.phone(phone).unwrap().spec.clone();
        spec.codecs = update.codecs.or(spec.codecs);
        spec.auto_answer = update.auto_answer.unwrap_or(spec.auto_answer);
        spec.recording_enabled = update.recording_enabled.unwrap_or(spec.recording_enabled);
        self.on_phone(phone, PhoneEvent::Updated { spec });
        if let Some(password) = update.password {
            self.register(phone, password.reveal() == "wrong");
        }
    }

    fn send_message(&self, phone: &PhoneId, to: String, body: String) {
        let content_type = "text/plain".to_owned();
        let user = to.trim_start_matches("sip:").split('@').next().unwrap_or_default();
        if let Some(other) = self.views.phones().iter().find(|each| each.spec.username == user) {
            let from = format!("sip:{phone}@pbx.test");
            let (to, body, content_type) = (to.clone(), body.clone(), content_type.clone());
            self.on_phone(&other.id, PhoneEvent::MessageReceived { from, to, body, content_type });
        }
        self.on_phone(phone, PhoneEvent::MessageSent { to, body, content_type });
    }

    fn perform(&self, command: Command) -> Result<(Option<CallId>, Vec<CallId>), Rejection> {
        match command {
            Command::Node(NodeCommand::Conference { calls, .. }) => return Ok((None, calls)),
            Command::Node(command) => self.on_node(command),
            Command::Call(call, command) => {
                let call = self.choose(&call, command.is_for_ringing())?;
                self.in_call(call, command);
                return Ok((Some(call), vec![call]));
            }
            Command::Phone(phone, command) => match command {
                PhoneCommand::Update(changes) => self.update(&phone, changes),
                PhoneCommand::Register => self.register(&phone, false),
                PhoneCommand::Unregister => {
                    self.on_phone(&phone, PhoneEvent::Unregistered { status: Some(200) });
                }
                PhoneCommand::PlaceCall { target, .. } => {
                    let call = self.place(&phone, &target);
                    return Ok((Some(call), vec![call]));
                }
                PhoneCommand::SendMessage { to, body, .. } => self.send_message(&phone, to, body),
                PhoneCommand::HangUpAll => panic!("no tool sends this"),
            },
        }
        Ok((None, Vec::new()))
    }

    fn on_node(&self, command: NodeCommand) {
        match command {
            NodeCommand::AddPhone(add) => self.add(add),
            NodeCommand::DropPhone { phone, hang_up } => {
                for call in self.views.active_calls(&phone) {
                    if hang_up {
                        self.end(call.id, EndCause::PhoneDropped, None);
                    }
                }
                self.on_phone(&phone, PhoneEvent::Dropped {});
            }
            NodeCommand::HangUpAll => {
                for call in self.views.all_active_calls() {
                    self.end(call.id, EndCause::Normal, None);
                }
            }
            NodeCommand::Conference { .. } => unreachable!("handled before"),
        }
    }
}

impl Execute for Exchange {
    fn execute(
        &self,
        command: Command,
        _: Cause,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome, Rejection>> + Send + '_>> {
        Box::pin(async move {
            self.commands.lock().unwrap().push(format!("{command:?}"));
            assert!(!std::mem::take(&mut *self.broken.lock().unwrap()), "broken on purpose");
            if let Some(refusal) = self.refusal.lock().unwrap().take() {
                return Err(refusal);
            }
            let (call, calls) = self.perform(command)?;
            Ok(Outcome { seq: self.journal.head(), call, calls })
        })
    }
}

/// A server, the stand-in behind it and the folder of its recordings.
pub(crate) struct World {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) recordings: tempfile::TempDir,
    /// Where the user sees the recordings, if that is elsewhere.
    pub(crate) host_root: Option<PathBuf>,
    pub(crate) closing: CancellationToken,
    runs: Arc<dyn Runs>,
}

fn wall() -> Wall {
    Wall::starting_at("2026-01-02T03:04:05.678Z".parse().unwrap())
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_runs(|_| Arc::new(NoRuns))
    }

    pub(crate) fn with_runs(runs: impl FnOnce(&Journal) -> Arc<dyn Runs>) -> Self {
        Self::with_engine(|exchange| runs(&exchange.journal))
    }

    /// Creates a world with a scenario engine that works through its exchange.
    pub(crate) fn with_engine(runs: impl FnOnce(&Arc<Exchange>) -> Arc<dyn Runs>) -> Self {
        Self::over(&Journal::in_memory(wall()), runs)
    }

    /// Creates a world whose journal keeps this many bytes of events.
    pub(crate) fn with_journal_of(capacity: usize) -> Self {
        Self::over(&Journal::in_memory_with_capacity(wall(), capacity), |_| Arc::new(NoRuns))
    }

    fn over(journal: &Journal, runs: impl FnOnce(&Arc<Exchange>) -> Arc<dyn Runs>) -> Self {
        let exchange = Exchange::new(journal);
        let runs = runs(&exchange);
        let recordings = tempfile::tempdir().unwrap();
        Self { exchange, recordings, host_root: None, closing: CancellationToken::new(), runs }
    }

    pub(crate) fn server(&self, phone_tools: PhoneTools) -> McpServer {
        let services = Services {
            execute: self.exchange.clone(),
            journal: self.exchange.journal.clone(),
            views: self.exchange.views.clone(),
            runs: Arc::clone(&self.runs),
            recordings: ArtifactFolder::under(ArtifactKind::Recordings, self.recordings.path())
                .shown_under(self.host_root.clone()),
            captures: ArtifactFolder::under(ArtifactKind::Captures, &self.recordings.path().join("captures"))
                .shown_under(self.host_root.clone()),
            zone: jiff::tz::TimeZone::UTC,
            closing: self.closing.clone(),
        };
        McpServer::new(services, phone_tools)
    }

    /// Starts a server and a client that has completed the handshake with the given revision.
    pub(crate) async fn client(&self, phone_tools: PhoneTools, revision: &str) -> Wire {
        let mut wire = self.connect(phone_tools);
        wire.initialize(revision, "tester").await;
        wire
    }

    /// Starts a server and a client that has sent nothing yet.
    pub(crate) fn connect(&self, phone_tools: PhoneTools) -> Wire {
        Wire::to(self.server(phone_tools))
    }
}

/// A client that speaks lines of JSON, so that order and exact shape can be checked.
pub(crate) struct Wire {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writing: WriteHalf<DuplexStream>,
    served: tokio::task::JoinHandle<Result<(), offhook::mcp::ServeError>>,
    next_id: u64,
    /// Notifications that came while waiting for something else.
    pub(crate) seen: Vec<Value>,
}

impl Wire {
    /// Lets a server serve a client that has sent nothing yet.
    pub(crate) fn to(server: McpServer) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(theirs);
        let served = tokio::spawn(server.serve(input, output));
        let (reading, writing) = tokio::io::split(ours);
        Self { lines: BufReader::new(reading).lines(), writing, served, next_id: 0, seen: Vec::new() }
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_raw(&format!("{message}\n")).await;
    }

    pub(crate) async fn send_raw(&mut self, text: &str) {
        self.writing.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(600), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("a line").unwrap().expect("an open stream")).expect("only JSON")
    }

    pub(crate) async fn initialize(&mut self, revision: &str, name: &str) -> Value {
        let hello = json!({
            "protocolVersion": revision,
            "capabilities": {},
            "clientInfo": { "name": name, "version": "1" },
        });
        let welcome = self.request("initialize", hello).await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        welcome["result"].clone()
    }

    /// Sends a request without waiting; returns its id.
    pub(crate) async fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        id
    }

    /// Waits for the answer to a request; earlier notifications are kept.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.receive().await;
            if message["id"] == json!(id) {
                return message;
            }
            self.seen.push(message);
        }
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        self.answer(id).await
    }

    /// Calls a tool and returns the whole result.
    pub(crate) async fn result(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        answer.get("result").unwrap_or_else(|| panic!("{tool} answered {answer}")).clone()
    }

    /// Calls a tool of the compatible surface: checks the envelope and returns the object.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        let object: Value = serde_json::from_str(text).unwrap();
        assert_eq!(object, result["structuredContent"], "{tool}: text and structure differ");
        assert_eq!(text, serde_json::to_string_pretty(&object).unwrap(), "{tool}: two spaces, raw text");
        assert_eq!(result["content"].as_array().unwrap().len(), 1);
        object
    }

    pub(crate) async fn add_phone(&mut self, phone: &str) -> Value {
        let arguments =
            json!({ "phone_id": phone, "domain": "pbx.test", "username": phone, "password": "secret" });
        self.call("add_phone", arguments).await
    }

    pub(crate) async fn tool_names(&mut self) -> Vec<String> {
        let list = self.request("tools/list", json!({})).await;
        let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Ends the input and waits until the server has left.
    pub(crate) async fn close(mut self) -> Vec<Value> {
        self.writing.shutdown().await.unwrap();
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            rest.push(serde_json::from_str(&line).expect("only JSON"));
        }
        self.served.await.unwrap().unwrap();
        rest
    }
}

/// Returns the keys of an object in their order.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}
