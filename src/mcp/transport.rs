//! Newline-delimited JSON-RPC over two byte streams, including hostile input.
//!
//! What is not JSON is answered with -32700, what is JSON but not a message with -32600 (JSON-RPC
//! 2.0 §5.1); batches are split up. A request that reuses the id of a pending one is refused, since
//! their answers could not be told apart. One writer task sends whole lines in order, so nothing
//! can interleave with them. A long list of tools is written piece by piece, because it takes more
//! memory than all the phones together. The end of the input cancels a token, so that tools that
//! wait stop waiting; it is noticed even while nobody reads the answers.

use std::{
    collections::{HashSet, VecDeque},
    io::{self, BufWriter, Write},
    time::Duration,
};

use rmcp::{
    RoleServer,
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, JsonRpcMessage, RequestId,
        ServerJsonRpcMessage, ServerResult,
    },
    transport::Transport,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc::{self, error::TrySendError},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::input::{Input, LONGEST_LINE, Line};

/// Lines that may wait for a slow reader before senders have to wait as well.
const QUEUED_LINES: usize = 256;

/// Number of tools from which a list is written in pieces; each phone has 22.
const LONG_LIST: usize = 500;

/// Bytes per piece of such a list.
const PIECE: usize = 64 * 1024;

/// Pieces that may wait for a slow reader.
const QUEUED_PIECES: usize = 4;

/// How long the client may take to read the last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The server's side of the connection.
pub(super) struct LineTransport {
    input: Input,
    /// Messages of a batch that are still to be handled.
    batch: VecDeque<Value>,
    /// Requests that have not been answered yet.
    open: HashSet<RequestId>,
    /// Whether a request has come; before that, the SDK treats anything else as a failed handshake.
    opened: bool,
    outgoing: Option<mpsc::Sender<Outgoing>>,
    writer: Option<JoinHandle<()>>,
    ended: CancellationToken,
}

/// What waits for the writer.
enum Outgoing {
    /// A line with its line end.
    Line(Vec<u8>),
    /// A line whose pieces are produced while it is written.
    Pieces(mpsc::Receiver<Vec<u8>>),
}

impl LineTransport {
    /// Starts to read and to write; `ended` is canceled when the input ends or the output breaks.
    pub(super) fn new(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
        ended: CancellationToken,
    ) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUED_LINES);
        let writer = tokio::spawn(write_lines(output, queue, ended.clone()));
        Self {
            input: Input::read(input, &ended),
            batch: VecDeque::new(),
            open: HashSet::new(),
            opened: false,
            outgoing: Some(outgoing),
            writer: Some(writer),
            ended,
        }
    }

    async fn refuse(&mut self, id: Value, code: i32, message: &str) {
        let answer = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
        if let Some(outgoing) = &self.outgoing {
            let line = line_of(answer.to_string().into_bytes());
            tokio::select! {
                // Nobody reads any more: the end of the input will follow.
                sent = outgoing.send(line) => drop(sent),
                // A client that does not read must not keep the server from ending.
                () = out_of_patience(self.input.over()) => self.ended.cancel(),
            }
        }
    }

    /// Waits until the client has read enough that another answer may wait for it: a client that asks
    /// and does not read would otherwise fill the memory. Answers that wait already come first.
    async fn room_for_an_answer(&self) {
        let Some(outgoing) = &self.outgoing else { return };
        tokio::select! {
            room = outgoing.reserve() => drop(room),
            () = self.ended.cancelled() => {}
            () = out_of_patience(self.input.over()) => self.ended.cancel(),
        }
    }

    /// Turns a JSON value into a message, or answers why it is not one.
    async fn accept(&mut self, value: Value) -> Option<ClientJsonRpcMessage> {
        let id = value.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
        let method = value.get("method").and_then(Value::as_str).map(str::to_owned);
        match serde_json::from_value::<ClientJsonRpcMessage>(value) {
            // The SDK mistakes a known method with wrong params for an unknown method.
            Ok(ClientJsonRpcMessage::Request(request)) if is_misread(&request.request) => {
                let method = method.unwrap_or_default();
                self.refuse(id.unwrap_or_default(), -32602, &format!("invalid params of {method}")).await;
                None
            }
            Ok(ClientJsonRpcMessage::Request(request)) if !self.open.insert(request.id.clone()) => {
                let sentence = "invalid request: its id is that of a request that is not answered yet";
                self.refuse(id.unwrap_or_default(), -32600, sentence).await;
                None
            }
            Ok(ClientJsonRpcMessage::Request(request)) => {
                self.opened = true;
                Some(ClientJsonRpcMessage::Request(request))
            }
            Ok(message) => {
                self.forget_canceled(&message);
                self.opened.then_some(message)
            }
            Err(error) => {
                match (id, method) {
                    (Some(id), Some(method)) => {
                        self.refuse(id, -32602, &format!("invalid params of {method}: {error}")).await;
                    }
                    // A notification is never answered, whatever is wrong with it.
                    (None, Some(_)) => {}
                    (id, None) => self.refuse(id.unwrap_or_default(), -32600, "invalid request").await,
                }
                None
            }
        }
    }
}

impl LineTransport {
    /// Forgets a request that is being canceled: it may never be answered.
    fn forget_canceled(&mut self, message: &ClientJsonRpcMessage) {
        if let ClientJsonRpcMessage::Notification(notification) = message
            && let ClientNotification::CancelledNotification(canceled) = &notification.notification
            && let Some(id) = &canceled.params.request_id
        {
            self.open.remove(id);
        }
    }

    fn forget_answered(&mut self, message: &ServerJsonRpcMessage) {
        match message {
            JsonRpcMessage::Response(response) => drop(self.open.remove(&response.id)),
            JsonRpcMessage::Error(error) => drop(error.id.as_ref().map(|id| self.open.remove(id))),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => {}
        }
    }
}

impl Transport<RoleServer> for LineTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        self.forget_answered(&message);
        let (outgoing, over, ended) = (self.outgoing.clone(), self.input.over(), self.ended.clone());
        async move {
            let closed = || io::Error::from(io::ErrorKind::NotConnected);
            let outgoing = outgoing.ok_or_else(closed)?;
            let send = async |line| match outgoing.try_send(line) {
                Ok(()) => Ok(()),
                Err(TrySendError::Closed(_)) => Err(closed()),
                Err(TrySendError::Full(line)) => tokio::select! {
                    sent = outgoing.send(line) => sent.map_err(|_| closed()),
                    () = out_of_patience(over.clone()) => {
                        ended.cancel();
                        Err(closed())
                    }
                },
            };
            if !is_long_list(&message) {
                let mut line = Vec::with_capacity(room_for(&message));
                serde_json::to_writer(&mut line, &message)?;
                return send(line_of(line)).await;
            }
            let (sender, pieces) = mpsc::channel(QUEUED_PIECES);
            send(Outgoing::Pieces(pieces)).await?;
            // This waits for the reader, and must block neither a runtime thread nor the next
            // message.
            tokio::task::spawn_blocking(move || {
                if let Err(error) = write_pieces(&message, sender) {
                    tracing::debug!(%error, "the client has gone before the end of a list");
                }
            });
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            self.room_for_an_answer().await;
            while let Some(value) = self.batch.pop_front().filter(|_| !self.ended.is_cancelled()) {
                if let Some(message) = self.accept(value).await {
                    return Some(message);
                }
            }
            let read = tokio::select! {
                biased;
                () = self.ended.cancelled() => Line::End,
                read = self.input.next() => read,
            };
            match read {
                Line::Whole(line) if trimmed(&line).is_empty() => {}
                Line::Whole(line) => match serde_json::from_slice(trimmed(&line)) {
                    Ok(Value::Array(batch)) if !batch.is_empty() => self.batch.extend(batch),
                    Ok(value) => self.batch.push_back(value),
                    Err(error) => self.refuse(Value::Null, -32700, &format!("parse error: {error}")).await,
                },
                Line::TooLong => {
                    let message = format!("a line may have at most {LONGEST_LINE} bytes");
                    self.refuse(Value::Null, -32600, &message).await;
                }
                Line::End => {
                    self.ended.cancel();
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        drop(self.outgoing.take());
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        // A client that does not read any more must not keep the server from ending.
        match tokio::time::timeout(LAST_LINES, &mut writer).await {
            Ok(ended) => ended.map_err(io::Error::other),
            Err(_) => {
                writer.abort();
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

/// Methods whose params this server reads.
const METHODS_WITH_PARAMS: &[&str] = &[
    "initialize",
    "server/discover",
    "subscriptions/listen",
    "tools/list",
    "tools/call",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
];

/// Returns once the input has ended and the client has had time to read what waits for it: a client
/// that neither writes nor reads has left.
async fn out_of_patience(over: CancellationToken) {
    over.cancelled().await;
    tokio::time::sleep(LAST_LINES).await;
}

fn is_misread(request: &ClientRequest) -> bool {
    if let ClientRequest::CustomRequest(request) = request {
        return METHODS_WITH_PARAMS.contains(&request.method.as_str());
    }
    false
}

fn line_of(mut json: Vec<u8>) -> Outgoing {
    json.push(b'\n');
    Outgoing::Line(json)
}

/// Estimates how long a message becomes: a tool's result is written as text, with escaped quotes,
/// and as an object.
fn room_for(message: &ServerJsonRpcMessage) -> usize {
    const OTHERS: usize = 1024;
    let JsonRpcMessage::Response(response) = message else { return OTHERS };
    let ServerResult::CallToolResult(result) = &response.result else { return OTHERS };
    let texts = result.content.iter().filter_map(|block| block.as_text());
    texts.fold(OTHERS, |room, text| room.saturating_add(text.text.len().saturating_mul(5) / 2))
}

fn is_long_list(message: &ServerJsonRpcMessage) -> bool {
    let JsonRpcMessage::Response(response) = message else { return false };
    matches!(&response.result, ServerResult::ListToolsResult(list) if list.tools.len() > LONG_LIST)
}

/// Writes a message as a line, piece by piece.
fn write_pieces(message: &ServerJsonRpcMessage, pieces: mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(PIECE, Pieces(pieces));
    serde_json::to_writer(&mut writer, message)?;
    writer.write_all(b"\n")?;
    writer.flush()
}

/// Hands pieces to the writer task; blocks while enough of them wait.
struct Pieces(mpsc::Sender<Vec<u8>>);

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(piece.to_vec()).map_err(gone)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii()
}

async fn write_lines(
    mut output: impl AsyncWrite + Send + Unpin,
    mut queue: mpsc::Receiver<Outgoing>,
    ended: CancellationToken,
) {
    while let Some(outgoing) = queue.recv().await {
        let written = async {
            match outgoing {
                Outgoing::Line(line) => output.write_all(&line).await?,
                Outgoing::Pieces(mut pieces) => {
                    while let Some(piece) = pieces.recv().await {
                        output.write_all(&piece).await?;
                    }
                }
            }
            output.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "standard output is closed");
            ended.cancel();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    /// Feeds `input` to a transport; returns the methods it delivered and the lines it answered
    /// itself.
    async fn feed(input: Vec<u8>) -> (Vec<String>, Vec<Value>) {
        let (theirs, ours) = tokio::io::duplex(1 << 20);
        let mut transport = LineTransport::new(io::Cursor::new(input), ours, CancellationToken::new());
        let mut delivered = Vec::new();
        while let Some(message) = transport.receive().await {
            let value = serde_json::to_value(&message).unwrap();
            delivered.push(value["method"].as_str().unwrap_or("-").to_owned());
        }
        transport.close().await.unwrap();
        let mut answers = Vec::new();
        let mut lines = BufReader::new(theirs).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            answers.push(serde_json::from_str(&line).unwrap());
        }
        (delivered, answers)
    }

    fn codes(answers: &[Value]) -> Vec<i64> {
        answers.iter().map(|answer| answer["error"]["code"].as_i64().unwrap()).collect()
    }

    const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_heard_no_further() {
        let (theirs, ours) = tokio::io::duplex(64);
        let (mut input, server) = tokio::io::duplex(1 << 20);
        let mut transport = LineTransport::new(server, ours, CancellationToken::new());
        for id in 0..2_000 {
            let ping = format!("{}\n", PING.replace(":1,", &format!(":{id},")));
            input.write_all(ping.as_bytes()).await.unwrap();
        }
        let mut heard = 0;
        let mut answers = Vec::new();
        let mut hear = async |transport: &mut LineTransport, upto: usize| {
            while heard < upto {
                let next = tokio::time::timeout(Duration::from_secs(1), transport.receive()).await;
                let Ok(Some(ClientJsonRpcMessage::Request(request))) = next else { break };
                let answer = ServerJsonRpcMessage::response(ServerResult::empty(()), request.id);
                answers.push(tokio::spawn(transport.send(answer)));
                heard += 1;
            }
            heard
        };
        let unread = hear(&mut transport, 2_000).await;
        assert!((QUEUED_LINES..2 * QUEUED_LINES).contains(&unread), "{unread}");
        // Once it reads, everything comes.
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(theirs).lines();
            for _ in 0..2_000 {
                lines.next_line().await.unwrap().unwrap();
            }
        });
        assert_eq!(hear(&mut transport, 2_000).await, 2_000);
        reader.await.unwrap();
    }

    #[tokio::test]
    async fn garbage_is_answered_and_the_next_line_is_taken() {
        let mut input = b"not json\n\x00\xff\xfe\n{\"half\":\n\n  \r\n".to_vec();
        input.extend(format!("{PING}\r\n").bytes());
        let (delivered, answers) = feed(input).await;
        assert_eq!(delivered, ["ping"]);
        assert_eq!(codes(&answers), [-32700, -32700, -32700]);
        assert!(answers.iter().all(|answer| answer["id"].is_null()));
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_refused_without_losing_the_next() {
        let mut input = vec![b'x'; LONGEST_LINE + 10];
        input.push(b'\n');
        input.extend(PING.bytes());
        let (delivered, answers) = feed(input).await;
        assert_eq!(delivered, ["ping"]);
        assert_eq!(codes(&answers), [-32600]);
    }

    #[tokio::test]
    async fn json_that_is_no_message_is_an_invalid_request() {
        let (delivered, answers) = feed(b"42\n{}\n{\"id\":7}\n[]\n\"x\"\n".to_vec()).await;
        assert_eq!(delivered, [""; 0]);
        assert_eq!(codes(&answers), [-32600; 5]);
        assert_eq!(answers[2]["id"], 7);
    }

    #[tokio::test]
    async fn a_batch_is_taken_apart_and_a_last_line_needs_no_line_end() {
        let ping = |id: u8| PING.replace("1,", &format!("{id},"));
        let (one, two, three) = (ping(1), ping(2), ping(3));
        let (delivered, answers) = feed(format!("[{one},{two}]\n{three}").into_bytes()).await;
        assert_eq!((delivered.len(), answers.len()), (3, 0));
    }

    #[tokio::test]
    async fn an_id_that_is_in_use_is_refused_and_free_again_once_answered_or_canceled() {
        let (delivered, answers) = feed(format!("{PING}\n{PING}\n").into_bytes()).await;
        assert_eq!((delivered.len(), codes(&answers)), (1, vec![-32600]));
        assert_eq!(answers[0]["id"], 1);

        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        let (delivered, answers) = feed(format!("{PING}\n{cancel}\n{PING}\n").into_bytes()).await;
        assert_eq!((delivered.len(), answers.len()), (3, 0));

        let (_theirs, ours) = tokio::io::duplex(1 << 20);
        let input = format!("{PING}\n{PING}\n").into_bytes();
        let mut transport = LineTransport::new(io::Cursor::new(input), ours, CancellationToken::new());
        assert!(transport.receive().await.is_some());
        let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
        transport.send(serde_json::from_value(answer).unwrap()).await.unwrap();
        assert!(transport.receive().await.is_some(), "answered, so the id is free");
    }

    #[tokio::test]
    async fn a_notification_before_the_first_request_is_dropped() {
        let early = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let (delivered, answers) = feed(format!("{early}\n{PING}\n{early}\n").into_bytes()).await;
        assert_eq!(delivered, ["ping", "notifications/initialized"]);
        assert!(answers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_input_is_noticed_although_nobody_reads_the_answers() {
        for line in [&b"not json\n"[..], b"[1,1,1,1,1,1,1,1,1,1]\n"] {
            let (_theirs, ours) = tokio::io::duplex(64);
            let ended = CancellationToken::new();
            let input = io::Cursor::new(line.repeat(15_000));
            let mut transport = LineTransport::new(input, ours, ended.clone());
            let received = tokio::time::timeout(Duration::from_secs(2), transport.receive()).await;
            assert!(received.expect("it goes on").is_none());
            assert!(ended.is_cancelled());
        }
    }
}
