//! Integration tests of the SIP engine; one binary, one module a file.
