//! The MCP server over a journal that a stand-in for the phones writes.

mod actions;
mod clients;
mod ends;
mod engine;
mod native;
mod paths;
mod process;
mod protocol;
mod roster;
mod runs;
mod sdk;
mod sip_log;
pub(crate) mod support;
mod verbs;
