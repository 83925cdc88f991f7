//! The four machines, cell by cell: every state × every input, over datagrams and over streams.
//!
//! A table lists the cells in which something happens; all others must do nothing and stay where they are.

use super::{
    ClientInput, ClientInvite, ClientOther, ServerInput, ServerInvite, ServerOther, Step, TimerName, Timers,
};
use std::fmt::Debug;

const TIMERS: [TimerName; 14] = [
    TimerName::A,
    TimerName::B,
    TimerName::D,
    TimerName::E,
    TimerName::F,
    TimerName::G,
    TimerName::H,
    TimerName::I,
    TimerName::J,
    TimerName::K,
    TimerName::L,
    TimerName::M,
    TimerName::Trying,
    TimerName::Unanswered,
];

fn client_inputs() -> Vec<ClientInput> {
    let mut inputs = vec![
        ClientInput::Provisional,
        ClientInput::Success,
        ClientInput::Failure,
        ClientInput::TransportFailed,
    ];
    inputs.extend(TIMERS.map(ClientInput::Timer));
    inputs
}

fn server_inputs() -> Vec<ServerInput> {
    let mut inputs = vec![
        ServerInput::Request,
        ServerInput::Ack,
        ServerInput::Provisional,
        ServerInput::Success,
        ServerInput::Failure,
        ServerInput::TransportFailed,
    ];
    inputs.extend(TIMERS.map(ServerInput::Timer));
    inputs
}

/// Says in words what a step does, state last.
fn words(step: &Step, state: &dyn Debug) -> String {
    let mut words = Vec::new();
    if let Some(transmission) = step.transmission {
        words.push(format!("send {transmission:?}"));
    }
    if let Some(notice) = step.notice {
        words.push(format!("tell {notice:?}"));
    }
    if step.clear_timers {
        words.push("stop timers".to_owned());
    }
    for (timer, after) in step.timers.into_iter().flatten() {
        let prefix = if timer < TimerName::Trying { "Timer" } else { "" };
        words.push(format!("{prefix}{timer:?} {}", after.as_secs_f64()));
    }
    if step.terminated {
        words.push("gone".to_owned());
    }
    words.push(format!("{state:?}"));
    words.join(", ")
}

/// How to bring a new machine into each state, and which cells do something.
struct Table<'a, I> {
    ways: &'a [(&'a str, &'a [I])],
    cells: &'a [(&'a str, I, &'a str)],
}

fn check<M, I: Copy + Debug + PartialEq>(
    table: &Table<'_, I>,
    inputs: &[I],
    start: impl Fn() -> M,
    handle: impl Fn(&mut M, I) -> Step,
    state: impl Fn(&M) -> String,
) {
    for (name, way) in table.ways {
        for &input in inputs {
            let mut machine = start();
            for &step in *way {
                handle(&mut machine, step);
            }
            assert_eq!(state(&machine), *name, "the way to a state must lead there");
            let step = handle(&mut machine, input);
            let got = words(&step, &format_args!("{}", state(&machine)));
            let cell = table.cells.iter().find(|(from, known, _)| from == name && *known == input);
            let expected = cell.map_or(*name, |(_, _, expected)| *expected);
            assert_eq!(got, expected, "{name} × {input:?}");
        }
    }
    for (from, _, _) in table.cells {
        assert!(table.ways.iter().any(|(name, _)| name == from), "{from} is no state of this machine");
    }
}

#[test]
fn the_invite_client_follows_figure_5_and_rfc_6026() {
    use ClientInput::{Failure, Provisional, Success, Timer, TransportFailed};
    let timers = Timers::default();
    for reliable in [false, true] {
        let completes = if reliable {
            "send Ack, tell Response, stop timers, gone, Terminated"
        } else {
            "send Ack, tell Response, stop timers, TimerD 32, Completed"
        };
        let accepts = "tell Response, stop timers, TimerM 32, Accepted";
        let fails = "tell TransportFailed, stop timers, gone, Terminated";
        let mut ways: Vec<(&str, &[ClientInput])> = vec![
            ("Calling", &[]),
            ("Proceeding", &[Provisional]),
            ("Accepted", &[Success]),
            ("Terminated", &[Timer(TimerName::B)]),
        ];
        let mut cells = vec![
            ("Calling", Provisional, "tell Response, stop timers, Proceeding"),
            ("Calling", Success, accepts),
            ("Calling", Failure, completes),
            ("Calling", TransportFailed, fails),
            ("Calling", Timer(TimerName::A), "send Request, TimerA 1, Calling"),
            ("Calling", Timer(TimerName::B), "tell TimedOut, stop timers, gone, Terminated"),
            ("Proceeding", Provisional, "tell Response, Proceeding"),
            ("Proceeding", Success, accepts),
            ("Proceeding", Failure, completes),
            ("Accepted", Success, "tell Response, Accepted"),
            ("Accepted", Timer(TimerName::M), "stop timers, gone, Terminated"),
        ];
        if !reliable {
            ways.push(("Completed", &[Failure]));
            cells.push(("Completed", Failure, "send Ack, Completed"));
            cells.push(("Completed", TransportFailed, fails));
            cells.push(("Completed", Timer(TimerName::D), "stop timers, gone, Terminated"));
        }
        check(
            &Table { ways: &ways, cells: &cells },
            &client_inputs(),
            || ClientInvite::start(&timers, reliable).0,
            |machine, input| machine.handle(&timers, input),
            |machine| format!("{:?}", machine.state),
        );
        let (machine, step) = ClientInvite::start(&timers, reliable);
        let expected = if reliable { "TimerB 32, Calling" } else { "TimerB 32, TimerA 0.5, Calling" };
        assert_eq!(words(&step, &machine.state), expected);
    }
}

#[test]
fn the_other_client_follows_figure_6() {
    use ClientInput::{Failure, Provisional, Success, Timer, TransportFailed};
    let timers = Timers::default();
    for reliable in [false, true] {
        let completes = if reliable {
            "tell Response, stop timers, gone, Terminated"
        } else {
            "tell Response, stop timers, TimerK 5, Completed"
        };
        let timed_out = "tell TimedOut, stop timers, gone, Terminated";
        let fails = "tell TransportFailed, stop timers, gone, Terminated";
        let mut ways: Vec<(&str, &[ClientInput])> =
            vec![("Trying", &[]), ("Proceeding", &[Provisional]), ("Terminated", &[Timer(TimerName::F)])];
        let mut cells = vec![
            ("Trying", Timer(TimerName::E), "send Request, TimerE 1, Trying"),
            ("Trying", Provisional, "tell Response, Proceeding"),
            ("Proceeding", Provisional, "tell Response, Proceeding"),
            ("Proceeding", Timer(TimerName::E), "send Request, TimerE 4, Proceeding"),
        ];
        for state in ["Trying", "Proceeding"] {
            cells.push((state, Success, completes));
            cells.push((state, Failure, completes));
            cells.push((state, TransportFailed, fails));
            cells.push((state, Timer(TimerName::F), timed_out));
        }
        if !reliable {
            ways.push(("Completed", &[Success]));
            cells.push(("Completed", Timer(TimerName::K), "stop timers, gone, Terminated"));
        }
        check(
            &Table { ways: &ways, cells: &cells },
            &client_inputs(),
            || ClientOther::start(&timers, reliable).0,
            |machine, input| machine.handle(&timers, input),
            |machine| format!("{:?}", machine.state),
        );
        let (machine, step) = ClientOther::start(&timers, reliable);
        let expected = if reliable { "TimerF 32, Trying" } else { "TimerF 32, TimerE 0.5, Trying" };
        assert_eq!(words(&step, &machine.state), expected);
    }
}

#[test]
fn the_invite_server_follows_figure_7_and_rfc_6026() {
    use ServerInput::{Ack, Failure, Provisional, Request, Success, Timer, TransportFailed};
    let timers = Timers::default();
    for reliable in [false, true] {
        let refuses = if reliable {
            "send Response, stop timers, TimerH 32, Completed"
        } else {
            "send Response, stop timers, TimerH 32, TimerG 0.5, Completed"
        };
        let confirmed =
            if reliable { "stop timers, gone, Terminated" } else { "stop timers, TimerI 5, Confirmed" };
        let mut ways: Vec<(&str, &[ServerInput])> = vec![
            ("Proceeding", &[]),
            ("Completed", &[Failure]),
            ("Accepted", &[Success]),
            ("Terminated", &[Failure, Timer(TimerName::H)]),
        ];
        let mut cells = vec![
            ("Proceeding", Request, "send LastResponse, Proceeding"),
            ("Proceeding", Provisional, "send Response, stop timers, Proceeding"),
            ("Proceeding", Success, "send Response, stop timers, TimerL 32, Accepted"),
            ("Proceeding", Failure, refuses),
            ("Proceeding", TransportFailed, "tell TransportFailed, Proceeding"),
            ("Proceeding", Timer(TimerName::Trying), "tell TryingDue, Proceeding"),
            ("Completed", Request, "send LastResponse, Completed"),
            ("Completed", Ack, confirmed),
            ("Completed", Timer(TimerName::G), "send LastResponse, TimerG 1, Completed"),
            ("Completed", Timer(TimerName::H), "tell TimedOut, stop timers, gone, Terminated"),
            ("Completed", TransportFailed, "tell TransportFailed, Completed"),
            ("Accepted", Success, "send Response, Accepted"),
            ("Accepted", Ack, "tell Acknowledged, Accepted"),
            ("Accepted", TransportFailed, "tell TransportFailed, Accepted"),
            ("Accepted", Timer(TimerName::L), "stop timers, gone, Terminated"),
        ];
        if !reliable {
            ways.push(("Confirmed", &[Failure, Ack]));
            cells.push(("Confirmed", Timer(TimerName::I), "stop timers, gone, Terminated"));
            cells.push(("Confirmed", TransportFailed, "Confirmed"));
        }
        check(
            &Table { ways: &ways, cells: &cells },
            &server_inputs(),
            || ServerInvite::start(&timers, reliable).0,
            |machine, input| machine.handle(&timers, input),
            |machine| format!("{:?}", machine.state),
        );
        let (machine, step) = ServerInvite::start(&timers, reliable);
        assert_eq!(words(&step, &machine.state), "Trying 0.2, Proceeding");
    }
    let hasty = Timers { trying: std::time::Duration::ZERO, ..Timers::default() };
    let (machine, step) = ServerInvite::start(&hasty, false);
    assert_eq!(words(&step, &machine.state), "tell TryingDue, Proceeding");
}

#[test]
fn the_other_server_follows_figure_8() {
    use ServerInput::{Failure, Provisional, Request, Success, Timer, TransportFailed};
    let timers = Timers::default();
    for reliable in [false, true] {
        let completes = if reliable {
            "send Response, stop timers, gone, Terminated"
        } else {
            "send Response, stop timers, TimerJ 32, Completed"
        };
        let forgotten = "tell TimedOut, stop timers, gone, Terminated";
        let mut ways: Vec<(&str, &[ServerInput])> = vec![
            ("Trying", &[]),
            ("Proceeding", &[Provisional]),
            ("Terminated", &[Timer(TimerName::Unanswered)]),
        ];
        let mut cells = vec![
            ("Trying", Provisional, "send Response, Proceeding"),
            ("Proceeding", Provisional, "send Response, Proceeding"),
            ("Proceeding", Request, "send LastResponse, Proceeding"),
            ("Trying", TransportFailed, "tell TransportFailed, Trying"),
            ("Proceeding", TransportFailed, "tell TransportFailed, Proceeding"),
        ];
        for state in ["Trying", "Proceeding"] {
            cells.push((state, Success, completes));
            cells.push((state, Failure, completes));
            cells.push((state, Timer(TimerName::Unanswered), forgotten));
        }
        if !reliable {
            ways.push(("Completed", &[Success]));
            cells.push(("Completed", Request, "send LastResponse, Completed"));
            cells.push(("Completed", Timer(TimerName::J), "stop timers, gone, Terminated"));
            cells.push(("Completed", TransportFailed, "tell TransportFailed, Completed"));
        }
        check(
            &Table { ways: &ways, cells: &cells },
            &server_inputs(),
            || ServerOther::start(&timers, reliable).0,
            |machine, input| machine.handle(&timers, input),
            |machine| format!("{:?}", machine.state),
        );
    }
}

#[test]
fn intervals_double_as_the_figures_say() {
    let timers = Timers::default();
    let waits = |step: Step| step.timers.into_iter().flatten().map(|(_, after)| after.as_millis()).next();
    let (mut invite, _) = ClientInvite::start(&timers, false);
    let a: Vec<_> =
        (0..6).filter_map(|_| waits(invite.handle(&timers, ClientInput::Timer(TimerName::A)))).collect();
    assert_eq!(a, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
    let (mut other, _) = ClientOther::start(&timers, false);
    let e: Vec<_> =
        (0..5).filter_map(|_| waits(other.handle(&timers, ClientInput::Timer(TimerName::E)))).collect();
    assert_eq!(e, [1_000, 2_000, 4_000, 4_000, 4_000]);
    let (mut server, _) = ServerInvite::start(&timers, false);
    server.handle(&timers, ServerInput::Failure);
    let g: Vec<_> =
        (0..5).filter_map(|_| waits(server.handle(&timers, ServerInput::Timer(TimerName::G)))).collect();
    assert_eq!(g, [1_000, 2_000, 4_000, 4_000, 4_000]);
}
