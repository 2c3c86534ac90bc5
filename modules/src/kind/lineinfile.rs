//! `lineinfile`: one line in a text file.

use std::path::PathBuf;

use rectify_core::{
    module::{Change, ModuleError, Observe, Operate, Relations, Resource},
    template::Pattern,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::shared::{
    attrs::Wanted,
    edit::{self, Line, Missing, Target, TextFile},
    mode::Mode,
};

/// Makes sure that a line is in a text file, or that no such line is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineInFile {
    /// The file, an absolute path; a link is followed.
    path: PathBuf,
    /// The line. With `state: absent` and no `regexp`: every line that is exactly this goes.
    line: Option<String>,
    /// A Python regular expression: the last line in which it is found is replaced; with `state: absent`, every such line goes.
    regexp: Option<String>,
    /// A text that is looked for in place of `regexp`.
    search_string: Option<String>,
    /// Whether the line is to be there. Default: present.
    #[serde(default)]
    state: Presence,
    /// Whether `\1` and `\g<name>` in `line` stand for the groups of `regexp`. If `regexp` is not found, nothing changes.
    #[serde(default)]
    backrefs: bool,
    /// Where a new line goes: after the last line in which this regular expression is found, at the end (`EOF`) if it is not
    /// found, or at the beginning (`BOF`). Default: EOF.
    insertafter: Option<String>,
    /// Where a new line goes: before the last line in which this regular expression is found, or at the beginning (`BOF`).
    insertbefore: Option<String>,
    /// Whether the first line counts, not the last, for `regexp`, `search_string`, `insertafter` and `insertbefore`.
    #[serde(default)]
    firstmatch: bool,
    /// Whether a missing file is made, with its folders. Default: false, a missing file is an error.
    #[serde(default)]
    create: bool,
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

/// Whether a thing is to be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Presence {
    /// It is to be there.
    #[default]
    Present,
    /// It is to go.
    Absent,
}

impl Resource for LineInFile {
    const KIND: &'static str = "lineinfile";
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("dest", "path"), ("destfile", "path"), ("name", "path"), ("value", "line"), ("regex", "regexp")];
    const EXAMPLE: &'static str = "lineinfile:\n  path: /etc/ssh/sshd_config\n  regexp: '^#?PermitRootLogin'\n  line: PermitRootLogin no\n  validate: sshd -t -f %s\n";
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
        if self.regexp.is_some() && self.search_string.is_some() {
            return Err("give `regexp` or `search_string`, not both".into());
        }
        if self.insertafter.is_some() && self.insertbefore.is_some() {
            return Err("give `insertafter` or `insertbefore`, not both".into());
        }
        if self.backrefs && self.regexp.is_none() {
            return Err("`backrefs` needs `regexp`, whose groups it puts into the line".into());
        }
        let found = self.regexp.is_some() || self.search_string.is_some();
        match self.state {
            Presence::Present if self.line.is_none() => return Err("`line` is missing: the line to put there".into()),
            Presence::Absent if self.line.is_none() && !found => {
                return Err("say which lines are to go: `line`, `regexp` or `search_string`".into());
            }
            _ => {}
        }
        for pattern in [&self.regexp, &self.insertafter, &self.insertbefore].into_iter().flatten() {
            Pattern::new(pattern, false)?;
        }
        Ok(())
    }

    fn relations(&self) -> Relations {
        self.target().relations()
    }

    fn subject(&self) -> String {
        self.path.display().to_string()
    }
}

impl LineInFile {
    fn target(&self) -> Target<'_> {
        Target {
            path: &self.path,
            missing: match (self.state, self.create) {
                (Presence::Absent, _) => Missing::Leave,
                (Presence::Present, true) => Missing::Create,
                (Presence::Present, false) => Missing::Fail,
            },
            wanted: Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() },
            backup: self.backup,
            validate: self.validate.as_deref(),
        }
    }

    /// The text with the line in it, or without.
    fn edit(&self, text: &str) -> Result<String, String> {
        if self.state == Presence::Absent {
            return self.without(text);
        }
        if !self.backrefs {
            return self.with(text);
        }
        // A replacement in which the pattern is not found any more leaves the line above it to be the last match: what is
        // wanted is that none is left.
        edit::settled(text, &|text| self.with(text))
    }

    fn without(&self, text: &str) -> Result<String, String> {
        let finder = self.finder()?;
        let mut kept = Vec::new();
        for line in edit::lines(text) {
            let goes = match &finder {
                Some(finder) => finder.finds(line)?,
                None => Some(line.text) == self.line.as_deref(),
            };
            if !goes {
                kept.push(line);
            }
        }
        Ok(edit::join(&kept))
    }

    fn with(&self, text: &str) -> Result<String, String> {
        let given = self.line.as_deref().unwrap_or_default();
        let given = given.strip_suffix('\n').unwrap_or(given);
        let mut lines = edit::lines(text);
        let end = edit::line_end(&lines);
        let finder = self.finder()?;
        let matched = match &finder {
            Some(finder) => self.find(&lines, finder)?,
            None => None,
        };
        let at = |lines: &[Line<'_>], index: usize, new: &str| {
            new.split('\n').enumerate().all(|(i, part)| lines.get(index + i).is_some_and(|l| l.text == part))
        };
        let present = |lines: &[Line<'_>]| (0..lines.len()).any(|index| at(lines, index, given));
        let expanded;
        if let Some(index) = matched {
            let mut new = given;
            if self.backrefs
                && let Some(Finder::Pattern(pattern)) = &finder
            {
                expanded = pattern.expand(&subject(lines[index]), given)?.unwrap_or_default();
                new = expanded.strip_suffix('\n').unwrap_or(&expanded);
            } else if let Some(finder) = &finder
                && present(&lines)
                && !finder.finds(Line { text: given, end: "\n" })?
            {
                // The line stands there already, and is none of those that are looked for.
                return Ok(text.to_owned());
            }
            if at(&lines, index, new) {
                return Ok(text.to_owned());
            }
            lines[index].text = new;
            return Ok(edit::join(&lines));
        }
        if self.backrefs || present(&lines) {
            return Ok(text.to_owned());
        }
        let place = self.place(&lines)?;
        if place == lines.len()
            && let Some(last) = lines.last_mut().filter(|l| l.end.is_empty())
        {
            last.end = end;
        }
        lines.insert(place, Line { text: given, end });
        Ok(edit::join(&lines))
    }

    /// Where a new line goes.
    fn place(&self, lines: &[Line<'_>]) -> Result<usize, String> {
        let (pattern, step) = match (self.insertafter.as_deref(), self.insertbefore.as_deref()) {
            (Some("BOF"), _) | (_, Some("BOF")) => return Ok(0),
            (Some("EOF") | None, None) | (_, Some("EOF")) => return Ok(lines.len()),
            (Some(pattern), _) => (pattern, 1),
            (None, Some(pattern)) => (pattern, 0),
        };
        let finder = Finder::Pattern(Pattern::new(pattern, false)?);
        Ok(self.find(lines, &finder)?.map_or(lines.len(), |index| index + step))
    }

    fn find(&self, lines: &[Line<'_>], finder: &Finder<'_>) -> Result<Option<usize>, String> {
        let mut found = None;
        for (index, line) in lines.iter().enumerate() {
            if finder.finds(*line)? {
                found = Some(index);
                if self.firstmatch {
                    break;
                }
            }
        }
        Ok(found)
    }

    fn finder(&self) -> Result<Option<Finder<'_>>, String> {
        Ok(match (&self.regexp, &self.search_string) {
            (Some(regexp), _) => Some(Finder::Pattern(Pattern::new(regexp, false)?)),
            (None, Some(text)) => Some(Finder::Text(text)),
            (None, None) => None,
        })
    }
}

/// How a line is recognised.
enum Finder<'a> {
    Pattern(Pattern),
    Text(&'a str),
}

impl Finder<'_> {
    fn finds(&self, line: Line<'_>) -> Result<bool, String> {
        match self {
            Finder::Pattern(pattern) => pattern.is_in(&subject(line)),
            Finder::Text(text) => Ok(line.text.contains(text)),
        }
    }
}

/// A line as patterns see it: with its end, whatever that is in the file.
fn subject(line: Line<'_>) -> String {
    let end = if line.end.is_empty() { "" } else { "\n" };
    format!("{}{end}", line.text)
}

#[cfg(all(test, feature = "fake"))]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        host::fake::Fake,
        kind::shared::twice::{converge, refused, text},
    };

    fn edited(content: &str, mut args: Value) -> String {
        let files = serde_json::to_string(&json!({"files": {"/f": content}})).unwrap();
        let fake = Fake::from_yaml(&files).unwrap();
        args["path"] = "/f".into();
        let changed = converge::<LineInFile>(args, &fake).unwrap();
        let now = text(&fake, "/f");
        assert_eq!(changed, now != content);
        now
    }

    #[test]
    fn a_match_is_replaced_the_last_one_unless_asked_otherwise() {
        let args = json!({"regexp": "^#?Port", "line": "Port 2222"});
        assert_eq!(edited("a\n#Port 22\nb\n", args.clone()), "a\nPort 2222\nb\n");
        assert_eq!(edited("Port 1\nPort 2\n", args), "Port 1\nPort 2222\n");
        let first = json!({"regexp": "^Port", "line": "Port 3", "firstmatch": true});
        assert_eq!(edited("Port 1\nPort 2\n", first), "Port 3\nPort 2\n");
        let plain = json!({"search_string": "a.b", "line": "x"});
        assert_eq!(edited("acb\na.b\n", plain), "acb\nx\n");
    }

    #[test]
    fn a_line_that_is_there_is_left_alone() {
        assert_eq!(edited("x\nPort 22", json!({"line": "Port 22"})), "x\nPort 22");
        assert_eq!(edited("on\n#old\n#old\n", json!({"regexp": "^#old", "line": "on"})), "on\n#old\n#old\n");
        assert_eq!(edited("a\r\nb\r\n", json!({"line": "b"})), "a\r\nb\r\n");
    }

    #[test]
    fn a_new_line_goes_where_it_is_asked_to_and_else_to_the_end() {
        let put = |extra: Value| {
            let mut args = json!({"line": "new", "regexp": "^absent"});
            args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            edited("one\ntwo\none", args)
        };
        assert_eq!(put(json!({})), "one\ntwo\none\nnew\n");
        assert_eq!(put(json!({"insertafter": "EOF"})), "one\ntwo\none\nnew\n");
        assert_eq!(put(json!({"insertafter": "^one$"})), "one\ntwo\none\nnew\n");
        assert_eq!(put(json!({"insertafter": "^one$", "firstmatch": true})), "one\nnew\ntwo\none");
        assert_eq!(put(json!({"insertbefore": "^one$"})), "one\ntwo\nnew\none");
        assert_eq!(put(json!({"insertbefore": "BOF"})), "new\none\ntwo\none");
        assert_eq!(put(json!({"insertbefore": "^nowhere"})), "one\ntwo\none\nnew\n");
    }

    #[test]
    fn line_ends_and_bytes_of_other_lines_are_kept() {
        assert_eq!(edited("a\r\nb\r\n", json!({"regexp": "^b$", "line": "c"})), "a\r\nc\r\n");
        assert_eq!(edited("a\r\n", json!({"line": "b"})), "a\r\nb\r\n");
        let fake = Fake::from_yaml("files: {/f: {base64: 4QphCg==}}").unwrap();
        converge::<LineInFile>(json!({"path": "/f", "regexp": "^a", "line": "b"}), &fake).unwrap();
        assert_eq!(&*fake.read("/f".as_ref(), 9).unwrap().unwrap(), b"\xe1\nb\n");
    }

    #[test]
    fn groups_are_put_into_the_line() {
        let args =
            json!({"regexp": "^(GRUB=\")((?:(?!audit=1).)*)(\")$", "line": r"\1\g<2> audit=1\3", "backrefs": true});
        assert_eq!(edited("GRUB=\"quiet $x\"\n", args.clone()), "GRUB=\"quiet $x audit=1\"\n");
        assert_eq!(edited("OTHER=1\n", args), "OTHER=1\n", "without a match nothing is done");
        let all = json!({"regexp": "^#(\\w.*)", "line": r"\1", "backrefs": true});
        assert_eq!(edited("#a\n#b\n", all), "a\nb\n");
        assert_eq!(edited("a\n", json!({"regexp": "a", "line": r"costs $1 \1"})), "costs $1 \\1\n");
    }

    #[test]
    fn a_line_that_grows_each_time_is_changed_once() {
        let module: LineInFile = crate::kind::shared::twice::module(
            json!({"path": "/f", "regexp": "^(x.*)", "line": r"\1y", "backrefs": true}),
        );
        assert_eq!(module.edit("x\n").unwrap(), "xy\n");
    }

    #[test]
    fn lines_go() {
        assert_eq!(edited("a\nb\na\n", json!({"line": "a", "state": "absent"})), "b\n");
        assert_eq!(edited("a1\nb\na2\n", json!({"regexp": "^a", "state": "absent"})), "b\n");
        let fake = Fake::debian();
        assert!(!converge::<LineInFile>(json!({"path": "/no", "line": "a", "state": "absent"}), &fake).unwrap());
    }

    #[test]
    fn a_missing_file_is_an_error_unless_it_is_to_be_made() {
        let fake = Fake::debian();
        let error = converge::<LineInFile>(json!({"path": "/etc/new/x", "line": "a"}), &fake).unwrap_err();
        assert!(error.to_string().contains("create: true"), "{error}");
        let args = json!({"path": "/etc/new/x", "line": "a", "create": true, "mode": "0600", "owner": "deploy"});
        assert!(converge::<LineInFile>(args, &fake).unwrap());
        let meta = fake.stat("/etc/new/x".as_ref()).unwrap().unwrap();
        assert_eq!((text(&fake, "/etc/new/x").as_str(), meta.mode, meta.uid), ("a\n", 0o600, 1000));
    }

    #[test]
    fn attributes_stay_unless_asked_for_and_links_are_followed() {
        let fake = Fake::from_yaml(
            "{base: debian, files: {/etc/x: {content: 'a', mode: '0640', group: adm}, /etc/l: {link: x}}}",
        )
        .unwrap();
        converge::<LineInFile>(json!({"dest": "/etc/l", "line": "b", "backup": true}), &fake).unwrap();
        let meta = fake.lstat("/etc/x".as_ref()).unwrap().unwrap();
        assert_eq!((text(&fake, "/etc/x").as_str(), meta.mode, meta.gid), ("a\nb\n", 0o640, 4));
        assert_eq!(text(&fake, "/etc/l.2020-09-13@12:26:40~"), "a");
        assert!(
            converge::<LineInFile>(json!({"path": "/etc/x", "line": "b", "owner": "0", "mode": "u=rw,g=,o="}), &fake)
                .unwrap()
        );
        assert_eq!(fake.stat("/etc/x".as_ref()).unwrap().unwrap().mode, 0o600);
    }

    #[test]
    fn what_cannot_be_edited_is_said() {
        let fake = Fake::from_yaml("files: {/d: {dir: true}, /b: {base64: AAEC}, /l: {link: gone}}").unwrap();
        for (path, word) in [("/d", "folder"), ("/b", "binary"), ("/l", "nowhere")] {
            let error = converge::<LineInFile>(json!({"path": path, "line": "a", "create": true}), &fake).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_validator_that_refuses_keeps_the_old_content() {
        let fake = Fake::from_yaml(
            "{files: {/etc/s: \"a\\n\"}, commands: [{argv: [check, /etc/.s.rectify-candidate], code: 1, stderr: 'line 2: bad'}]}",
        )
        .unwrap();
        let module: LineInFile =
            crate::kind::shared::twice::module(json!({"path": "/etc/s", "line": "b", "validate": "check %s"}));
        let before = module.observe(&fake).unwrap();
        let after = module.desired(before.as_ref());
        let error = module.apply(&Change { before, after }, &fake).unwrap_err();
        assert!(error.to_string().contains("line 2: bad"), "{error}");
        assert_eq!(text(&fake, "/etc/s"), "a\n");
        assert_eq!(fake.lstat("/etc/.s.rectify-candidate".as_ref()).unwrap(), None);
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        for (args, word) in [
            (json!({"path": "/f"}), "`line`"),
            (json!({"path": "f", "line": "a"}), "absolute"),
            (json!({"path": "/f", "line": "a", "regexp": "(*a"}), "nothing to repeat"),
            (json!({"path": "/f", "line": "a", "backrefs": true}), "regexp"),
            (json!({"path": "/f", "line": "a", "insertafter": "x", "insertbefore": "y"}), "not both"),
            (json!({"path": "/f", "line": "a", "validate": "true"}), "%s"),
            (json!({"path": "/f", "state": "absent"}), "which lines"),
            (json!({"path": "/f", "line": "a", "lin": 1}), "lin"),
        ] {
            let said = refused::<LineInFile>(args);
            assert!(said.contains(word), "{said}");
        }
    }
}
