//! `offhook run`: executes scenarios.

mod result;
mod session;
mod verb;

pub(super) use verb::{RunArgs, run};
