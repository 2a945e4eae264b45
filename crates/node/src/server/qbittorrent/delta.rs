//! What changed since a tool asked last. Pure.
//!
//! What a tool was told last is kept for a few of them; whoever else asks is told everything again, which every tool
//! understands (`full_update`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::login::Caller;

/// For how many tools it is kept what they were told; who asked longest ago is forgotten. Arbitrary: some KiB a torrent each.
const MAX_KEPT: usize = 8;

/// What the tools were told.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    kept: BTreeMap<Caller, Kept>,
    /// Counts answers, so that the oldest is known.
    answers: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    answer: u64,
    told: Map<String, Value>,
}

impl Deltas {
    /// Returns the answer to a tool that knows answer `known`: what changed, or everything.
    pub(super) fn answer(&mut self, caller: &Caller, known: u64, now: Map<String, Value>) -> Value {
        self.answers += 1;
        let before = self.kept.remove(caller);
        let number = before.as_ref().map_or(0, |before| before.number).max(known) + 1;
        let mut answer = match before.filter(|before| known != 0 && before.number == known) {
            Some(before) => changes(&before.told, &now),
            None => {
                let mut all = now.clone();
                all.insert("full_update".to_owned(), json!(true));
                all
            }
        };
        answer.insert("rid".to_owned(), json!(number));
        if self.kept.len() >= MAX_KEPT
            && let Some(oldest) = self.kept.iter().min_by_key(|(_, kept)| kept.answer).map(|(caller, _)| caller.clone())
        {
            self.kept.remove(&oldest);
        }
        self.kept.insert(caller.clone(), Kept { number, answer: self.answers, told: now });
        Value::Object(answer)
    }

    /// Forgets a tool that has logged out.
    pub(super) fn forget(&mut self, caller: &Caller) {
        self.kept.remove(caller);
    }
}

/// Returns what is other than before. Of what is listed by names: entries that changed, `NAME_removed`: those that are gone.
fn changes(before: &Map<String, Value>, now: &Map<String, Value>) -> Map<String, Value> {
    let mut changes = Map::new();
    let nothing = Value::Null;
    for (name, value) in now {
        let old = before.get(name).unwrap_or(&nothing);
        let (changed, gone) = match (name.as_str(), old, value) {
            ("server_state", Value::Object(old), Value::Object(new)) => (fields(old, new).into(), Vec::new()),
            // Of a torrent only what changed is told, of others all.
            ("torrents", Value::Object(old), Value::Object(new)) => entries(old, new, fields_of),
            (_, Value::Object(old), Value::Object(new)) => entries(old, new, |_, new| new.clone()),
            (_, Value::Array(old), Value::Array(new)) => {
                let lacks = |list: &[Value], value: &Value| !list.contains(value);
                let added: Vec<Value> = new.iter().filter(|value| lacks(old, value)).cloned().collect();
                (added.into(), old.iter().filter(|value| lacks(new, value)).cloned().collect())
            }
            (_, old, new) if old == new => continue,
            (_, _, new) => (new.clone(), Vec::new()),
        };
        let is_empty = match &changed {
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        if !is_empty {
            changes.insert(name.clone(), changed);
        }
        if !gone.is_empty() {
            changes.insert(format!("{name}_removed"), gone.into());
        }
    }
    changes
}

fn entries(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    told: impl Fn(&Value, &Value) -> Value,
) -> (Value, Vec<Value>) {
    let changed = new.iter().filter_map(|(name, new)| match old.get(name) {
        Some(old) if old == new => None,
        Some(old) => Some((name.clone(), told(old, new))),
        None => Some((name.clone(), new.clone())),
    });
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| json!(name)).collect();
    (Value::Object(changed.collect()), gone)
}

fn fields_of(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => fields(old, new).into(),
        _ => new.clone(),
    }
}

fn fields(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    new.iter().filter(|(name, value)| old.get(*name) != Some(value)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn first() -> Map<String, Value> {
        map(json!({ "server_state": { "dl": 1, "up": 2 }, "tags": ["a", "b"],
            "categories": { "c": { "name": "c", "savePath": "" } },
            "torrents": { "1": { "name": "x", "progress": 0.5 }, "2": { "name": "y", "progress": 1.0 } } }))
    }

    #[test]
    fn a_tool_is_told_what_changed_since_the_answer_that_it_knows() {
        let (mut deltas, tool) = (Deltas::default(), Caller("tool".to_owned()));
        let all = deltas.answer(&tool, 0, first());
        assert_eq!((&all["rid"], &all["full_update"], &all["tags"]), (&json!(1), &json!(true), &json!(["a", "b"])));
        assert_eq!(deltas.answer(&tool, 1, first()), json!({ "rid": 2 }));
        let mut now = first();
        now["server_state"]["dl"] = json!(9);
        now["tags"] = json!(["b", "d"]);
        now["categories"]["c"]["savePath"] = json!("/c");
        now["torrents"] = json!({ "1": { "name": "x", "progress": 0.6 }, "3": { "name": "z" } });
        let expected = json!({ "rid": 3, "server_state": { "dl": 9 }, "tags": ["d"], "tags_removed": ["a"],
            "categories": { "c": { "name": "c", "savePath": "/c" } },
            "torrents": { "1": { "progress": 0.6 }, "3": { "name": "z" } }, "torrents_removed": ["2"] });
        assert_eq!(deltas.answer(&tool, 2, now.clone()), expected);
        // It did not hear that.
        let again = deltas.answer(&tool, 2, now.clone());
        assert_eq!((&again["rid"], &again["full_update"]), (&json!(4), &json!(true)));
        assert_eq!(deltas.answer(&tool, 4, now), json!({ "rid": 5 }));
    }

    #[test]
    fn who_is_forgotten_is_told_everything() {
        let mut deltas = Deltas::default();
        let caller = |n: usize| Caller(n.to_string());
        for n in 0..=MAX_KEPT {
            deltas.answer(&caller(n), 0, first());
        }
        assert_eq!(deltas.answer(&caller(1), 1, first()), json!({ "rid": 2 }));
        assert_eq!(deltas.answer(&caller(0), 1, first())["full_update"], true);
        deltas.forget(&caller(1));
        assert_eq!(deltas.answer(&caller(1), 2, first())["full_update"], true);
        assert_eq!(deltas.kept.len(), MAX_KEPT);
    }
}
