//! Integration tests of the media engine; one binary, one module a file.
