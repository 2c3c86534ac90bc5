//! What a task manages and how it found it, in short: what drift is told from.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::change::{content, each};
use crate::{digest, mask::Masker, module::Managed};

/// Text up to this many bytes is kept as it is.
const SHORT: usize = 200;

/// The most lines of a content that are kept, as hashes.
const LINES: usize = 4096;

/// The length of a line's hash as text: 64 bits in base64 (RFC 4648, section 5).
const LINE: usize = 11;

/// What a hash begins with where a text could stand.
const HASHED: &str = "sha256:";

/// The property that stands for what a task wants of things that it does not name, as a hash of its arguments. Below such a thing only what is not as
/// wanted is reported.
pub const POLICY: &str = "*";

/// The property that stands for a difference that may not be shown, such as a password's. It is reported only where there is one.
pub const HIDDEN: &str = "hidden";

/// What a task found of the things that it manages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The things.
    pub things: Vec<Thing>,
    /// The lines of contents that the controller does not know yet: a content as [`Property`] has it, and [`lines_of`] it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, String>,
}

/// A thing on a host, named by what it is and not by the task that manages it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its name, such as `path:/etc/motd`.
    pub thing: String,
    /// What was seen and is wanted. The property without a name is whether the thing is there at all; it is left out where it is and shall be.
    pub properties: Vec<Property>,
    /// What the host knows of when and by whom it was changed; only where something differs and was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<Trace>,
}

/// A property: text as it is up to 200 bytes, otherwise `sha256:` and the hash; contents always by their hash, as they are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name, a path of names joined by dots.
    pub property: String,
    /// What was seen and is wanted, where that is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    both: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted: Option<String>,
}

/// Something that a host knows of when, or by whom, a thing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Who says so: `file`, `dpkg`, `apt`, `dnf`, `systemd`, `audit`.
    pub source: String,
    /// When, microseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// The account that did it, as it logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The program or command that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What is said, one line.
    pub what: String,
}

impl Property {
    /// A property; `None` is absence.
    pub fn new(property: impl Into<String>, seen: Option<String>, wanted: Option<String>) -> Self {
        let property = property.into();
        if seen == wanted {
            return Property { property, both: seen, seen: None, wanted: None };
        }
        Property { property, both: None, seen, wanted }
    }

    /// What was seen; `None` is absence.
    pub fn seen(&self) -> Option<&str> {
        self.both.as_deref().or(self.seen.as_deref())
    }

    /// What is wanted; `None` is absence.
    pub fn wanted(&self) -> Option<&str> {
        self.both.as_deref().or(self.wanted.as_deref())
    }

    pub(super) fn masked(self, masker: &Masker) -> Self {
        let Property { property, both, seen, wanted } = self;
        let text = |text: Option<String>| text.map(|text| masker.apply(&text));
        Property { property: masker.apply(&property), both: text(both), seen: text(seen), wanted: text(wanted) }
    }
}

/// Makes [`Kept`] of what tasks see.
pub struct Keeper<'a> {
    /// What hides secrets.
    pub masker: &'a Masker,
    /// The contents whose lines are known; without, nobody asks for lines.
    pub known: Option<&'a BTreeSet<String>>,
    /// Finds the text of a content that a state holds by its hash alone: the file as it was sent, or as it is.
    pub find: &'a dyn Fn(&str) -> Option<String>,
}

impl Keeper<'_> {
    /// What a look found: the seen and the wanted state as data, and whether they differ. `policy` is a hash of the arguments, for tasks that manage
    /// more than they name.
    pub fn keep(
        &self,
        managed: &Managed,
        before: &Value,
        after: &Value,
        differs: bool,
        policy: Option<String>,
    ) -> Kept {
        let mut kept = Kept::default();
        let (before, after) = self.split(managed, before, after, &mut kept);
        let mut own = Thing { thing: managed.thing.clone(), properties: Vec::new(), traces: Vec::new() };
        self.walk(managed.passing, &before, &after, &mut own, &mut kept.lines);
        if let Some(policy) = policy {
            own.properties.push(Property::new(POLICY, Some(policy.clone()), Some(policy)));
        }
        let things = || kept.things.iter().chain([&own]);
        let shown = things().flat_map(|t| &t.properties).any(|p| p.seen() != p.wanted());
        if differs && !shown && managed.passing.iter().all(|name| before.get(name) == after.get(name)) {
            own.properties.push(Property::new(HIDDEN, Some("differs".into()), Some("as declared".into())));
        }
        if !own.properties.is_empty() {
            kept.things.push(own);
        }
        kept
    }

    /// Takes the things out that have names of their own, with what comes along with them and is not named.
    fn split(&self, managed: &Managed, before: &Value, after: &Value, kept: &mut Kept) -> (Value, Value) {
        let (Value::Object(old), Value::Object(new)) = (before, after) else { return (before.clone(), after.clone()) };
        if managed.parts.is_empty() {
            return (before.clone(), after.clone());
        }
        let (mut old, mut new) = (old.clone(), new.clone());
        for field in new.keys().cloned().collect::<Vec<_>>() {
            let side = |state: &Map<String, Value>, name: &str| match state.get(&field).and_then(|f| f.get(name)) {
                Some(Value::String(version)) => serde_json::json!({ "version": version }),
                other => other.cloned().unwrap_or_default(),
            };
            let there =
                |name: &String| [&old, &new].iter().any(|s| s.get(&field).is_some_and(|f| f.get(name).is_some()));
            if !managed.parts.keys().any(there) {
                continue;
            }
            for (name, thing) in &managed.parts {
                let mut part = Thing { thing: thing.clone(), properties: Vec::new(), traces: Vec::new() };
                self.walk(&[], &side(&old, name), &side(&new, name), &mut part, &mut kept.lines);
                kept.things.push(part);
            }
            old.remove(&field);
            new.remove(&field);
        }
        (Value::Object(old), Value::Object(new))
    }

    fn walk(
        &self,
        passing: &[&str],
        before: &Value,
        after: &Value,
        thing: &mut Thing,
        lines: &mut BTreeMap<String, String>,
    ) {
        each("", before, after, true, &mut |path, before, after| {
            if !passing.contains(&path) {
                let (seen, wanted) = (self.short(before, lines), self.short(after, lines));
                thing.properties.push(Property::new(path, seen, wanted));
            }
        });
    }

    fn short(&self, value: &Value, lines: &mut BTreeMap<String, String>) -> Option<String> {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => self.masker.apply(text),
            other => match content(other).flatten() {
                Some(content) => return Some(self.content(content, lines)),
                // An object where the other side has none: a thing as a whole.
                None if other.is_object() => return Some("present".into()),
                None => self.masker.apply(&other.to_string()),
            },
        };
        Some(if text.len() > SHORT { hashed(&digest::sha256(text.as_bytes())) } else { text })
    }

    /// Contents are hashed as they are masked, so that no secret can be guessed from the hash of what is around it. What is no text has its own hash.
    fn content(&self, content: &Map<String, Value>, lines: &mut BTreeMap<String, String>) -> String {
        let own = content.get("sha256").and_then(Value::as_str).unwrap_or_default();
        let plain = hashed(own);
        let news = |name: &String| self.known.is_some_and(|known| !known.contains(name));
        if self.masker.is_empty() && (!news(&plain) || lines.contains_key(&plain)) {
            return plain;
        }
        let held = content.get("text").and_then(Value::as_str).map(str::to_owned);
        let Some(text) = held.or_else(|| (self.find)(own)) else { return plain };
        let masked = self.masker.apply(&text);
        let name = if masked == text { plain } else { hashed(&digest::sha256(masked.as_bytes())) };
        if news(&name) {
            lines.insert(name.clone(), lines_of(&masked));
        }
        name
    }
}

fn hashed(hash: &str) -> String {
    format!("{HASHED}{hash}")
}

/// Whether a kept text is the hash of something longer.
pub fn is_hash(text: &str) -> bool {
    text.strip_prefix(HASHED).is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The lines of a text, each as the first 64 bits of its SHA-256, in base64; without those beyond the first 4096.
pub fn lines_of(text: &str) -> String {
    text.split_inclusive('\n').take(LINES).map(line_hash).collect()
}

/// One line as [`lines_of`] has it; the end of the line is part of it.
pub fn line_hash(line: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(line.as_bytes())[..8])
}

/// Takes apart what [`lines_of`] made; `None` if it is not whole, or may not have all lines.
pub fn split_lines(lines: &str) -> Option<Vec<&str>> {
    if !lines.len().is_multiple_of(LINE) || lines.len() >= LINE * LINES || !lines.is_ascii() {
        return None;
    }
    lines.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::module::Content;

    fn managed(thing: &str) -> Managed {
        Managed { thing: thing.into(), ..Managed::default() }
    }

    fn keep(masker: &Masker, before: &Value, after: &Value) -> Kept {
        let known = BTreeSet::new();
        let keeper = Keeper { masker, known: Some(&known), find: &|_| None };
        keeper.keep(&managed("path:/x"), before, after, before != after, None)
    }

    fn sides(kept: &Kept) -> Vec<(&str, Option<&str>, Option<&str>)> {
        kept.things.iter().flat_map(|t| &t.properties).map(|p| (&*p.property, p.seen(), p.wanted())).collect()
    }

    #[test]
    fn what_is_as_wanted_is_kept_once_and_what_differs_on_both_sides() {
        let kept = keep(
            &Masker::default(),
            &json!({"mode": "0644", "owner": "root"}),
            &json!({"mode": "0600", "owner": "root"}),
        );
        assert_eq!(sides(&kept), [("mode", Some("0644"), Some("0600")), ("owner", Some("root"), Some("root"))]);
        let shown = serde_json::to_value(&kept.things[0].properties).unwrap();
        assert_eq!(
            shown,
            json!([{"property": "mode", "seen": "0644", "wanted": "0600"}, {"property": "owner", "both": "root"}])
        );
    }

    #[test]
    fn whether_a_thing_is_there_is_a_property_without_a_name() {
        let none = Masker::default();
        assert_eq!(sides(&keep(&none, &Value::Null, &Value::Null)), [("", None, None)]);
        assert_eq!(sides(&keep(&none, &json!({"gid": 1}), &Value::Null)), [("", Some("present"), None)]);
        assert_eq!(
            sides(&keep(&none, &Value::Null, &json!({"gid": 1}))),
            [("", None, Some("present")), ("gid", None, Some("1"))]
        );
    }

    #[test]
    fn long_texts_and_contents_are_hashed() {
        let long = "x".repeat(201);
        let state = json!({"comment": long, "content": Content::new(b"a\nb\n".to_vec())});
        let kept = keep(&Masker::default(), &state, &state);
        let hash = format!("sha256:{}", digest::sha256(b"a\nb\n"));
        assert_eq!(sides(&kept)[0].1.unwrap(), format!("sha256:{}", digest::sha256(long.as_bytes())));
        assert_eq!(sides(&kept)[1].1.unwrap(), hash);
        assert_eq!(split_lines(&kept.lines[&hash]).unwrap(), [line_hash("a\n"), line_hash("b\n")]);
        assert!(is_hash(&hash) && !is_hash("sha256:no"));
    }

    #[test]
    fn a_content_is_masked_before_it_is_hashed_wherever_its_text_comes_from() {
        let masker = Masker::new(["hunter2"]);
        let masked = format!("sha256:{}", digest::sha256(b"p = ********\n"));
        let text = "p = hunter2\n";
        let held = json!({"content": Content::new(text.as_bytes().to_vec())});
        assert_eq!(sides(&keep(&masker, &held, &held))[0].1, Some(&*masked));
        let sha256 = digest::sha256(text.as_bytes());
        let by_hash = json!({"content": Content::hashed(sha256.clone(), 12)});
        let keeper = Keeper { masker: &masker, known: None, find: &|hash| (hash == sha256).then(|| text.to_owned()) };
        let kept = keeper.keep(&managed("path:/x"), &by_hash, &by_hash, false, None);
        assert_eq!(sides(&kept)[0].1, Some(&*masked));
        assert!(kept.lines.is_empty(), "nobody asked for lines");
    }

    #[test]
    fn lines_that_are_known_are_not_sent_again() {
        let state = json!({"content": Content::new(b"a\n".to_vec())});
        let known = BTreeSet::from([format!("sha256:{}", digest::sha256(b"a\n"))]);
        let keeper = Keeper { masker: &Masker::default(), known: Some(&known), find: &|_| None };
        assert!(keeper.keep(&managed("path:/x"), &state, &state, false, None).lines.is_empty());
    }

    #[test]
    fn packages_of_a_list_are_things_of_their_own_and_what_comes_along_is_not_kept() {
        let parts = ["curl", "python3.11"].map(|n| (n.to_owned(), format!("package:{n}")));
        let managed = Managed { parts: parts.into(), ..managed("package:curl, python3.11") };
        let keeper = Keeper { masker: &Masker::default(), known: None, find: &|_| None };
        let before = json!({"packages": {"curl": null, "python3.11": "3.11.2", "libcurl4": null}});
        let after = json!({"packages": {"curl": "7.88", "python3.11": "3.11.2", "libcurl4": "7.88"}});
        let kept = keeper.keep(&managed, &before, &after, true, None);
        let things: Vec<&str> = kept.things.iter().map(|t| &*t.thing).collect();
        assert_eq!(things, ["package:curl", "package:python3.11"]);
        assert_eq!(
            sides(&kept),
            [("", None, Some("present")), ("version", None, Some("7.88")), ("version", Some("3.11.2"), Some("3.11.2"))]
        );
    }

    #[test]
    fn a_difference_that_may_not_be_shown_is_kept_as_one() {
        let state = json!({"password": "********"});
        let keeper = Keeper { masker: &Masker::default(), known: None, find: &|_| None };
        let kept = keeper.keep(&managed("user:x"), &state, &state, true, None);
        assert_eq!(sides(&kept)[1].0, HIDDEN);
        // Work that is due is no difference of the host's.
        let managed = Managed { passing: &["due"], ..managed("unit:x") };
        let kept = keeper.keep(&managed, &json!({"due": "restart"}), &json!({}), true, None);
        assert!(kept.things.is_empty(), "{kept:?}");
    }
}
