//! Damaged lines of a journal.

use std::path::Path;

use crate::journal_exercise;

fn seeds() -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journals/first.jsonl");
    std::fs::read_to_string(file).unwrap().lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// A seeded sequence of numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[test]
fn no_mutation_of_a_line_breaks_the_reader_and_what_it_accepts_round_trips() {
    let seeds = seeds();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut accepted = 0;
    for round in 0..40_000 {
        let mut line = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(3) {
            let at = random.below(line.len());
            match random.below(5) {
                0 => line[at] = b"\"{}[]:,0-\\\xffa"[random.below(12)],
                1 if line.len() > 1 => drop(line.remove(at)),
                2 => line.insert(at, b"\"{0\x00"[random.below(4)]),
                3 => line[at] = line[at].wrapping_add(1),
                _ => line.truncate(at.max(1)),
            }
        }
        accepted += usize::from(journal_exercise::journal_line(&line));
    }
    assert!(accepted > 1000, "only {accepted} mutations are still events: too coarse to test much");
}

#[test]
fn every_line_of_the_corpora_is_an_event() {
    assert!(seeds().iter().all(|line| journal_exercise::journal_line(line)));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/journal_line");
    let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert!(journal_exercise::journal_line(&std::fs::read(&file).unwrap()), "{}", file.display());
    }
}
