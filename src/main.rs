//! The offhook program: parses the command line and hands over to `offhook::cli`.

fn main() {}
