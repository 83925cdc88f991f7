//! Shapes, words and quirks of the compatible tool surface; nothing outside `mcp` may use them.

pub(super) mod bounds;
pub(super) mod capture;
pub(super) mod log_text;
pub(super) mod rows;
pub(super) mod sdp_summary;
pub(super) mod sip_filter;
pub(super) mod structured;
pub(super) mod timeline;
pub(super) mod words;
