//! Streams cut into messages and keep-alives.

use offhook_sip::framing::{Frame, FramingError, FramingFault, StreamFramer};
use offhook_sip::message::Method;

const LIMIT: usize = 4096;

fn message(call_id: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "MESSAGE sip:b@example.com SIP/2.0\r\nCall-ID: {call_id}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Drains the framer; messages are shown by their Call-ID.
fn drain(framer: &mut StreamFramer) -> Result<Vec<String>, FramingError> {
    let mut shown = Vec::new();
    while let Some(frame) = framer.poll_frame()? {
        shown.push(match frame {
            Frame::Message(message) => message.call_id().unwrap(),
            Frame::Ping => "ping".to_owned(),
            Frame::Pong => "pong".to_owned(),
        });
    }
    Ok(shown)
}

fn cut(framer: &mut StreamFramer, bytes: &[u8]) -> Result<Vec<String>, FramingError> {
    framer.push(bytes);
    drain(framer)
}

#[test]
fn messages_come_out_whole_however_the_stream_is_cut() {
    let stream = [message("one", ""), message("two", "hello\r\n\r\nyou"), message("three", "x")].concat();
    for step in 1..stream.len() {
        let mut framer = StreamFramer::accepted(LIMIT);
        let mut shown = Vec::new();
        for piece in stream.as_bytes().chunks(step) {
            shown.extend(cut(&mut framer, piece).unwrap());
        }
        assert_eq!(shown, ["one", "two", "three"], "in pieces of {step}");
        assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn the_body_is_kept_to_the_byte() {
    let mut framer = StreamFramer::accepted(LIMIT);
    framer.push(message("one", "a\0\r\n\r\nb").as_bytes());
    let Some(Frame::Message(message)) = framer.poll_frame().unwrap() else { panic!("no message") };
    assert_eq!(message.method(), Method::Message);
    assert_eq!(message.body(), b"a\0\r\n\r\nb");
}

#[test]
fn a_double_line_break_is_a_ping_even_in_two_pieces() {
    let mut framer = StreamFramer::accepted(LIMIT);
    assert_eq!(cut(&mut framer, b"\r\n\r\n").unwrap(), ["ping"]);
    assert_eq!(cut(&mut framer, b"\r\n").unwrap(), Vec::<String>::new());
    assert_eq!(cut(&mut framer, b"\r\n").unwrap(), ["ping"]);
    let both = format!("\r\n\r\n{}\r\n\r\n", message("one", ""));
    assert_eq!(cut(&mut framer, both.as_bytes()).unwrap(), ["ping", "one", "ping"]);
}

#[test]
fn a_line_break_is_no_message_begun() {
    let mut framer = StreamFramer::accepted(LIMIT);
    assert_eq!(cut(&mut framer, b"\r\n").unwrap(), Vec::<String>::new());
    assert_eq!((framer.buffered(), framer.has_begun()), (2, false));
    assert_eq!(cut(&mut framer, b"OPT").unwrap(), Vec::<String>::new());
    assert!(framer.has_begun());
}

#[test]
fn a_single_line_break_answers_our_ping_on_a_connection_we_opened() {
    let mut framer = StreamFramer::opened(LIMIT);
    assert_eq!(cut(&mut framer, b"\r\n").unwrap(), ["pong"]);
    let both = format!("\r\n{}", message("one", ""));
    assert_eq!(cut(&mut framer, both.as_bytes()).unwrap(), ["pong", "one"]);
}

#[test]
fn line_breaks_in_front_of_a_message_are_skipped() {
    let mut framer = StreamFramer::accepted(LIMIT);
    let stream = format!("\r\n{}", message("one", "x"));
    assert_eq!(cut(&mut framer, stream.as_bytes()).unwrap(), ["one"]);
}

#[test]
fn a_stream_that_cannot_be_cut_is_an_error_with_its_offset() {
    let start = message("one", "");
    let at = start.len() as u64;
    let cases = [
        ("MESSAGE sip:b SIP/2.0\r\nCall-ID: two\r\n\r\n", FramingFault::NoContentLength),
        ("MESSAGE sip:b SIP/2.0\r\nContent-Length: -999\r\n\r\n", FramingFault::ContentLength),
        ("MESSAGE sip:b SIP/2.0\r\nl: five\r\n\r\n", FramingFault::ContentLength),
        ("MESSAGE sip:b SIP/2.0\r\nContent-Length: 13\r\nl: 5\r\n\r\n", FramingFault::ContentLength),
        ("MESSAGE sip:b SIP/2.0\r\nContent-Length: 4000\r\n\r\n", FramingFault::TooLarge),
        (
            "MESSAGE sip:b SIP/2.0\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            FramingFault::ContentLength,
        ),
    ];
    for (bad, what) in cases {
        let mut framer = StreamFramer::accepted(4000);
        framer.push(start.as_bytes());
        framer.push(bad.as_bytes());
        assert!(matches!(framer.poll_frame(), Ok(Some(Frame::Message(_)))), "{bad}");
        assert_eq!(framer.poll_frame(), Err(FramingError { at, what }), "{bad}");
        framer.push(start.as_bytes());
        assert_eq!(framer.poll_frame(), Err(FramingError { at, what }), "it stays broken after {bad}");
        assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn what_is_no_sip_at_all_is_an_error() {
    let mut framer = StreamFramer::accepted(LIMIT);
    let error = cut(&mut framer, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap_err();
    assert!(matches!(error, FramingError { at: 0, what: FramingFault::Parse(_) }), "{error:?}");
}

#[test]
fn headers_without_end_do_not_fill_the_memory() {
    let mut framer = StreamFramer::accepted(LIMIT);
    framer.push(b"MESSAGE sip:b SIP/2.0\r\n");
    for _ in 0..LIMIT {
        framer.push(b"X: y\r\n");
        if let Err(error) = framer.poll_frame() {
            assert_eq!(error.what, FramingFault::TooLarge);
            assert_eq!(framer.buffered(), 0);
            return;
        }
        assert!(framer.buffered() <= LIMIT + 6);
    }
    panic!("the limit does not hold");
}
