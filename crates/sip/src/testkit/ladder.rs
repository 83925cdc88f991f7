//! Draws what two peers sent each other: two columns, times since the start in seconds.

use super::pair::{Fault, Sent, Side};
use crate::message::{HeaderName, Message};
use std::fmt::Write;
use std::time::Duration;

/// Space between the two columns.
const WIDTH: usize = 46;

/// Returns the ladder of everything that was sent.
pub fn draw(sent: &[Sent]) -> String {
    let mut text = format!("          a{:WIDTH$}b\n", "");
    for line in sent {
        let label = label(line);
        let room = WIDTH.saturating_sub(label.chars().count().saturating_add(4));
        let arrow = "─".repeat(room);
        let end = if line.fault == Some(Fault::Drop) { '×' } else { '►' };
        let start = if line.fault == Some(Fault::Drop) { '×' } else { '◄' };
        // Writing into a String cannot fail.
        let _ok = match line.from {
            Side::A => writeln!(text, "{} │ {label} {arrow}─{end}│", clock(line.at)),
            Side::B => writeln!(text, "{} │{start}─{arrow} {label} │", clock(line.at)),
        };
    }
    text
}

fn clock(at: Duration) -> String {
    format!("{:>9.3}", at.as_secs_f64())
}

fn label(line: &Sent) -> String {
    let mut text = line.message.as_ref().map_or_else(|| "(keep-alive)".to_owned(), name);
    if line.flow.transport.is_reliable() {
        text.push_str(" tcp");
    }
    if line.retransmission {
        text.push_str(" again");
    }
    if line.fault == Some(Fault::Duplicate) {
        text.push_str(" ×2");
    }
    text
}

fn name(message: &Message) -> String {
    let method = message.method();
    let mut text = match message.status() {
        Some(status) => format!("{} {}", status.code(), message.reason().unwrap_or_default()),
        None => {
            let credentials =
                message.has(HeaderName::Authorization) || message.has(HeaderName::ProxyAuthorization);
            format!("{method}{}", if credentials { "+auth" } else { "" })
        }
    };
    if message.is_response() {
        // What is answered matters when several requests overlap.
        let _ok = write!(text, " ({method})");
    }
    if message.sdp().is_some() {
        text.push_str(" sdp");
    }
    text
}
