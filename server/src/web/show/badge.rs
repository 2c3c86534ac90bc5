//! A state as a word with a shape: nobody needs the colour to tell two apart.

use askama::{Template, filters::HtmlSafe};

/// The words that have a shape of their own, each with the shape's name and the class of its colour.
const KNOWN: &[(&str, &str, &str)] = &[
    // Hosts.
    ("fine", "check", "good"),
    ("drifted", "diamond", "moved"),
    ("pending", "clock", "pending"),
    ("failing", "cross", "bad"),
    ("unreachable", "slash", "bad"),
    ("held", "pause", "held"),
    ("new", "ring", "quiet"),
    // Items.
    ("drift", "diamond", "moved"),
    ("both", "diamond", "moved"),
    ("fixed", "check", "good"),
    ("corrected", "check", "good"),
    // Settings on hosts.
    ("enforce", "square", "quiet"),
    ("observe", "eye", "quiet"),
    ("off", "dash", "quiet"),
    // Runs.
    ("running", "clock", "pending"),
    ("changes", "diamond", "moved"),
    ("failed", "cross", "bad"),
    ("interrupted", "pause", "held"),
    ("broke off", "slash", "bad"),
    // Rounds.
    ("waiting", "ring", "quiet"),
    ("looking", "clock", "pending"),
    ("deciding", "clock", "pending"),
    ("correcting", "clock", "pending"),
    ("done", "check", "good"),
    ("skipped", "dash", "quiet"),
    ("stopped", "cross", "bad"),
    // Notices and actions.
    ("delivered", "check", "good"),
    ("given up", "cross", "bad"),
    ("begun", "clock", "pending"),
    ("refused", "slash", "bad"),
    // Outcomes of tasks.
    ("unchanged", "check", "quiet"),
    ("changed", "diamond", "moved"),
    ("would change", "diamond", "moved"),
    ("may change", "diamond", "pending"),
    ("finding", "ring", "moved"),
    ("not converged", "cross", "bad"),
    ("rolled back", "cross", "bad"),
    ("rescued", "check", "pending"),
    ("would fail", "cross", "bad"),
];

/// A word and its shape.
#[derive(Debug, Clone, Template)]
#[template(path = "page/badge.html")]
pub(super) struct Drawn {
    shape: &'static str,
    class: &'static str,
    word: String,
}

/// A state, as it is shown.
#[derive(Debug, Clone)]
pub(in crate::web) struct Badge(Drawn);

impl Badge {
    /// Of a word; one that is not known is shown as it is.
    pub(in crate::web) fn of(word: &str) -> Self {
        let (shape, class) = Self::look(word);
        Badge(Drawn { shape, class, word: word.to_owned() })
    }

    /// The shape of `word` with another text, such as a number of hosts.
    pub(in crate::web) fn saying(word: &str, text: impl Into<String>) -> Self {
        let (shape, class) = Self::look(word);
        Badge(Drawn { shape, class, word: text.into() })
    }

    fn look(word: &str) -> (&'static str, &'static str) {
        KNOWN.iter().find(|(known, ..)| *known == word).map_or(("ring", "quiet"), |(_, shape, class)| (shape, class))
    }
}

impl std::fmt::Display for Badge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.render().map_err(|_| std::fmt::Error)?)
    }
}

// Its own template escapes the word.
impl HtmlSafe for Badge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_knows_is_escaped() {
        let shown = Badge::of("<b>").to_string();
        assert!(!shown.contains("<b>") && shown.contains("&#60;b&#62;"), "{shown}");
    }
}
