//! Old spellings of events, so that every journal ever written can be read.
//!
//! A rename of a kind or field is one entry here and one line in `tests/data/journals/`. Fields that are only added
//! need none: they get a serde default instead.

use serde_json::Value;

/// One change of the wire format.
pub(super) struct Upcast {
    /// The kind as it was written.
    pub(super) from: &'static str,
    /// The kind as it is now.
    pub(super) to: &'static str,
    /// Turns the data as they were written into the data as they are now.
    pub(super) data: fn(Value) -> Value,
}

/// Every change so far, oldest first; the wire format has not changed yet.
const UPCASTS: &[Upcast] = &[];

/// Brings an event as it was written to its present form.
pub(super) fn upcast(kind: &str, data: Value) -> (String, Value) {
    through(UPCASTS, kind, data)
}

/// Returns the kinds under which events that are now of a wanted kind may be stored.
pub(crate) fn former_kinds(wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    UPCASTS.iter().filter(|change| wanted(change.to)).map(|change| change.from).collect()
}

fn through(changes: &[Upcast], kind: &str, data: Value) -> (String, Value) {
    changes.iter().fold((kind.to_owned(), data), |(kind, data), change| {
        if kind == change.from { (change.to.to_owned(), (change.data)(data)) } else { (kind, data) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_applied_one_after_the_other_and_only_to_their_kind() {
        let changes = [
            Upcast { from: "call.accepted", to: "call.answered", data: |data| data },
            Upcast {
                from: "call.answered",
                to: "call.answered",
                data: |mut data| {
                    let code = data.as_object_mut().and_then(|fields| fields.remove("code"));
                    if let (Some(code), Some(fields)) = (code, data.as_object_mut()) {
                        fields.insert("status".into(), code);
                    }
                    data
                },
            },
        ];
        let oldest = through(&changes, "call.accepted", json!({ "code": 200 }));
        assert_eq!(oldest, ("call.answered".to_owned(), json!({ "status": 200 })));
        let present = through(&changes, "call.answered", json!({ "status": 200 }));
        assert_eq!(present, ("call.answered".to_owned(), json!({ "status": 200 })));
        let other = through(&changes, "call.ended", json!({ "code": 1 }));
        assert_eq!(other, ("call.ended".to_owned(), json!({ "code": 1 })));
    }
}
