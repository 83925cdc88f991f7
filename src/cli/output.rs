//! The one door to standard output and standard error, and the exit codes.

use std::{
    borrow::Cow,
    error::Error,
    fmt::Display,
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    os::fd::AsFd,
    process::ExitCode,
};

use serde::Serialize;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything passed, or the verb did its work.
    Passed,
    /// At least one expectation did not hold.
    Failed,
    /// A scenario or an argument is not valid.
    Invalid,
    /// The environment is not ready: port, registration, login.
    NotReady,
    /// A failure of our own.
    Internal,
    /// Nothing was selected to run.
    NothingSelected,
    /// Stopped by Ctrl-C, after cleaning up.
    Interrupted,
}

impl Exit {
    /// Returns the number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::NotReady => 3,
            Self::Internal => 4,
            Self::NothingSelected => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Returns an error with its causes, skipping those whose text has already been given.
pub(super) fn reasons(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(error.source(), |&error| error.source()).fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    })
}

/// Escapes whatever a terminal would obey; the text may hold what others chose.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(obeyed) {
        return text.into();
    }
    let escape = |c: char| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Where a verb writes: results to standard output, remarks to standard error.
///
/// Nothing else in the program prints, so `offhook mcp` can keep standard output for the protocol.
pub struct Output {
    results: Results,
    remarks: Box<dyn Write + Send>,
    terminal: bool,
}

/// A stream that is flushed when something was written, and left alone otherwise: somebody else may wait there for a reader that
/// reads no more, and hold its lock meanwhile.
struct Results {
    stream: Box<dyn Write + Send>,
    written: bool,
}

impl Results {
    fn to(stream: impl Write + Send + 'static) -> Self {
        Self { stream: Box::new(stream), written: false }
    }
}

impl Write for Results {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written = true;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.written) { self.stream.flush() } else { Ok(()) }
    }
}

impl Output {
    /// Writes to the process's own streams.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            results: Results::to(io::stdout()),
            remarks: Box::new(io::stderr()),
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Writes to the process's own streams without taking the shared lock on standard output:
    /// waiting here for a reader that no longer reads keeps nobody else from flushing.
    ///
    /// # Errors
    /// The process has no standard output, or too many files open.
    pub(super) fn apart() -> io::Result<Self> {
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { results: Results::to(BufWriter::new(stdout)), ..Self::standard() })
    }

    /// Writes to the given streams as if to a file, for tests and embedding.
    #[must_use]
    pub fn to(results: impl Write + Send + 'static, remarks: impl Write + Send + 'static) -> Self {
        Self { results: Results::to(results), remarks: Box::new(remarks), terminal: false }
    }

    /// Returns whether results go to a person's terminal, where live progress makes sense.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Returns the width in columns of the terminal that results go to, if they do.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        let size = self.terminal.then(|| rustix::termios::tcgetwinsize(io::stdout()))?.ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// Writes one line of results, escaping whatever a terminal would obey.
    ///
    /// # Errors
    /// The stream is closed; a verb that streams should then stop.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.results, "{}", harmless(&text.to_string()))
    }

    /// Writes result text unchanged, without a line end, and flushes; for progress that rewrites
    /// itself.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn text(&mut self, text: impl Display) -> io::Result<()> {
        write!(self.results, "{text}")?;
        self.results.flush()
    }

    /// Writes one value as one line of JSON.
    ///
    /// # Errors
    /// The stream is closed, or the value has no JSON form.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.results, value)?;
        self.results.write_all(b"\n")
    }

    /// Writes one line to standard error for the person at the keyboard, escaping whatever a
    /// terminal would obey.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn remark(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.remarks, "{}", harmless(&text.to_string()))
    }

    /// Hands everything written so far to the operating system.
    ///
    /// # Errors
    /// A stream is closed.
    pub fn flush(&mut self) -> io::Result<()> {
        self.results.flush()?;
        self.remarks.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_in_words() {
        assert_eq!(harmless("ü\tb\n  c"), "ü\tb\n  c");
        assert_eq!(harmless("a\u{1b}[2J\rb\u{9b}\u{7}"), r"a\u{1b}[2J\rb\u{9b}\u{7}");
    }
}
