//! `offhook log`: shows the journal, also while another process writes it, or exports it.

mod selection;
#[cfg(test)]
mod tests;
mod verb;

pub(super) use verb::{LogArgs, run};
