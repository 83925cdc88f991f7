//! Files that exist but that nothing leads to: modules, scenarios, decisions, snapshots.

use super::Complaint;
use super::source::Source;

/// Folders of Rust modules that start at a crate root.
const MODULE_TREES: [&str; 11] = [
    "src/",
    "tests/it/",
    "tests/interop/",
    "crates/seed/src/",
    "crates/sip/src/",
    "crates/sip/tests/it/",
    "crates/media/src/",
    "crates/media/tests/it/",
    "crates/capture/src/",
    "crates/capture/tests/it/",
    "xtask/src/",
];
/// Folder, extension and index of files that are listed by hand.
const LISTED: [(&str, &str, &str); 2] =
    [("scenarios/", ".yaml", "scenarios/README.md"), ("docs/decisions/", ".md", "docs/decisions/README.md")];

pub(super) fn check(files: &[Source]) -> Vec<Complaint> {
    let mut found: Vec<Complaint> = files.iter().filter_map(|file| module(file, files)).collect();
    for (folder, end, index) in LISTED {
        let listed = files.iter().find(|file| file.path == index);
        for file in files.iter().filter(|file| file.path.starts_with(folder) && file.path.ends_with(end)) {
            let there = listed.is_some_and(|index| index.text.contains(file.name()));
            if file.path != index && !there {
                found.push(Complaint::new(&file.path, 1, "index", format!("not listed in {index}")));
            }
        }
    }
    let forgotten = files.iter().filter(|file| file.path.ends_with(".snap.new"));
    found.extend(forgotten.map(|file| {
        Complaint::new(&file.path, 1, "snapshot", "a snapshot that was neither accepted nor thrown away")
    }));
    found
}

/// Complains about a Rust file that no `mod` line leads to: cargo does not compile it, and nobody
/// notices.
fn module(file: &Source, files: &[Source]) -> Option<Complaint> {
    if !file.is_rust() || !MODULE_TREES.iter().any(|tree| file.path.starts_with(tree)) {
        return None;
    }
    let is_root = |path: &str| {
        MODULE_TREES
            .iter()
            .any(|tree| path.strip_prefix(tree).is_some_and(|inside| matches!(inside, "lib.rs" | "main.rs")))
    };
    if is_root(&file.path) {
        return None;
    }
    let (folder, name) = if file.name() == "mod.rs" {
        file.folder().rsplit_once('/')?
    } else {
        (file.folder(), file.name().trim_end_matches(".rs"))
    };
    let by_path = format!("\"{}\"", file.name());
    let leads = |from: &Source| {
        from.text.lines().any(|line| {
            let line = line.trim();
            let declared = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod "));
            declared.is_some_and(|(_, module)| module == name)
                || (line.starts_with("#[path") && line.contains(&by_path))
        })
    };
    let parents =
        files.iter().filter(|from| from.is_rust() && from.folder() == folder && from.path != file.path);
    let led_to = parents.into_iter().any(leads);
    (!led_to).then(|| Complaint::new(&file.path, 1, "module", format!("no `mod {name};` leads to this file")))
}
