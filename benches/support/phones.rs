//! Two phones of one process that call each other over loopback.

use offhook::{
    command::{CallCommand, CallSelector, Command, Execute, Outcome, Sound},
    event::{Cause, PhoneSpec, Surface},
    id::{CallId, PhoneId},
    secret::Secret,
    switchboard::Switchboard,
};

pub(crate) async fn run(board: &Switchboard, command: Command) -> Outcome {
    board.execute(command, Cause::command(Surface::Library)).await.unwrap()
}

/// Adds a phone that answers at once.
pub(crate) async fn add(board: &Switchboard, name: &str, local_port: u16) -> PhoneId {
    let phone: PhoneId = name.parse().unwrap();
    let spec =
        PhoneSpec { local_port, auto_answer: true, register: false, ..PhoneSpec::new("127.0.0.1", name) };
    run(board, Command::add(phone.clone(), spec, Secret::new(String::new()))).await;
    phone
}

/// Plays a tone into a call without end.
pub(crate) async fn play(board: &Switchboard, call: CallId, hz: f64, level_dbfs: f64) {
    let sound = Sound::Tone { hz: vec![hz], level_dbfs, duration: None };
    run(board, Command::Call(CallSelector::call(call), CallCommand::Play { sound, repeat: true })).await;
}
