//! Size, header and name of one Rust file, and the supervision rule.

use super::Complaint;
use super::source::Source;

const MOST_LINES: usize = 700;
const MOST_LINES_MOD: usize = 150;
const MOST_LINES_HEADER: usize = 15;

/// Names that say nothing.
const EMPTY_NAMES: [&str; 12] = [
    "util", "utils", "helper", "helpers", "common", "misc", "types", "manager", "core", "base", "shared",
    "lib2",
];
/// Names of the work instead of the thing.
const WORK_NAMES: [&str; 8] = ["stage", "batch", "phase", "v", "new", "final", "hardening", "wip"];

pub(super) fn check(file: &Source) -> Vec<Complaint> {
    [size(file), header(file), name(file), supervision(file)].into_iter().flatten().collect()
}

fn size(file: &Source) -> Option<Complaint> {
    if file.is_test() {
        return None;
    }
    let most = if file.name() == "mod.rs" { MOST_LINES_MOD } else { MOST_LINES };
    let lines = file.code_lines();
    let text = format!("{lines} lines without tests, {most} at most: split the file by idea");
    (lines > most).then(|| Complaint::new(&file.path, lines, "size", text))
}

fn header(file: &Source) -> Option<Complaint> {
    let lines = file.text.lines().take_while(|line| line.starts_with("//!")).count();
    let text = match lines {
        0 => "the file does not begin with //! and what it is".to_owned(),
        1..=MOST_LINES_HEADER => return None,
        _ => format!("the header has {lines} lines, {MOST_LINES_HEADER} at most"),
    };
    Some(Complaint::new(&file.path, 1, "header", text))
}

fn name(file: &Source) -> Option<Complaint> {
    file.path.trim_end_matches(".rs").split('/').find_map(|part| {
        let work = part.split(['_', '-']).any(|word| {
            let stem = word.trim_end_matches(|character: char| character.is_ascii_digit());
            // `v2` is the work; a file called `v` would be a matter of taste.
            WORK_NAMES.contains(&stem) && (stem != "v" || stem != word)
        });
        let empty = EMPTY_NAMES.contains(&part);
        (work || empty)
            .then(|| Complaint::new(&file.path, 1, "name", format!("`{part}` does not name a thing")))
    })
}

/// ractor's default supervisor stops when any child ends, so whoever links a child must say what
/// happens then.
fn supervision(file: &Source) -> Option<Complaint> {
    let uses = |word: &str| file.code().find(|(_, code)| code.contains(word)).map(|(line, _)| line);
    let line = uses("spawn_linked")?;
    let text = "spawn_linked without handle_supervisor_evt in the same file";
    uses("handle_supervisor_evt").is_none().then(|| Complaint::new(&file.path, line, "supervision", text))
}
