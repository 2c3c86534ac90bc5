//! Keeps secrets out of everything that is shown or stored.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// The shortest text that counts as secret, in bytes: hiding shorter ones would hide everything.
const MIN_SECRET: usize = 3;

/// The shortest line of a text of several lines that counts by itself, in bytes.
const MIN_LINE: usize = 6;

/// The secrets of a run, as they become known. Shared by whoever finds them and whoever hides them.
#[derive(Default)]
pub struct Secrets {
    count: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    texts: BTreeSet<String>,
    masker: Option<Arc<Masker>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.count.load(Ordering::Relaxed))
    }
}

impl Secrets {
    /// Counts a text as secret from here on; one that is shorter than three bytes cannot be hidden and is left out.
    pub fn keep(&self, text: &str) {
        if text.trim().len() < MIN_SECRET {
            return;
        }
        let mut known = self.lock();
        if known.texts.insert(text.to_owned()) {
            known.masker = None;
            self.count.store(known.texts.len(), Ordering::Release);
        }
    }

    /// Whether nothing is secret, which is the common case.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Whether that very text is secret.
    pub fn contains(&self, text: &str) -> bool {
        !self.is_empty() && self.lock().texts.contains(text)
    }

    /// Whether a secret stands in a text as it is.
    pub fn is_within(&self, text: &str) -> bool {
        !self.is_empty() && self.lock().texts.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// Every secret.
    pub fn texts(&self) -> BTreeSet<String> {
        self.lock().texts.clone()
    }

    /// What hides all secrets so far.
    pub fn masker(&self) -> Arc<Masker> {
        let mut known = self.lock();
        let Known { texts, masker } = &mut *known;
        masker.get_or_insert_with(|| Arc::new(Masker::new(texts.iter()))).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces secrets by [`MASK`], in the forms in which they may turn up.
///
/// Registered with each secret: its base64, its JSON escapes, its shell quoting, its Python `repr`, and each line of a text of
/// several lines. The longest match wins, so that a secret that contains another is hidden as a whole.
///
/// ```
/// let mut masker = rectify_core::mask::Masker::default();
/// masker.add("it's \"me\"");
/// assert_eq!(masker.apply(r#"{"p": "it's \"me\""}"#), r#"{"p": "********"}"#);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Masker {
    /// Longest first.
    needles: Vec<String>,
    /// Whether a needle begins with that byte.
    heads: Vec<bool>,
}

impl Masker {
    /// Makes a masker of these secrets.
    pub fn new(secrets: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut forms = BTreeSet::new();
        secrets.into_iter().for_each(|secret| spell(secret.as_ref(), &mut forms));
        let mut masker = Masker::default();
        masker.take(forms);
        masker
    }

    /// Registers a secret; one that is shorter than three bytes is left out.
    pub fn add(&mut self, secret: &str) {
        let mut forms: BTreeSet<String> = crate::small::gather(self.needles.drain(..));
        spell(secret, &mut forms);
        self.take(forms);
    }

    fn take(&mut self, forms: BTreeSet<String>) {
        self.needles = forms.into_iter().filter(|form| form.len() >= MIN_SECRET).collect();
        crate::small::sort_by(&mut self.needles, |a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.heads = vec![false; 256];
        for needle in &self.needles {
            self.heads[usize::from(needle.as_bytes()[0])] = true;
        }
    }

    /// Whether no secret is registered.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The text with every secret replaced.
    pub fn apply(&self, text: &str) -> String {
        if self.needles.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut kept = 0;
        let mut at = 0;
        while at < text.len() {
            let found = match self.heads[usize::from(text.as_bytes()[at])] {
                true => self.needles.iter().find(|n| text.as_bytes()[at..].starts_with(n.as_bytes())),
                false => None,
            };
            match found {
                Some(needle) => {
                    out.push_str(&text[kept..at]);
                    out.push_str(MASK);
                    at += needle.len();
                    kept = at;
                }
                None => at += 1,
            }
        }
        out.push_str(&text[kept..]);
        out
    }

    /// Replaces secrets in every text of a value, keys included.
    pub fn apply_json(&self, value: &mut Json) {
        match value {
            Json::String(s) => *s = self.apply(s),
            Json::Array(items) => items.iter_mut().for_each(|v| self.apply_json(v)),
            Json::Object(map) => {
                let entries = std::mem::take(map);
                for (key, mut item) in entries {
                    self.apply_json(&mut item);
                    map.insert(self.apply(&key), item);
                }
            }
            Json::Number(n) => {
                let text = n.to_string();
                if self.needles.contains(&text) {
                    *value = Json::String(MASK.to_owned());
                }
            }
            _ => {}
        }
    }
}

/// Adds every form in which a secret may turn up.
fn spell(secret: &str, forms: &mut BTreeSet<String>) {
    let whole = [secret, secret.trim()];
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE || *line == secret.trim());
    for text in whole.into_iter().chain(lines).filter(|text| text.len() >= MIN_SECRET) {
        forms.extend(spellings(text));
        forms.insert(text.to_owned());
    }
}

/// Other ways to write a secret.
fn spellings(text: &str) -> Vec<String> {
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.strip_prefix('"').unwrap_or_default().strip_suffix('"').unwrap_or_default().to_owned();
    let ascii: String = json
        .chars()
        .flat_map(|c| match c.is_ascii() {
            true => vec![c],
            false => {
                let units = c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect::<String>();
                units.chars().collect()
            }
        })
        .collect();
    vec![
        json.replace("\\\"", "\""),
        text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"),
        text.replace('\'', "'\"'\"'"),
        text.replace('\'', "'\\''"),
        json,
        ascii,
        STANDARD.encode(text),
        STANDARD_NO_PAD.encode(text),
        URL_SAFE.encode(text),
        URL_SAFE_NO_PAD.encode(text),
        STANDARD.encode(format!("{text}\n")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_secret_are_hidden() {
        let m = Masker::new(["p'w\"d\\1"]);
        for shown in [
            "p'w\"d\\1",
            r#"p'w\"d\\1"#,
            r#"p'"'"'w"d\1"#,
            r#"p'\''w"d\1"#,
            &STANDARD.encode("p'w\"d\\1"),
            &STANDARD.encode("p'w\"d\\1\n"),
        ] {
            assert_eq!(m.apply(&format!("<{shown}>")), format!("<{MASK}>"), "{shown}");
        }
    }

    #[test]
    fn every_line_of_a_key_is_hidden_and_short_lines_are_not() {
        let m = Masker::new(["-----BEGIN\nabcdef\nx\n-----END\n"]);
        assert_eq!(m.apply("x abcdef x"), format!("x {MASK} x"));
        assert_eq!(m.apply("-----BEGIN\nabcdef\nx\n-----END\n"), MASK);
    }

    #[test]
    fn the_longest_secret_wins() {
        let m = Masker::new(["abc", "abcdef"]);
        assert_eq!(m.apply("abcdefg"), format!("{MASK}g"));
    }

    #[test]
    fn text_without_secrets_is_kept_byte_for_byte() {
        let m = Masker::new(["ab", "", "übel"]);
        assert_eq!(m.apply("ab ü über"), "ab ü über");
    }

    #[test]
    fn numbers_and_keys_in_json_are_hidden() {
        let m = Masker::new(["12345"]);
        let mut v = serde_json::json!({"k12345": [12345, 1]});
        m.apply_json(&mut v);
        assert_eq!(v, serde_json::json!({"k********": [MASK, 1]}));
    }
}
