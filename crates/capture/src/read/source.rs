//! Bytes of the input, with a bound on what is kept of them and a note of where they end.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use super::{Damage, ReadError};

/// How much of what was asked for was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Got {
    Whole,
    Part,
    Nothing,
}

#[derive(Debug)]
pub(super) struct Source<R> {
    input: BufReader<R>,
    at: u64,
    is_cut: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(64 * 1024, input), at: 0, is_cut: false }
    }

    /// Fills `out` from the input.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> Result<Got, ReadError> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Input(error.to_string())),
            }
        }
        self.at += filled as u64;
        Ok(match filled {
            _ if filled == out.len() => Got::Whole,
            0 => Got::Nothing,
            _ => Got::Part,
        })
    }

    /// Reads `length` bytes and keeps the first `most` of them; returns whether all were there.
    pub(super) fn body(&mut self, length: u64, most: usize, out: &mut Vec<u8>) -> Result<bool, ReadError> {
        let kept = usize::try_from(length).unwrap_or(most).min(most);
        out.resize(kept, 0);
        let whole = self.fill(out)? == Got::Whole && self.skip(length - kept as u64)?;
        Ok(whole || self.cut())
    }

    /// Notes that the input ended within something; returns `false`.
    pub(super) const fn cut(&mut self) -> bool {
        self.is_cut = true;
        false
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Makes an error for what was just read.
    pub(super) const fn damage(&self, what: Damage) -> ReadError {
        ReadError::Unreadable { at: self.at, what }
    }

    fn skip(&mut self, length: u64) -> Result<bool, ReadError> {
        let mut left = length;
        while left > 0 {
            let there = match self.input.fill_buf() {
                Ok(bytes) => bytes.len(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::Input(error.to_string())),
            };
            if there == 0 {
                return Ok(false);
            }
            let count = usize::try_from(left).unwrap_or(there).min(there);
            self.input.consume(count);
            self.at += count as u64;
            left -= count as u64;
        }
        Ok(true)
    }
}
