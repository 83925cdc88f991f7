//! The lines of a client, read ahead, so that the end of the input is noticed even while nobody
//! reads the answers to the lines before it.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Longest accepted line in bytes; longer ones are refused without being buffered.
pub(super) const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Lines that may wait to be handled.
const MOST_LINES: usize = 1 << 16;

/// Bytes of lines that may wait to be handled; a longer one waits alone.
const ROOM: u32 = 8 * 1024 * 1024;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// One that was too long.
    TooLong,
    /// The input is over.
    End,
}

/// A line that waits, and the room that it takes.
struct Waiting {
    line: Line,
    _room: Option<OwnedSemaphorePermit>,
}

/// The lines of a client, in order.
pub(super) struct Input {
    lines: mpsc::Receiver<Waiting>,
    over: CancellationToken,
    reader: JoinHandle<()>,
}

impl Drop for Input {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Input {
    /// Begins to read; stops when `ended` is canceled.
    pub(super) fn read(input: impl AsyncRead + Send + Unpin + 'static, ended: &CancellationToken) -> Self {
        let (queue, lines) = mpsc::channel(MOST_LINES);
        let over = ended.child_token();
        let (ended, token) = (ended.clone(), over.clone());
        let reader = tokio::spawn(async move {
            tokio::select! {
                () = read_lines(input, queue, token) => {}
                () = ended.cancelled() => {}
            }
        });
        Self { lines, over, reader }
    }

    /// Returns the next line; safe to drop between two polls.
    pub(super) async fn next(&mut self) -> Line {
        self.lines.recv().await.map_or(Line::End, |waiting| waiting.line)
    }

    /// Returns a token that is canceled once the end of the input is read, though lines before it may still wait.
    pub(super) fn over(&self) -> CancellationToken {
        self.over.clone()
    }
}

async fn read_lines(
    input: impl AsyncRead + Send + Unpin,
    queue: mpsc::Sender<Waiting>,
    over: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(ROOM as usize));
    let mut lines =
        Lines { input: BufReader::with_capacity(64 * 1024, input), line: Vec::new(), refused: false };
    loop {
        // An input that breaks is over.
        let line = lines.next().await.unwrap_or(Line::End);
        let bytes = match &line {
            Line::Whole(line) => line.len(),
            Line::TooLong => 0,
            Line::End => {
                over.cancel();
                drop(queue.send(Waiting { line, _room: None }).await);
                return;
            }
        };
        let wanted = u32::try_from(bytes).unwrap_or(ROOM).min(ROOM);
        let Ok(permit) = Arc::clone(&room).acquire_many_owned(wanted).await else { return };
        if queue.send(Waiting { line, _room: Some(permit) }).await.is_err() {
            return;
        }
    }
}

/// Reads lines without ever keeping more than the longest allowed.
struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// Whether the rest of a line that is too long is still to be skipped.
    refused: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    async fn next(&mut self) -> io::Result<Line> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                // A last line without its line end counts, once.
                let last = std::mem::take(&mut self.line);
                return Ok(if last.is_empty() { Line::End } else { Line::Whole(last) });
            }
            let ends = available.iter().position(|byte| *byte == b'\n');
            let taken = ends.map_or(available.len(), |at| at + 1);
            let fits = !self.refused && self.line.len() + taken <= LONGEST_LINE;
            if fits {
                self.line.extend(available.iter().take(taken));
            } else {
                self.line = Vec::new();
                self.refused = true;
            }
            self.input.consume(taken);
            if ends.is_some() {
                let refused = std::mem::take(&mut self.refused);
                let line = std::mem::take(&mut self.line);
                return Ok(if refused { Line::TooLong } else { Line::Whole(line) });
            }
        }
    }
}
