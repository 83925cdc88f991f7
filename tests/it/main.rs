//! Integration tests of the program; one binary, one module a file.

mod net;
