//! The checker's messages, as engineers see them.

use super::*;
use crate::scenario::{Known, Level};

/// Returns the findings of a document as printed lines.
fn lines(text: &str) -> String {
    let reading = check_yaml(text, None, &Known::default());
    reading.findings.iter().map(|finding| finding.line("s.yaml") + "\n").collect()
}

const GOOD: &str = r##"
name: Basic call
tags: [smoke]
phones: {a: {}, b: {auto_answer: false}}
timeout: 30s
hooks:
  - {when: call.incoming, on_phone: b, then: [{answer: 180}, {wait: 500ms}, answer]}
steps:
  - make_call: {phone: a, to: "${b}", as: out}
  - expect: {event: call.established, phone: b, within: 5s, as: in}
  - send_dtmf: {call: $out, digits: "1234#"}
  - expect: {digits: "1234#", phone: b, within: 5s}
  - play: {phone: b, tone: 1000, duration: 2s}
  - expect: {tone: 1000, phone: a, within: 3s, tolerance: 20}
  - never: {event: call.ended, phone: a, during: 1s}
  - hold_for: 2s
  - hangup: $out
  - expect: {all: [{ended: $out, cause: normal, by: local}, {ended: $in, by: remote}], within: 3s}
  - expect: {phone: b, audio: absent, lost: "<= 2"}
"##;

#[test]
fn a_good_scenario_has_no_findings() {
    assert_eq!(lines(GOOD), "");
    let scenario = check_yaml(GOOD, Some("a.yaml"), &Known::default()).scenario.unwrap();
    assert_eq!((scenario.steps.len(), scenario.hooks.len(), scenario.phones.len()), (11, 1, 2));
    assert_eq!(scenario.hooks[0].then.len(), 3);
}

#[test]
fn a_value_of_another_type_than_the_field_is_found_before_it_is_waited_for() {
    let text = r##"phones: {a: {}}
steps:
  - make_call: {phone: a, to: "600"}
  - expect: {event: call.ended, match: {status: "486"}}
"##;
    let found = lines(text);
    assert!(found.contains("s.yaml:4:41: error[wrong-type]: 'status' is a number, never a text"), "{found}");
}

#[test]
fn every_mistake_is_reported_at_once_with_place_and_suggestion() {
    let text = r##"name: broken
phonez: {a: {}}
phones: {a: {auto_answr: true}, B: {}}
timeout: soon
hooks:
  - when: call.incomming
    then: [anwser]
steps:
  - make_cal: {to: 600}
  - make_call: {phone: c, to: "a b", as: out}
  - expect: {event: call.ended, match: {statuz: 486}, within: 3x}
  - expect: {event: call.ended, match: {reason: "~("}}
  - send_dtmf: {call: $uot, digits: "12Z"}
  - answer: {code: 99}
  - hangup: {call: out}
  - expect: {}
  - {hold: null, unhold: null}
  - make_call: {to: "${eco}"}
  - 5
"##;
    insta::assert_snapshot!(lines(text));
}

#[test]
fn logic_mistakes_are_found_before_dialing() {
    let text = r##"phones: {a: {}, b: {}}
timeout: 5s
steps:
  - answer: {phone: b}
  - make_call: {phone: a, to: "${b}", as: out}
  - wait: 1s
  - hangup: $out
  - hold: $out
  - expect: {event: user.done}
  - expect: {event: message.received, phone: b, within: 10s}
  - expect: {event: phone.unregistered}
  - expect: {event: media.conference_left}
hooks:
  - {when: call.incoming, on_phone: b, then: [reject, answer]}
  - {when: scenario.stopped, then: [{log: bye}]}
"##;
    insta::assert_snapshot!(lines(text));
}

#[test]
fn a_scenario_that_expects_nothing_cannot_be_run() {
    for (text, part) in [
        (
            "phones: {a: {}}\nsteps: [{make_call: {phone: a, to: 600}}]\n",
            "nothing is expected, so the run can never pass",
        ),
        ("name: x\n", "error[nothing-expected]: the scenario does nothing"),
        ("- a\n", "s.yaml:1:1: error[wrong-type]: the scenario must be a mapping, not a list of 1"),
        (
            "phones: {a: {}}\nsteps: [{hold_for: 2s}]\n",
            "error[never-happens]: 'hold_for' needs a call, and no step places one",
        ),
        (
            "steps: [{hold_for: 2s}]\ntimeout: 1s\n",
            "error[timeout-too-short]: the pauses take 2s, the whole run only 1s",
        ),
        ("", "s.yaml:1:1: error[wrong-type]: the scenario must be a mapping, not nothing"),
    ] {
        assert!(lines(text).contains(part), "{text}: {}", lines(text));
        assert!(!check_yaml(text, None, &Known::default()).is_runnable(), "{text}");
    }
}

#[test]
fn a_document_of_the_older_form_is_accepted_as_it_is() {
    let document = serde_json::json!({
        "name": "old", "phones": ["a", "b"], "colour": "green",
        "hooks": [
            {"when": ["call.state.incoming", "reg.banana"], "on_phone": "b", "match": {"remote_uri": "~6001"},
             "then": ["answer", {"wait": "250"}, {"action": "send_dtmf", "digits": "1"}, {"checkpoint": "x"},
                      {"set_codecs": ["PCMA"]}, {"conference": "auto"}]},
            {"when": "call.state.*", "once": false, "then": [{"log": "state"}]},
        ],
        "initial_actions": [{"make_call": {"from_phone": "a", "dest_uri": "sip:b@pbx"}}, {"emit": "go"},
                            {"wait_until": {"event": "user.go", "timeout_ms": 500}}],
        "stop_on": [{"event": "call.state.disconnected", "phone_id": "a", "match": {"last_status": "4xx"}}, {}],
        "timeout_ms": "5000",
    });
    let reading = check_json(&document, &Known::default());
    assert!(reading.is_runnable(), "{:?}", reading.findings);
    assert!(reading.findings.iter().all(|finding| finding.level == Level::Warning));
    let texts: Vec<_> = reading.findings.iter().map(|finding| finding.line("x")).collect();
    insta::assert_snapshot!(texts.join("\n"));
    let scenario = reading.scenario.unwrap();
    assert_eq!(scenario.timeout, std::time::Duration::from_secs(5));
    assert_eq!((scenario.hooks.len(), scenario.stop_on.len(), scenario.initial_actions.len()), (2, 1, 3));
}

#[test]
fn every_ready_made_pattern_expands() {
    let text = r##"
phones: [a]
patterns:
  - {use: auto-answer, phone_id: a, delay_ms: 200}
  - {use: make-call-and-wait-confirmed@1.0.0, phone_id: a, dest_uri: "sip:600@pbx"}
  - {use: send-dtmf-on-confirmed, phone_id: a, digits: "12#"}
  - {use: hangup-after-duration, phone_id: a, duration_ms: 500}
  - {use: reject-on-incoming, phone_id: a}
  - {use: blind-transfer, phone_id: a, transfer_to: "sip:601@pbx"}
  - {use: hold-and-resume, phone_id: a, hold_duration_ms: 500}
  - {use: respond-to-dtmf, phone_id: a, digit: "5", response_action: hangup}
  - {use: play-audio-on-confirmed, phone_id: a, audio_path: x.wav}
  - {use: reinvite-codec-change, phone_id: a, new_codec: PCMA}
  - {use: wait-for-registration, phone_id: a}
  - {use: wait-for-callback, phone_id: a}
  - {use: fail-fast-on-error, phone_ids: [a]}
  - {use: collect-recordings, phone_ids: [a]}
stop_on: [{event: user.scenario_failed}]
"##;
    let reading = check_yaml(text, None, &Known::default());
    assert!(reading.is_runnable(), "{:?}", reading.findings);
    let scenario = reading.scenario.unwrap();
    assert_eq!(scenario.patterns_used.len(), 14);
    assert_eq!((scenario.hooks.len(), scenario.initial_actions.len()), (13, 1));
    let wrong = lines("phones: [a]\npatterns: [{use: auto-anser, phone_id: a}, {use: auto-answer}]\n");
    assert!(
        wrong.contains("2:12: error[bad-value]: unknown pattern: 'auto-anser' (did you mean 'auto-answer'?)"),
        "{wrong}"
    );
    assert!(wrong.contains("error[missing-key]: the pattern needs 'phone_id'"), "{wrong}");
}

#[test]
fn damaged_documents_never_crash_the_checker() {
    // A seeded mutation of a good document: any finding is fine, a panic is not.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let pieces = [
        "{", "}", "[", "]", ":", "-", "&a ", "*a", "\"", "${", "$", "~(", "\n", "  ", "null", "1e999", "é",
        "\t",
    ];
    for _ in 0..2_000 {
        let mut text: Vec<char> = GOOD.chars().collect();
        for _ in 0..=random(4) {
            let at = random(text.len().max(1));
            if text.is_empty() {
                break;
            }
            match random(3) {
                0 => drop(text.remove(at)),
                1 => text.splice(at..at, pieces[random(pieces.len())].chars()).for_each(drop),
                _ => text.truncate(at.max(1)),
            }
        }
        let text: String = text.into_iter().collect();
        let reading = check_yaml(&text, None, &Known::default());
        for finding in &reading.findings {
            assert!(!finding.line("x").is_empty());
        }
    }
}

#[test]
fn a_number_without_a_unit_is_no_duration_but_in_the_older_form_and_where_the_key_says_the_unit() {
    let native = r##"phones: {a: {}}
timeout: 60
steps:
  - make_call: {phone: a, to: "600", as: out}
  - expect: {event: call.established, within: 5}
  - hold_for: "2"
  - wait: 1.5
  - never: {event: call.ended, during: 1}
  - send_dtmf: {call: $out, digits: "1", duration: 200}
  - wait_until: {event: call.ended, timeout_ms: 500}
  - wait: {ms: 500}
"##;
    let found = lines(native);
    let refused = |at: &str, number: &str| {
        let wanted =
            format!("s.yaml:{at}: error[bad-duration]: {number} what? write {number}s or {number}ms\n");
        assert!(found.contains(&wanted), "{wanted} in {found}");
    };
    for (at, number) in
        [("2:10", "60"), ("5:47", "5"), ("6:15", "2"), ("7:11", "1.5"), ("8:40", "1"), ("9:52", "200")]
    {
        refused(at, number);
    }
    assert_eq!(found.matches("error[").count(), 6, "{found}");
    let older = "hooks:\n  - {when: call.state.confirmed, then: [{wait: 500}, hangup]}\ntimeout_ms: 5000\n";
    assert!(!lines(older).contains("bad-duration"), "{}", lines(older));
    let pattern = "phones: {a: {}}\npatterns: [{use: hangup-after-duration, phone_id: a, duration_ms: 500}]\nsteps:\n  - make_call: '600'\n  - expect: call.ended\n";
    assert!(!lines(pattern).contains("bad-duration"), "{}", lines(pattern));
}

#[test]
fn a_name_that_a_profile_may_have_is_a_warning_until_the_profile_is_known() {
    let text = |name: &str| {
        format!(
            "phones: {{a: {{}}}}\nsteps:\n  - make_call: {{phone: a, to: '${{{name}}}'}}\n  - expect: call.ended\n"
        )
    };
    let found = |name: &str, known: &Known| {
        let reading = check_yaml(&text(name), None, known);
        let lines: String = reading.findings.iter().map(|finding| finding.line("s.yaml")).collect();
        (reading.is_runnable(), lines)
    };
    let open = Known { open: true, ..Known::default() };
    let (runnable, lines) = found("conf", &open);
    assert!(runnable && lines.contains("warning[undefined-name]: '${conf}' must be a number"), "{lines}");
    let (runnable, lines) = found("eco", &open);
    assert!(!runnable && lines.contains("error[undefined-name]") && lines.contains("'${echo}'"), "{lines}");
    assert!(!found("conf", &Known::default()).0, "the numbers are all known");
    let mut closed = Known::default();
    closed.add_numbers([&"conf".to_owned()]);
    assert_eq!(found("conf", &closed), (true, String::new()));
}

#[test]
fn what_rests_on_state_outside_the_document_is_said() {
    let found = lines(
        "phones: [a]\nsteps: [{make_call: {phone: a, to: '600'}}, {hangup: call-3}, {expect: call.ended}]\n",
    );
    assert!(found.contains("s.yaml:1:10: warning[outside-state]: phone 'a' must exist already"), "{found}");
    assert!(found.contains("warning[outside-state]: which call call-3 is"), "{found}");
    let older = lines("phones: [a]\nhooks: [{when: call.incoming, then: [{hangup: {call: 3}}]}]\n");
    assert!(!older.contains("outside-state"), "{older}");
}

#[test]
fn the_name_of_a_phone_as_a_target_is_probably_meant_as_the_phone() {
    for target in ["b", "$b"] {
        let text = format!(
            "phones: {{a: {{}}, b: {{}}}}\nsteps: [{{make_call: {{phone: a, to: {target}}}}}, {{expect: call.ended}}]\n"
        );
        let found = lines(&text);
        assert!(found.contains("warning[bad-uri]") && found.contains("(did you mean '${b}'?)"), "{found}");
    }
}
