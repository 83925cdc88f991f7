//! offhook: softphones, a lab PBX and a scenario runner as actors over one journal of events.
//!
//! Modules in reading order; each may use only those before it (ARCHITECTURE.md, enforced by a test).

pub mod id;
mod nearest;
mod private;
pub mod secret;
pub mod telemetry;
pub mod wall;

pub mod command;
pub mod event;

pub mod artifact;
pub mod config;
pub mod journal;

pub mod net;
pub mod view;

pub mod media;

pub mod capture;
pub mod pbx;

pub mod call;
pub mod lab;
pub mod report;
pub mod scenario;
pub mod sim;

pub mod phone;
pub mod suite;
pub mod switchboard;

pub mod node;

pub mod mcp;

pub mod cli;
