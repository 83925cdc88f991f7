//! The repository is tidy, and each rule can fail.

use super::source::Source;
use super::{complaints, dependencies, in_files};
use std::path::Path;

#[test]
fn the_repository_keeps_its_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if root.ends_with("xtask") { root.parent().unwrap() } else { root };
    let found = complaints(root);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} complaints:\n{}", lines.len(), lines.join("\n"));
}

/// Returns `rule line` for each complaint about one file, whether or not a `mod` line leads to it.
fn said(path: &str, text: &str) -> Vec<String> {
    let found = in_files(&[Source::new(path, text)]);
    let others = found.iter().filter(|complaint| complaint.rule != "module");
    others.map(|complaint| format!("{} {}", complaint.rule, complaint.line)).collect()
}

#[test]
fn a_lower_layer_must_not_use_a_higher_one() {
    assert_eq!(said("src/call/mod.rs", "//! c\n\nuse crate::mcp::Server;\n"), ["layers 3"]);
    assert_eq!(
        said("src/call/mod.rs", "//! c\nuse crate::{\n    event::Event,\n    phone::{Phone, PhoneId},\n};\n"),
        ["layers 4"]
    );
    assert_eq!(said("src/event/mod.rs", "//! e\nfn f(x: &super::journal::Journal) {}\n"), ["layers 2"]);
    assert!(said("src/mcp/mod.rs", "//! m\nuse crate::{call::Call, event::Event};\n").is_empty());
}

#[test]
fn modules_of_one_row_do_not_know_each_other() {
    assert_eq!(said("src/scenario/mod.rs", "//! s\nuse crate::call::Call;\n"), ["layers 2"]);
}

#[test]
fn a_comment_a_text_and_a_test_may_name_any_layer() {
    let text = "//! see crate::mcp\n// crate::mcp\nconst A: &str = \"crate::mcp::x\";\n";
    assert!(said("src/call/mod.rs", text).is_empty());
    let text = "//! c\n#[cfg(test)]\nmod tests {\n    use crate::mcp::Server;\n}\n";
    assert!(said("src/call/mod.rs", text).is_empty());
}

#[test]
fn a_module_without_a_row_is_a_complaint() {
    assert_eq!(said("src/billing.rs", "//! b\n"), ["layers 1"]);
}

#[test]
fn some_crates_belong_to_some_layers() {
    assert_eq!(said("src/journal/mod.rs", "//! j\nuse ractor::Actor;\n"), ["layers 2"]);
    assert_eq!(said("src/scenario/mod.rs", "//! s\nuse offhook_sip::Message;\n"), ["layers 2"]);
    assert!(said("src/call/mod.rs", "//! c\nuse offhook_sip::Message;\nuse ractor::Actor;\n").is_empty());
    assert_eq!(said("crates/sip/src/dialog.rs", "//! d\nuse tokio::net::UdpSocket;\n"), ["layers 2"]);
    assert_eq!(said("crates/sip/src/dialog.rs", "//! d\nuse offhook_media::Sdp;\n"), ["layers 2"]);
}

#[test]
fn a_file_has_700_lines_at_most_and_a_mod_file_150() {
    let lines = |count: usize| format!("//! f\n{}", "fn f() {}\n".repeat(count - 1));
    assert!(said("src/id.rs", &lines(700)).is_empty());
    assert_eq!(said("src/id.rs", &lines(701)), ["size 701"]);
    assert_eq!(said("src/call/mod.rs", &lines(151)), ["size 151"]);
    let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(700), "// t\n".repeat(200));
    assert!(said("src/id.rs", &with_tests).is_empty());
}

#[test]
fn a_file_begins_with_what_it_is() {
    assert_eq!(said("src/id.rs", "use std::fmt;\n"), ["header 1"]);
    assert_eq!(said("src/id.rs", &"//! on and on\n".repeat(16)), ["header 1"]);
}

#[test]
fn empty_names_and_names_of_the_work_are_refused() {
    for path in
        ["src/call/utils.rs", "src/call/core.rs", "src/call/machine_v2.rs", "tests/it/stage3_calls.rs"]
    {
        assert!(said(path, "//! f\n").contains(&"name 1".to_owned()), "{path}");
    }
    assert!(said("src/call/state.rs", "//! f\n").is_empty());
    assert!(said("crates/sip/src/invite.rs", "//! f\n").is_empty());
}

#[test]
fn who_links_a_child_says_what_happens_when_it_ends() {
    assert_eq!(said("src/phone/actor.rs", "//! a\n\nlet x = spawn_linked();\n"), ["supervision 3"]);
    let answered = "//! a\nlet x = spawn_linked();\nasync fn handle_supervisor_evt() {}\n";
    assert!(said("src/phone/actor.rs", answered).is_empty());
}

#[test]
fn what_must_be_deterministic_walks_no_hash_table() {
    let text = "//! p\nuse std::collections::{BTreeMap, HashMap};\n";
    for path in ["src/phone/actor.rs", "crates/sip/src/user_agent/engine.rs", "crates/media/src/jitter.rs"] {
        assert_eq!(said(path, text), ["order 2"], "{path}");
    }
    assert_eq!(said("src/phone/calls.rs", "//! p\nlet seen = HashSet::new();\n"), ["order 2"]);
    assert!(said("src/journal/state.rs", text).is_empty());
    assert!(said("crates/sip/src/index.rs", text).is_empty());
    assert!(said("src/phone/calls.rs", "//! p\n#[cfg(test)]\nmod tests {\n    use HashMap;\n}\n").is_empty());
}

#[test]
fn a_file_that_no_mod_line_leads_to_is_found() {
    let files = [Source::new("tests/it/main.rs", "//! m\nmod a;\n"), Source::new("tests/it/b.rs", "//! b\n")];
    let found = in_files(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule, "module");
    let files =
        [Source::new("tests/it/main.rs", "//! m\nmod b;\n"), Source::new("tests/it/b/mod.rs", "//! b\n")];
    assert!(in_files(&files).is_empty());
}

#[test]
fn scenarios_and_decisions_are_listed() {
    let files = |index: &str| {
        vec![
            Source::new("scenarios/basic-call.yaml", "name: x\n"),
            Source::new("scenarios/README.md", index),
            Source::new("docs/decisions/0001-actors.md", "# x\n"),
            Source::new("docs/decisions/README.md", "0001-actors.md\n"),
        ]
    };
    assert!(in_files(&files("basic-call.yaml\n")).is_empty());
    assert_eq!(in_files(&files("nothing\n")).len(), 1);
}

#[test]
fn spaces_at_the_end_tabs_and_machine_paths_are_found() {
    assert_eq!(said("README.md", "a \n\tb\n"), ["space 1", "space 2"]);
    assert!(said("tests/it/snapshots/x.snap", "a \n\tb\n").is_empty());
    let machine = concat!("see /", "root/x, target/", "tmp/x, a/", "home/b\n");
    assert_eq!(said("README.md", machine), ["machine 1"]);
    assert!(said("README.md", concat!("target/", "tmp/x\n")).is_empty());
    assert_eq!(said("README.md", concat!("http://deb.", "debian.org/debian\n")), ["machine 1"]);
}

#[test]
fn work_left_over_needs_its_reason() {
    assert_eq!(said("README.md", "TODO: later\n"), ["todo 1"]);
    assert_eq!(said("README.md", "FIXME because I say so\n"), ["todo 1"]);
    assert!(said("README.md", "TODO because ractor 0.17 is not out: use its port\n").is_empty());
    assert!(said("README.md", "TODOS\n").is_empty());
}

#[test]
fn a_forgotten_snapshot_is_found() {
    assert_eq!(said("tests/it/snapshots/x.snap.new", "a\n"), ["snapshot 1"]);
}

#[test]
fn a_pure_crate_depends_on_its_list_and_on_nothing_that_waits() {
    let check = |direct: &str, whole: &str| {
        let found = dependencies::pure("m", "own", &["thiserror"], direct, whole);
        found.iter().map(|complaint| complaint.text.clone()).collect::<Vec<_>>()
    };
    let good = "own v0.1.0\nthiserror v2.0.0\n";
    assert!(check(good, good).is_empty());
    assert_eq!(
        check("own v0.1.0\nthiserror v2\nserde v1\n", good),
        ["serde is not on the list of this pure crate"]
    );
    assert_eq!(check("own v0.1.0\n", good), ["thiserror is on the list but not used: strike it"]);
    assert_eq!(check(good, "own v0\nthiserror v2\ntokio v1\n"), ["tokio comes in by way of another crate"]);
}

#[test]
fn a_licence_outside_the_list_is_found() {
    assert!(dependencies::licences("a v1.0.0\tMIT\nb v1 (*)\tMIT OR Apache-2.0 (*)\n").is_empty());
    assert_eq!(dependencies::licences("a v1.0.0\tGPL-3.0\n").len(), 1);
    assert_eq!(dependencies::licences("a v1.0.0\t\n").len(), 1);
}
