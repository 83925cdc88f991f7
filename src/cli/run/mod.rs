//! `offhook run`: executes scenarios.

mod screen;
mod session;
mod verb;

pub(super) use verb::{RunArgs, run};
