//! `replace`: every match of a pattern in a text file.

use std::path::PathBuf;

use rectify_core::{
    module::{Change, ModuleError, Observe, Operate, Relations, Resource},
    template::Pattern,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::shared::{
    attrs::Wanted,
    edit::{self, Missing, Target, TextFile},
    mode::Mode,
};

/// Replaces every match of a Python regular expression in a text file.
///
/// The result must be free of further changes: a replacement that matches again and grows is reported as not converged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replace {
    /// The file, an absolute path; a link is followed.
    path: PathBuf,
    /// The Python regular expression; `^` and `$` match at every line.
    regexp: String,
    /// What takes the place of a match; `\1` and `\g<name>` stand for its groups. Default: nothing.
    #[serde(default)]
    replace: String,
    /// Only what comes after the first match of this regular expression, in which `.` matches line ends too.
    after: Option<String>,
    /// Only what comes before a match of this regular expression: with `after` the next one, else the last one.
    before: Option<String>,
    /// Whether the old file is kept under a name with its date.
    #[serde(default)]
    backup: bool,
    /// A command that checks the new content before it takes the old one's place; `%s` stands for the file with it.
    validate: Option<String>,
    /// The owner, by name or number.
    owner: Option<String>,
    /// The group, by name or number.
    group: Option<String>,
    /// Permission bits.
    mode: Option<Mode>,
}

impl Resource for Replace {
    const KIND: &'static str = "replace";
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("dest", "path"), ("destfile", "path"), ("name", "path")];
    const EXAMPLE: &'static str = "replace:\n  path: /etc/pam.d/common-auth\n  regexp: '\\bnullok\\b'\n  replace: ''\n";
    type State = TextFile;

    fn observe(&self, host: &dyn Observe) -> Result<Option<TextFile>, ModuleError> {
        self.target().observe(&|text| self.edit(text), host)
    }

    fn desired(&self, seen: Option<&TextFile>) -> Option<TextFile> {
        self.target().desired(&|text| self.edit(text), seen)
    }

    fn apply(&self, change: &Change<TextFile>, host: &dyn Operate) -> Result<(), ModuleError> {
        self.target().apply(change, host)
    }

    fn validate(&self) -> Result<(), String> {
        self.target().check()?;
        Pattern::new(&self.regexp, true)?;
        self.section().map(|_| ())
    }

    fn relations(&self) -> Relations {
        self.target().relations()
    }

    fn subject(&self) -> String {
        self.path.display().to_string()
    }
}

impl Replace {
    fn target(&self) -> Target<'_> {
        Target {
            path: &self.path,
            missing: Missing::Fail,
            wanted: Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() },
            backup: self.backup,
            validate: self.validate.as_deref(),
        }
    }

    /// The part of the file that is worked on, as a group of a pattern.
    fn section(&self) -> Result<Option<Pattern>, String> {
        let pattern = match (self.after.as_deref(), self.before.as_deref()) {
            (None, None) => return Ok(None),
            (Some(after), None) => format!("(?s)(?:{after})(?P<subsection>.*)"),
            (None, Some(before)) => format!("(?s)(?P<subsection>.*)(?:{before})"),
            (Some(after), Some(before)) => format!("(?s)(?:{after})(?P<subsection>.*?)(?:{before})"),
        };
        Pattern::new(&pattern, false).map(Some)
    }

    fn edit(&self, text: &str) -> Result<String, String> {
        edit::settled(text, &|text| self.once(text))
    }

    fn once(&self, text: &str) -> Result<String, String> {
        let range = match self.section()? {
            None => 0..text.len(),
            Some(section) => match section.group(text, "subsection")? {
                Some(range) => range,
                None => return Ok(text.to_owned()),
            },
        };
        let pattern = Pattern::new(&self.regexp, true)?;
        let max = usize::try_from(edit::LIMIT).unwrap_or(usize::MAX);
        let (new, _) = pattern.replace(&text[range.clone()], &self.replace, max)?;
        Ok([&text[..range.start], &new, &text[range.end..]].concat())
    }
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        host::fake::Fake,
        kind::shared::twice::{converge, module, refused, text},
    };

    fn edited(content: &str, mut args: Value) -> String {
        let fake = Fake::from_yaml(&json!({"files": {"/f": content}}).to_string()).unwrap();
        args["path"] = "/f".into();
        converge::<Replace>(args, &fake).unwrap();
        text(&fake, "/f")
    }

    #[test]
    fn every_match_is_replaced() {
        assert_eq!(edited("a 1\nb 1\n", json!({"regexp": r"^(\w) 1$", "replace": r"\1=$2"})), "a=$2\nb=$2\n");
        assert_eq!(edited("auth nullok try\n", json!({"regexp": r"\s*nullok"})), "auth try\n");
        assert_eq!(edited("x\n", json!({"regexp": "y", "replace": "z"})), "x\n");
    }

    #[test]
    fn a_part_of_the_file_can_be_chosen() {
        let text = "<a>\nx\n</a>\n<b>\nx\n</b>\n<b>\nx\n</b>\n";
        let within = |extra: Value| {
            let mut args = json!({"regexp": "x", "replace": "y"});
            args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            edited(text, args)
        };
        assert_eq!(within(json!({"after": "<b>", "before": "</b>"})), text.replacen("<b>\nx", "<b>\ny", 1));
        assert_eq!(within(json!({"before": "</a>"})), text.replacen('x', "y", 1));
        assert_eq!(within(json!({"after": "</a>.<b>"})), "<a>\nx\n</a>\n<b>\ny\n</b>\n<b>\ny\n</b>\n");
        assert_eq!(within(json!({"after": "nowhere"})), text);
    }

    #[test]
    fn what_is_left_after_one_pass_is_replaced_too_and_growth_is_not() {
        assert_eq!(edited("a,,,,b\n", json!({"regexp": ",,", "replace": ","})), "a,b\n");
        let grows: Replace = module(json!({"path": "/f", "regexp": "^(.+)$", "replace": r"# \1"}));
        assert_eq!(grows.edit("a\nb\n").unwrap(), "# a\n# b\n");
    }

    #[test]
    fn a_missing_file_and_a_wrong_pattern_are_errors() {
        assert!(converge::<Replace>(json!({"path": "/no", "regexp": "x"}), &Fake::debian()).is_err());
        assert!(refused::<Replace>(json!({"path": "/f", "regexp": "(*x"})).contains("nothing to repeat"));
        assert!(refused::<Replace>(json!({"path": "/f", "regexp": "x", "after": "("})).contains("wrong"));
    }
}
