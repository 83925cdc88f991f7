//! Hash tables are not iterated where their order could reach the wire or the journal: it differs
//! from run to run.

use super::Complaint;
use super::source::Source;

const RULE: &str = "order";

/// Where the same inputs must give the same outputs.
const DETERMINISTIC: [&str; 4] =
    ["crates/sip/src/", "crates/media/src/", "crates/capture/src/", "src/phone/"];
/// The one table that offers no way to iterate it.
const INDEX: &str = "crates/sip/src/index.rs";

pub(super) fn check(file: &Source) -> Vec<Complaint> {
    let bound = DETERMINISTIC.iter().any(|folder| file.path.starts_with(folder));
    if !bound || file.path == INDEX || file.name() == "tests.rs" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, code) in file.code() {
        for table in ["HashMap", "HashSet"].into_iter().filter(|table| code.contains(table)) {
            let text = format!("{table} has no order: use a BTreeMap, or offhook_sip::Index to look up only");
            found.push(Complaint::new(&file.path, line, RULE, text));
        }
    }
    found
}
