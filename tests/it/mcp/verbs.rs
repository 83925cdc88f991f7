//! Every verb is on all surfaces that its row claims, with the same names, types and defaults.

use offhook::{
    command::{Addressee, CommandKind, Need, Parameter, Sort, Verb},
    mcp::PhoneTools,
    scenario::{Known, Rule, check_yaml, reference},
};
use serde_json::{Map, Value, json};

use super::support::World;

fn verbs() -> impl Iterator<Item = &'static Verb> {
    CommandKind::ALL.iter().map(|kind| kind.verb())
}

/// What a tool's schema says about an argument.
fn schema_of(parameter: &Parameter) -> Value {
    match parameter.sort {
        Sort::Text | Sort::Target | Sort::Digits => json!({ "type": "string" }),
        Sort::Status(..) | Sort::Time | Sort::Call => json!({ "type": "integer" }),
        Sort::Flag => json!({ "type": "boolean" }),
        Sort::Calls => json!({ "type": "array", "items": { "type": "integer" } }),
        Sort::Names => json!({ "type": "array", "items": { "type": "string" } }),
        Sort::Headers => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Sort::Frequencies(..) => json!({ "type": "array", "items": { "type": "number" } }),
        Sort::Level => json!({ "type": "number" }),
    }
}

fn property_of(parameter: &Parameter, about: &str) -> Value {
    let mut property = Map::new();
    if parameter.need == Need::Optional {
        property.insert("anyOf".into(), json!([schema_of(parameter), { "type": "null" }]));
        property.insert("default".into(), Value::Null);
    } else if let Value::Object(schema) = schema_of(parameter) {
        property.extend(schema);
    }
    match parameter.need {
        Need::Status(status) => drop(property.insert("default".into(), status.into())),
        Need::Flag(flag) => drop(property.insert("default".into(), flag.into())),
        Need::Text(text) => drop(property.insert("default".into(), text.into())),
        Need::Required | Need::Unless(_) | Need::AllCalls | Need::Optional => {}
    }
    property.insert("description".into(), about.into());
    Value::Object(property)
}

#[test]
fn every_command_has_the_row_that_bears_its_name() {
    for kind in CommandKind::ALL {
        let verb = kind.verb();
        assert_eq!(verb.kind, *kind);
        assert!(verb.tool.is_some() || verb.action.is_some(), "{kind:?} is on no surface");
    }
}

#[tokio::test(start_paused = true)]
async fn every_verb_that_claims_a_tool_is_one_with_its_arguments() {
    let world = World::new();
    let mut client = world.client(PhoneTools::Static, "2025-11-25").await;
    let list = client.request("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().unwrap();
    for verb in verbs() {
        let Some(tool) = &verb.tool else { continue };
        let found = tools.iter().find(|listed| listed["name"] == tool.name);
        let found = found.unwrap_or_else(|| panic!("no tool {}", tool.name));
        assert_eq!(
            (&found["description"], &found["annotations"]["title"]),
            (&json!(tool.about), &json!(tool.title))
        );
        // Tools that consist of a phone's settings spell out their arguments themselves.
        if verb.make.is_none() {
            continue;
        }
        let offered = verb.parameters.iter().filter_map(|each| Some((each, each.tool.as_ref()?)));
        let mut expected = Map::new();
        expected.insert("phone_id".into(), json!({ "type": "string", "description": "Which phone." }));
        expected.extend(offered.map(|(each, tool)| (tool.name.to_owned(), property_of(each, tool.about))));
        let properties = found["inputSchema"]["properties"].as_object().unwrap();
        assert_eq!(*properties, expected, "{}", tool.name);
        let order: Vec<_> = properties.keys().collect();
        assert_eq!(order, expected.keys().collect::<Vec<_>>(), "{}", tool.name);
        let required = verb.parameters.iter().filter_map(|each| Some((each.need, each.tool.as_ref()?)));
        let required = required
            .filter(|(need, _)| matches!(need, Need::Required | Need::Unless(_) | Need::AllCalls))
            .map(|(_, tool)| tool.name);
        let required: Vec<_> = std::iter::once("phone_id").chain(required).collect();
        assert_eq!(found["inputSchema"]["required"], json!(required), "{}", tool.name);
    }
}

#[test]
fn every_verb_that_claims_an_action_is_in_the_schema_and_in_the_reference() {
    let schema = reference::schema();
    let actions = &schema["$defs"]["step"]["anyOf"][1]["properties"];
    let table = reference::actions_table();
    for verb in verbs() {
        let Some(action) = &verb.action else { continue };
        let row = table.lines().find(|line| line.starts_with(&format!("| `{}` |", action.name)));
        let row = row.unwrap_or_else(|| panic!("{} has no row", action.name));
        assert!(row.contains(action.about), "{row}");
        for name in std::iter::once(&action.name).chain(action.aliases) {
            assert_eq!(actions[name]["description"], action.about, "{name}");
            assert!(row.contains(&format!("`{name}`")), "{row}");
            let properties = &actions[name]["properties"];
            assert_eq!(properties.get("call").is_some(), verb.addressee == Addressee::Call, "{name}");
            for argument in verb.parameters.iter().filter_map(|each| each.action.as_ref()) {
                let first = argument.names[0];
                assert_eq!(properties[first]["description"], argument.about, "{name}.{first}");
                assert!(row.contains(&format!("`{first}`")), "{row}");
            }
        }
    }
}

/// A valid value, as a document writes it.
fn sample(sort: Sort) -> &'static str {
    match sort {
        Sort::Text => "words",
        Sort::Target => "'600'",
        Sort::Digits => "'12#'",
        Sort::Status(300, _) => "486",
        Sort::Status(..) => "200",
        Sort::Flag => "true",
        Sort::Time => "1s",
        Sort::Call => "call-7",
        Sort::Calls => "[call-7, call-8]",
        Sort::Names => "[PCMA]",
        Sort::Headers => "{X-Test: a}",
        Sort::Frequencies(..) => "[440]",
        Sort::Level => "-20",
    }
}

/// Returns the findings for a document with one step.
fn found(step: &str) -> Vec<String> {
    let text = format!(
        "name: n\nphones: {{a: , b: }}\nsteps:\n  - make_call: {{phone: a, to: '600'}}\n  - {step}\n  - expect: {{event: call.ended}}\n"
    );
    let reading = check_yaml(&text, None, &Known::default());
    // The document does not know a call given by its number, and the checker says so.
    let findings = reading.findings.iter().filter(|finding| finding.rule != Rule::OutsideState);
    findings.map(|finding| format!("{}: {step}", finding.text)).collect()
}

#[test]
fn every_argument_of_an_action_is_read_under_each_of_its_names_and_missed_when_it_is_needed() {
    for verb in verbs() {
        let Some(action) = &verb.action else { continue };
        let needed = |skipped: &str| -> Vec<String> {
            let others = verb
                .parameters
                .iter()
                .filter(|each| each.slot != skipped && matches!(each.need, Need::Required | Need::Unless(_)));
            let said = others.filter_map(|each| {
                Some(format!("{}: {}", each.action.as_ref()?.names[0], sample(each.sort)))
            });
            std::iter::once("phone: a".to_owned()).chain(said).collect()
        };
        for name in std::iter::once(&action.name).chain(action.aliases) {
            let step = format!("{name}: {{{}}}", needed("").join(", "));
            assert_eq!(found(&step), [""; 0], "{step}");
        }
        for parameter in verb.parameters {
            let Some(argument) = &parameter.action else { continue };
            // An argument that stands for another is given without it.
            let stands = |each: &&Parameter| matches!(each.need, Need::Unless(others) if others.contains(&parameter.slot));
            let instead = verb.parameters.iter().find(stands);
            let skipped = instead.map_or(parameter.slot, |instead| instead.slot);
            for name in argument.names {
                let mut said = needed(skipped);
                said.push(format!("{name}: {}", sample(parameter.sort)));
                let step = format!("{}: {{{}}}", action.name, said.join(", "));
                assert_eq!(found(&step), [""; 0], "{step}");
            }
            if matches!(parameter.need, Need::Required | Need::Unless(_)) {
                let step = format!("{}: {{{}}}", action.name, needed(parameter.slot).join(", "));
                let missing = format!("needs '{}'", argument.names[0]);
                assert!(
                    found(&step).iter().any(|text| text.contains(&missing)),
                    "{step}: {:?}",
                    found(&step)
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_tool_overlooks_an_argument_that_it_does_not_have() {
    for mode in [PhoneTools::Static, PhoneTools::Dynamic] {
        let world = World::new();
        let mut client = world.client(mode, "2025-11-25").await;
        client.add_phone("a").await;
        for tool in client.tool_names().await {
            // One that is dropped on the way comes back.
            client.add_phone("a").await;
            for given in [json!({ "colour": 1 }), json!({ "phone_id": "a", "colour": 1 })] {
                let told = client.result(&tool, given).await.to_string();
                assert!(told.contains("there is no argument 'colour'"), "{tool}: {told}");
            }
        }
    }
}
