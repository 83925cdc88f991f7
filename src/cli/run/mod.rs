//! `offhook run`: executes scenarios.

mod kept;
mod screen;
mod session;
mod verb;

pub(super) use verb::{RunArgs, run};
