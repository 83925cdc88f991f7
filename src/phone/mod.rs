//! One softphone: its user agent, registration and calls.
