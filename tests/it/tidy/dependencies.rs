//! What the pure crates depend on, and which licences everything else brings in, according to
//! `cargo tree`, offline.

use super::Complaint;
use std::path::Path;
use std::process::Command;

const RULE: &str = "dependencies";

/// Everything the pure crates may depend on directly, in any feature.
const PURE: [(&str, &[&str]); 4] = [
    ("offhook-seed", &[]),
    ("offhook-sip", &["md-5", "memchr", "offhook-seed", "sha2", "thiserror"]),
    ("offhook-media", &["hound", "offhook-seed", "realfft", "rtp-rs", "thiserror"]),
    ("offhook-capture", &["offhook-media", "offhook-sip", "thiserror"]),
];
/// What must not reach a pure crate even indirectly: clocks, sockets, randomness.
const IMPURE: [&str; 7] = ["chrono", "getrandom", "jiff", "mio", "rand", "socket2", "tokio"];
/// Licence expressions that are compatible with MIT OR Apache-2.0; deny.toml says the same to cargo-deny.
const LICENCES: [&str; 21] = [
    "(MIT OR Apache-2.0) AND Apache-2.0",
    "(Apache-2.0 OR MIT) AND BSD-3-Clause",
    "(MIT OR Apache-2.0) AND Unicode-3.0",
    "0BSD",
    "0BSD OR MIT OR Apache-2.0",
    "Apache-2.0",
    "Apache-2.0 OR BSL-1.0",
    "Apache-2.0 OR MIT",
    "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
    "BSD-2-Clause",
    "BSD-2-Clause OR Apache-2.0 OR MIT",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT OR Apache-2.0",
    "MIT OR Apache-2.0 OR Zlib",
    "MIT/Apache-2.0",
    "Unicode-3.0",
    "Unlicense OR MIT",
    "Zlib",
    "Zlib OR Apache-2.0 OR MIT",
];
/// Crates whose manifest gives no licence expression, with the licence according to their files.
const BY_FILE: [(&str, &str); 0] = [];

pub(super) fn check(root: &Path) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (name, allowed) in PURE {
        let manifest = format!("crates/{}/Cargo.toml", name.trim_start_matches("offhook-"));
        let direct = tree(root, &["--package", name, "--edges", "normal", "--all-features", "--depth", "1"]);
        let whole = tree(root, &["--package", name, "--edges", "normal", "--all-features"]);
        match direct.and_then(|direct| Ok((direct, whole?))) {
            Ok((direct, whole)) => found.extend(pure(&manifest, name, allowed, &direct, &whole)),
            Err(error) => found.push(Complaint::new(&manifest, 1, RULE, error)),
        }
    }
    match tree(root, &["--workspace", "--edges", "normal,build", "--format", "{p}\t{l}"]) {
        Ok(lines) => found.extend(licences(&lines)),
        Err(error) => found.push(Complaint::new("Cargo.toml", 1, RULE, error)),
    }
    found
}

/// Compares the first package on each line with what is allowed.
pub(super) fn pure(manifest: &str, own: &str, allowed: &[&str], direct: &str, whole: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    let present = packages(direct, own);
    for package in &present {
        if !allowed.contains(package) {
            found.push(Complaint::new(
                manifest,
                1,
                RULE,
                format!("{package} is not on the list of this pure crate"),
            ));
        }
    }
    for package in allowed.iter().filter(|package| !present.contains(package)) {
        found.push(Complaint::new(
            manifest,
            1,
            RULE,
            format!("{package} is on the list but not used: strike it"),
        ));
    }
    for package in packages(whole, own).iter().filter(|package| IMPURE.contains(package)) {
        found.push(Complaint::new(manifest, 1, RULE, format!("{package} comes in by way of another crate")));
    }
    found
}

fn packages<'a>(lines: &'a str, own: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = lines.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.retain(|name| *name != own);
    names.sort_unstable();
    names.dedup();
    names
}

/// Checks lines of package, tab, licence expression.
pub(super) fn licences(lines: &str) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (package, licence) in lines.lines().filter_map(|line| line.split_once('\t')) {
        let licence = licence.trim_end_matches(" (*)").trim();
        let name = package.split_whitespace().next().unwrap_or(package);
        let known = LICENCES.contains(&licence)
            || (licence.is_empty() && BY_FILE.iter().any(|(crate_, _)| *crate_ == name));
        if !known {
            let text = format!("{name} has the licence `{licence}`, which is not on the list");
            found.push(Complaint::new("Cargo.lock", 1, "licence", text));
        }
    }
    found.dedup();
    found
}

fn tree(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["tree", "--offline", "--prefix", "none"]).args(arguments).current_dir(root);
    let output = command.output().map_err(|error| format!("could not run cargo tree: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
