//! What the documents mention exists: paths, commands, flags, names, events and counts.
//!
//! Only text in backticks is read as code, and only rules that a program can check apply: a path
//! exists, a flag belongs to its command, a name occurs in the sources, a number is the one in the
//! sources.

use std::{collections::BTreeSet, fs, path::Path, process::Command as Process};

use clap::CommandFactory;
use offhook::{
    cli::{Cli, Exit},
    event::Event,
    id::PhoneId,
};

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/actors.md",
    "scenarios/README.md",
];

/// Folders that paths in a document may be relative to.
const ROOTS: [&str; 5] = ["", "src/", "crates/sip/src/", "crates/media/src/", "crates/capture/src/"];

/// File extensions, which are not kinds of events.
const ENDS: [&str; 9] = ["rs", "md", "toml", "yaml", "json", "db", "xml", "wav", "lock"];

/// Names in the documents that belong to others.
const ELSEWHERE: [&str; 3] = ["should_panic", "serde_yaml_ng", "serde_norway"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a document may mention.
struct Known {
    words: BTreeSet<String>,
    kinds: BTreeSet<&'static str>,
    /// Verb and flag of the program.
    flags: BTreeSet<(String, String)>,
    xtask: String,
    root: &'static Path,
}

impl Known {
    fn of_the_repository() -> Self {
        let mut words = BTreeSet::new();
        for folder in
            ["src", "crates", "xtask", "tests", "benches", "docker", "fuzz/fuzz_targets", "scenarios"]
        {
            collect(&root().join(folder), &mut words);
        }
        for file in ["Cargo.toml", "clippy.toml", ".config/nextest.toml", "deny.toml"] {
            add_words(&read(file), &mut words);
        }
        let mut flags = BTreeSet::new();
        for verb in Cli::command().get_subcommands() {
            for long in verb.get_arguments().filter_map(clap::Arg::get_long) {
                flags.insert((verb.get_name().to_owned(), format!("--{long}")));
            }
        }
        let kinds = Event::kinds().into_iter().collect();
        Self { words, kinds, flags, xtask: read("xtask/src/main.rs"), root: root() }
    }

    fn verb(&self, verb: &str) -> bool {
        self.flags.iter().any(|(known, _)| known == verb)
    }

    /// Says what is wrong with a piece of code in the prose; `verb` is the command its line is
    /// about.
    fn complaint(&self, code: &str, verb: Option<&str>) -> Option<String> {
        let code = code.trim();
        if let Some(rest) = code.strip_prefix("offhook ") {
            let named = rest.split([' ', '\\']).next().unwrap_or_default();
            return (!self.verb(named)).then(|| format!("`{code}`: there is no such command"));
        }
        if let Some(rest) = code.strip_prefix("cargo xtask ") {
            let task = rest.split(' ').next().unwrap_or_default();
            let line = format!("\n  {task} ");
            return (!self.xtask.contains(&line)).then(|| format!("`{code}`: there is no such task"));
        }
        if code.starts_with("--") && code.len() > 2 {
            let flag: String = code.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            let fits = |(of, known): &(String, String)| *known == flag && verb.is_none_or(|verb| verb == of);
            return (!self.flags.iter().any(fits)).then(|| format!("`{code}`: no such flag"));
        }
        let of_run = code.parse::<PhoneId>().is_ok_and(|phone| phone.run().is_some());
        if is_path(code) && !of_run {
            return (!self.exists(code)).then(|| format!("`{code}`: there is no such file or folder"));
        }
        if let Some((subject, what)) = code.split_once('.')
            && is_snake(subject)
            && is_snake(what)
            && !ENDS.contains(&what)
        {
            return (!self.kinds.contains(code)).then(|| format!("`{code}`: there is no such event"));
        }
        let stale = code
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .find(|word| is_name(word) && !self.words.contains(*word) && !self.projected(word));
        stale.map(|word| format!("`{word}` occurs nowhere in the sources"))
    }

    /// Returns whether this is a tool of phone `a` or `b`: its action is the word.
    fn projected(&self, word: &str) -> bool {
        ["a_", "b_"]
            .iter()
            .any(|phone| word.strip_prefix(phone).is_some_and(|tool| self.words.contains(tool)))
    }

    fn exists(&self, code: &str) -> bool {
        let path = code.split('*').next().unwrap_or(code).trim_end_matches('/');
        let there = |base: &str| {
            let whole = self.root.join(format!("{base}{path}"));
            whole.exists() || whole.with_extension("rs").exists()
        };
        ROOTS.iter().any(|base| there(base))
    }
}

fn collect(folder: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let readable = ["rs", "toml", "yaml", "conf", "py"];
        if path.is_dir() {
            collect(&path, words);
        } else if path.extension().is_some_and(|end| readable.iter().any(|known| end == *known))
            && path.file_name().is_some_and(|name| name != "prose.rs")
        {
            add_words(&fs::read_to_string(&path).unwrap(), words);
        }
    }
}

fn add_words(text: &str, words: &mut BTreeSet<String>) {
    words.extend(text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned));
}

fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-*".contains(c);
    code.contains('/')
        && code.chars().all(plain)
        && code.starts_with(|c: char| c.is_ascii_lowercase() || c == '.')
}

fn is_snake(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Names in code have an underscore inside or two capitals: `phone_id`, `UserAgent`. The rest of a
/// truncated one (`…_PORT`) does not count.
fn is_name(word: &str) -> bool {
    let inner = word.trim_matches('_');
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    let mixed = word.chars().any(|c| c.is_ascii_lowercase()) && capitals > 1;
    let cut = word.starts_with(|c: char| c.is_ascii_digit() || c == '_');
    (inner.contains('_') || mixed) && !cut && !ELSEWHERE.contains(&word)
}

/// Returns the pieces of code in a line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Returns what is wrong in a document, with line numbers.
fn complaints(text: &str, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        // A row of a table is about the command in its first cell.
        let verb = line
            .starts_with("| `offhook ")
            .then(|| spans(line).next().and_then(|code| code.split([' ', '\\']).nth(1)))
            .flatten();
        found.extend(
            spans(line)
                .filter_map(|code| known.complaint(code, verb))
                .map(|text| format!("{}: {text}", at + 1)),
        );
    }
    found
}

#[test]
fn documents_name_only_what_is_there() {
    let known = Known::of_the_repository();
    let mut decisions: Vec<String> = fs::read_dir(root().join("docs/decisions"))
        .unwrap()
        .map(|entry| format!("docs/decisions/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    decisions.sort();
    let documents = DOCUMENTS.iter().map(|path| (*path).to_owned()).chain(decisions);
    let found: Vec<String> = documents
        .flat_map(|path| {
            complaints(&read(&path), &known)
                .into_iter()
                .map(move |found| format!("{path}:{found}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_not_there_is_found() {
    let known = Known::of_the_repository();
    for (wrong, right) in [
        ("see `src/call/nothing.rs`", "see `src/call/mod.rs`"),
        ("see `call/nothing.rs`", "see `call/mod.rs`"),
        ("`offhook dance FILE`", "`offhook run FILE`"),
        ("`cargo xtask dance`", "`cargo xtask check`"),
        ("| `offhook log` | `--junit FILE` |", "| `offhook run FILE` | `--junit FILE` |"),
        ("`--no-such-flag`", "`--json`"),
        ("`call.banana`", "`call.answered`"),
        ("`a_no_such_tool_here`", "`a_make_call`"),
        ("`OFFHOOK_NOTHING_AT_ALL`", "`OFFHOOK_LOG=debug`"),
    ] {
        assert_eq!(complaints(wrong, &known).len(), 1, "{wrong}");
        assert_eq!(complaints(right, &known), Vec::<String>::new(), "{right}");
    }
}

/// Returns the number before `unit` in a text.
fn number_before(text: &str, unit: &str) -> usize {
    let before = text.split(unit).next().unwrap_or_default();
    let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().unwrap_or_else(|_| panic!("no number before `{unit}`"))
}

#[test]
fn counts_in_the_documents_are_those_of_the_sources() {
    let readme = read("README.md");
    let tools = read("docs/reference/tools.md");
    let names: Vec<&str> = tools.lines().filter_map(|line| line.strip_prefix("## `")).collect();
    let of_a_phone = names.iter().skip_while(|name| !name.starts_with("make_call")).count();
    assert_eq!(number_before(&readme, " tools ("), of_a_phone, "tools of a phone");

    let manifest = read("Cargo.toml");
    let built_with = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(
        readme.contains(&format!("Rust ({built_with} or newer)")),
        "README names another Rust than {built_with}"
    );

    let contributing = read("CONTRIBUTING.md");
    let lints = read("clippy.toml");
    let function = number_before(&contributing, " lines at most");
    assert!(lints.contains(&format!("too-many-lines-threshold = {function}")), "lines of a function");
    let shape = read("tests/it/tidy/shape.rs");
    for words in ["a file ", "a `mod.rs` "] {
        let limit: String =
            contributing.split(words).nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        assert!(shape.contains(&format!("= {limit};")), "{words}{limit}");
    }
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_program() {
    let readme = read("README.md");
    let from = readme.split("Exit codes: ").nth(1).unwrap();
    let listed = from.split("A run that").next().unwrap();
    let written: Vec<u8> =
        listed.split('·').map(|entry| entry.split_whitespace().next().unwrap().parse().unwrap()).collect();
    let real: Vec<u8> = [
        Exit::Passed,
        Exit::Failed,
        Exit::Invalid,
        Exit::NotReady,
        Exit::Internal,
        Exit::NothingSelected,
        Exit::Interrupted,
    ]
    .map(Exit::code)
    .to_vec();
    assert_eq!(written, real);
}

/// Returns the packages that our own depend on directly.
fn direct(edges: &str) -> BTreeSet<String> {
    ["offhook", "offhook-sip", "offhook-media"]
        .iter()
        .flat_map(|package| {
            let mut cargo = Process::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo
                .args(["tree", "--offline", "--prefix", "none", "--depth", "1", "--edges", edges])
                .args(["--package", package, "--format", "{p}"])
                .current_dir(root());
            let output = cargo.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn the_crates_that_the_design_names_are_used_as_the_table_says() {
    let architecture = read("ARCHITECTURE.md");
    let table =
        architecture.split("## Crates that the design names").nth(1).unwrap().split("\n## ").next().unwrap();
    let (normal, tests) = (direct("normal"), direct("dev"));
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let named: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let design = [
        "ractor",
        "tokio",
        "rsip",
        "rtp-rs",
        "webrtc-util",
        "rmcp",
        "serde",
        "serde_yaml",
        "pcap",
        "hound",
        "tracing",
    ];
    assert_eq!(named, design);
    for row in rows {
        let name = row[0].trim_matches('`');
        // The maintained engine under the familiar name.
        let package = if name == "serde_yaml" { "serde-saphyr" } else { name };
        let used = match (normal.contains(package), tests.contains(package)) {
            (true, _) => "program",
            (false, true) => "tests",
            (false, false) => "not used",
        };
        assert_eq!(row[1], used, "{name}");
        assert!(used == "program" || row[2].contains("decisions/"), "{name}: which decision limits it?");
        for link in row[2].split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(root().join(link).exists(), "{name}: {link}");
        }
    }
}
