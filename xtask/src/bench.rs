//! `cargo xtask bench`: runs the benchmarks, and lays their figures in one table at the end.
//!
//! A benchmark reports a figure as a line `bench: <name> = <value> <unit>` on stdout; all other lines pass through.

use crate::shell;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs the benchmarks, only the named one where there is a name, and prints the table.
///
/// # Errors
/// When a benchmark fails.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let mut words = vec!["bench", "--workspace"];
    // Without a name: every benchmark, and not the unit tests that `cargo bench` would list with them.
    words.extend(["--bench", arguments.first().copied().unwrap_or("*")]);
    let mut child =
        shell::cargo(&words)?.stdout(Stdio::piped()).spawn().context("could not start the benchmarks")?;
    let output = child.stdout.take().context("the benchmarks have no output")?;
    let mut rows = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("could not read the benchmarks' output")?;
        match figure(&line) {
            Some(row) => rows.push(row),
            None => println!("{line}"),
        }
    }
    let status = child.wait().context("lost the benchmarks")?;
    if !status.success() {
        bail!("the benchmarks ended with {status}");
    }
    print!("{}", table(&rows));
    Ok(())
}

/// Splits a line that reports a figure.
fn figure(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("bench: ")?.split_once(" = ")?;
    Some((name.to_owned(), value.to_owned()))
}

fn table(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::{figure, table};

    #[test]
    fn only_marked_lines_are_figures() {
        assert_eq!(figure("bench: parse = 1.2 M/s"), Some(("parse".into(), "1.2 M/s".into())));
        assert_eq!(figure("running 3 tests"), None);
    }

    #[test]
    fn names_of_different_length_leave_values_in_one_column() {
        let rows = [("a".to_owned(), "1 s".to_owned()), ("long".to_owned(), "2 s".to_owned())];
        assert_eq!(table(&rows), "a     1 s\nlong  2 s\n");
    }
}
