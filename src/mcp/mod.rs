//! The MCP server: phones, calls and scenarios for AI agents and their clients.
//!
//! Translates and never decides: what changes something becomes a command, what reads is a view of
//! the journal. Resources, prompts and tasks are left out.

mod arguments;
mod catalog;
mod client;
mod compat;
mod context;
mod engine;
mod exposure;
mod input;
mod result;
mod runs;
mod serve;
mod server;
mod services;
mod tools;
mod transport;
mod unknown_arguments;
mod verb_arguments;

pub use engine::ScenarioEngine;
pub use exposure::{PhoneTools, UnknownPhoneTools};
pub use runs::{Document, NoRuns, NotStarted, Runs, Validation};
pub use serve::ServeError;
pub use server::McpServer;
pub use services::Services;
