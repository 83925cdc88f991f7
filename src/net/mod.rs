//! The only code that owns sockets.
