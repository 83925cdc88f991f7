//! `offhook log`: shows the journal, even while another process writes it, or exports it.

mod selection;
#[cfg(test)]
mod tests;
mod verb;

pub(super) use verb::{LogArgs, run};
