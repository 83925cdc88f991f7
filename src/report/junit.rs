//! JUnit XML, as CI servers read it: one test case per scenario, the ladder excerpt in the failure.

use super::RunReport;
use crate::event::Verdict;

/// Returns the document.
#[must_use]
pub fn junit(reports: &[RunReport]) -> String {
    let count = |test: fn(Verdict) -> bool| reports.iter().filter(|report| test(report.verdict)).count();
    let failures = count(|verdict| verdict == Verdict::Failed);
    let errors = count(|verdict| matches!(verdict, Verdict::Error | Verdict::Blocked));
    let skipped = count(|verdict| verdict == Verdict::Skipped);
    let time: f64 = reports.iter().map(|report| report.elapsed.as_secs_f64()).sum();
    let totals = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{time:.3}\"",
        reports.len()
    );
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"offhook\" {totals}>\n<testsuite name=\"scenarios\" {totals}>\n"
    );
    for report in reports {
        text.push_str(&case(report));
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}

fn case(report: &RunReport) -> String {
    let open = format!(
        "<testcase name=\"{}\" classname=\"{}\" file=\"{}\" time=\"{:.3}\"",
        escape(&report.name),
        escape(&class(&report.source)),
        escape(&report.source),
        report.elapsed.as_secs_f64()
    );
    let message = escape(&report.reason);
    match report.verdict {
        Verdict::Passed => format!("{open}/>\n"),
        Verdict::Flaky => format!("{open}><system-out>{message}</system-out></testcase>\n"),
        Verdict::Skipped => format!("{open}><skipped message=\"{message}\"/></testcase>\n"),
        Verdict::Failed => {
            format!(
                "{open}><failure type=\"failed\" message=\"{message}\">{}</failure></testcase>\n",
                escape(&body(report))
            )
        }
        Verdict::Blocked | Verdict::Error => {
            let word = report.verdict.as_str();
            format!(
                "{open}><error type=\"{word}\" message=\"{message}\">{}</error></testcase>\n",
                escape(&body(report))
            )
        }
    }
}

fn body(report: &RunReport) -> String {
    let mut text = String::new();
    for failure in &report.failures {
        text.push_str(&format!(
            "{}: expected {}\n  instead: {}\n",
            failure.place, failure.expected, failure.instead
        ));
        for plane in &failure.planes {
            text.push_str(&format!("  {plane}\n"));
        }
    }
    if !report.excerpt.is_empty() {
        text.push('\n');
        text.push_str(&report.excerpt);
        text.push('\n');
    }
    for look in &report.look {
        text.push_str(&format!("{look}\n"));
    }
    text
}

/// Turns a path into the dotted name that CI servers group by.
fn class(source: &str) -> String {
    let stem = source.strip_suffix(".yaml").or_else(|| source.strip_suffix(".yml")).unwrap_or(source);
    stem.trim_start_matches(['.', '/']).replace('/', ".")
}

/// Escapes text for elements and attributes, and drops what XML 1.0 cannot hold at all.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' => escaped.push(c),
            '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => escaped.push(c),
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}
