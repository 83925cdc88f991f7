//! As much of the Asterisk Manager Interface as it takes to ask for the state of the lab.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

/// A logged-in connection to the lab's AMI.
pub(crate) struct Ami {
    reader: BufReader<TcpStream>,
}

/// One AMI message, header by header.
pub(crate) struct Message(Vec<(String, String)>);

impl Message {
    /// Returns a header's value, empty when absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.as_str())
    }
}

impl Ami {
    /// Connects and logs in with the lab's own credentials.
    ///
    /// # Errors
    /// When nobody listens, or the login is refused.
    pub(crate) fn login(port: u16) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .with_context(|| format!("no answer over AMI on port {port}"))?;
        stream.set_read_timeout(Some(PATIENCE)).context("could not limit the wait")?;
        let mut ami = Self { reader: BufReader::new(stream) };
        let mut banner = String::new();
        ami.reader.read_line(&mut banner).context("no AMI banner")?;
        if !banner.starts_with("Asterisk Call Manager") {
            bail!("what answers on port {port} is not AMI");
        }
        let answer = ami.ask("Login", "Username: offhook\r\nSecret: offhook-lab\r\n")?;
        if answer.get("Response") != "Success" {
            bail!("AMI login refused: {}", answer.get("Message"));
        }
        Ok(ami)
    }

    /// Waits for the event that Asterisk sends after a login once every module is loaded.
    ///
    /// # Errors
    /// When it does not come in 3 s.
    pub(crate) fn fully_booted(&mut self) -> Result<()> {
        while self.read()?.get("Event") != "FullyBooted" {}
        Ok(())
    }

    /// Runs an action and returns one header of its response.
    ///
    /// # Errors
    /// When the connection ends first.
    pub(crate) fn value(&mut self, action: &str, header: &str) -> Result<String> {
        Ok(self.ask(action, "")?.get(header).to_owned())
    }

    /// Runs an action that answers with a list, and returns the items, events called `item`.
    ///
    /// # Errors
    /// When the connection ends before the list does.
    pub(crate) fn list(&mut self, action: &str, item: &str) -> Result<Vec<Message>> {
        if self.ask(action, "")?.get("Response") != "Success" {
            return Ok(Vec::new());
        }
        let mut items = Vec::new();
        loop {
            let message = self.read()?;
            if message.get("EventList") == "Complete" {
                return Ok(items);
            }
            if message.get("Event") == item {
                items.push(message);
            }
        }
    }

    fn ask(&mut self, action: &str, headers: &str) -> Result<Message> {
        let text = format!("Action: {action}\r\n{headers}\r\n");
        self.reader
            .get_mut()
            .write_all(text.as_bytes())
            .with_context(|| format!("could not send {action}"))?;
        loop {
            let message = self.read()?;
            if !message.get("Response").is_empty() {
                return Ok(message);
            }
        }
    }

    fn read(&mut self) -> Result<Message> {
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).context("AMI does not answer")? == 0 {
                bail!("AMI closed the connection");
            }
            let line = line.trim_end();
            if line.is_empty() {
                return Ok(Message(headers));
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
        }
    }
}
