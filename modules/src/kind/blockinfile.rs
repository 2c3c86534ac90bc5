//! `blockinfile`: lines in a text file, between two markers.

use std::path::PathBuf;

use rectify_core::{
    module::{Change, ModuleError, Observe, Operate, Relations, Resource},
    template::Pattern,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    lineinfile::Presence,
    shared::{
        attrs::Wanted,
        edit::{self, Line, Missing, Target, TextFile},
        mode::Mode,
    },
};

/// Makes sure that a block of lines is in a text file, between two marker lines by which it is found again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockInFile {
    /// The file, an absolute path; a link is followed.
    path: PathBuf,
    /// The lines between the markers. An empty block takes the markers away too.
    #[serde(default)]
    block: String,
    /// Whether the block is to be there. Default: present.
    #[serde(default)]
    state: Presence,
    /// The marker lines, with `{mark}` where they differ. Default: `# {mark} ANSIBLE MANAGED BLOCK`.
    marker: Option<String>,
    /// What `{mark}` is in the first marker. Default: BEGIN.
    marker_begin: Option<String>,
    /// What `{mark}` is in the last marker. Default: END.
    marker_end: Option<String>,
    /// Where a new block goes: after the last line in which this Python regular expression is found, at the end (`EOF`) if it
    /// is not found. Default: EOF.
    insertafter: Option<String>,
    /// Where a new block goes: before the last line in which this regular expression is found, or at the beginning (`BOF`).
    insertbefore: Option<String>,
    /// Whether there is an empty line after the block, if lines follow it.
    #[serde(default)]
    append_newline: bool,
    /// Whether there is an empty line before the block, if lines come before it.
    #[serde(default)]
    prepend_newline: bool,
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

impl Resource for BlockInFile {
    const KIND: &'static str = "blockinfile";
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("dest", "path"), ("destfile", "path"), ("name", "path"), ("content", "block")];
    const EXAMPLE: &'static str =
        "blockinfile:\n  path: /etc/hosts\n  block: |\n    192.0.2.10 db1\n    192.0.2.11 db2\n";
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
        if self.insertafter.is_some() && self.insertbefore.is_some() {
            return Err("give `insertafter` or `insertbefore`, not both".into());
        }
        let (first, last) = self.markers();
        if first == last {
            return Err("marker: the two marker lines are the same; put `{mark}` where they differ".into());
        }
        if first.contains('\n') || last.contains('\n') {
            return Err("marker: a marker is one line".into());
        }
        if self.block.lines().any(|l| l == first || l == last) {
            return Err("block: one of its lines is a marker".into());
        }
        for pattern in [&self.insertafter, &self.insertbefore].into_iter().flatten() {
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

impl BlockInFile {
    fn target(&self) -> Target<'_> {
        Target {
            path: &self.path,
            missing: match (self.wanted(), self.create) {
                (false, _) => Missing::Leave,
                (true, true) => Missing::Create,
                (true, false) => Missing::Fail,
            },
            wanted: Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() },
            backup: self.backup,
            validate: self.validate.as_deref(),
        }
    }

    fn wanted(&self) -> bool {
        self.state == Presence::Present && !self.block.is_empty()
    }

    fn markers(&self) -> (String, String) {
        let marker = self.marker.as_deref().unwrap_or("# {mark} ANSIBLE MANAGED BLOCK");
        let with = |mark: &Option<String>, usual: &str| marker.replace("{mark}", mark.as_deref().unwrap_or(usual));
        (with(&self.marker_begin, "BEGIN"), with(&self.marker_end, "END"))
    }

    fn edit(&self, text: &str) -> Result<String, String> {
        let (first, last) = self.markers();
        let mut lines = edit::lines(text);
        let end = edit::line_end(&lines);
        let find = |lines: &[Line<'_>], marker: &str| lines.iter().rposition(|l| l.text == marker);
        let place = match (find(&lines, &first), find(&lines, &last)) {
            (Some(a), Some(b)) => {
                lines.drain(a.min(b)..=a.max(b));
                a.min(b)
            }
            _ if !self.wanted() => return Ok(text.to_owned()),
            _ => self.place(&lines)?,
        };
        if !self.wanted() {
            return Ok(edit::join(&lines));
        }
        let mut block: Vec<Line<'_>> = vec![Line { text: &first, end }];
        block.extend(self.block.lines().map(|text| Line { text, end }));
        block.push(Line { text: &last, end });
        let empty = Line { text: "", end };
        if place > 0 {
            let before = &mut lines[place - 1];
            if before.end.is_empty() {
                before.end = end;
            }
            if self.prepend_newline && !before.text.is_empty() {
                block.insert(0, empty);
            }
        }
        if self.append_newline && lines.get(place).is_some_and(|l| !l.text.is_empty()) {
            block.push(empty);
        }
        lines.splice(place..place, block);
        Ok(edit::join(&lines))
    }

    fn place(&self, lines: &[Line<'_>]) -> Result<usize, String> {
        let (pattern, step) = match (self.insertafter.as_deref(), self.insertbefore.as_deref()) {
            (_, Some("BOF")) | (Some("BOF"), _) => return Ok(0),
            (Some("EOF") | None, None) | (_, Some("EOF")) => return Ok(lines.len()),
            (Some(pattern), _) => (pattern, 1),
            (None, Some(pattern)) => (pattern, 0),
        };
        let pattern = Pattern::new(pattern, false)?;
        for (index, line) in lines.iter().enumerate().rev() {
            if pattern.is_in(line.text)? {
                return Ok(index + step);
            }
        }
        Ok(lines.len())
    }
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
        let fake = Fake::from_yaml(&json!({"files": {"/f": content}}).to_string()).unwrap();
        args["path"] = "/f".into();
        converge::<BlockInFile>(args, &fake).unwrap();
        text(&fake, "/f")
    }

    const BLOCK: &str = "# BEGIN ANSIBLE MANAGED BLOCK\nx\ny\n# END ANSIBLE MANAGED BLOCK\n";

    #[test]
    fn a_block_is_added_replaced_and_taken_away() {
        assert_eq!(edited("a", json!({"block": "x\ny\n"})), format!("a\n{BLOCK}"));
        let old = "a\n# BEGIN ANSIBLE MANAGED BLOCK\nold\n# END ANSIBLE MANAGED BLOCK\nb";
        assert_eq!(edited(old, json!({"block": "x\ny"})), format!("a\n{BLOCK}b"));
        assert_eq!(edited(old, json!({"block": "x", "state": "absent"})), "a\nb");
        assert_eq!(edited(old, json!({"block": ""})), "a\nb");
        assert_eq!(edited("a\r\n", json!({"block": "x", "marker": "{mark}"})), "a\r\nBEGIN\r\nx\r\nEND\r\n");
    }

    #[test]
    fn a_new_block_goes_where_it_is_asked_to() {
        let mark = |extra: Value| {
            let mut args = json!({"block": "x", "marker": "#{mark}", "marker_begin": "<", "marker_end": ">"});
            args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            edited("a\nb\na\n", args)
        };
        assert_eq!(mark(json!({"insertafter": "^b"})), "a\nb\n#<\nx\n#>\na\n");
        assert_eq!(mark(json!({"insertbefore": "^a"})), "a\nb\n#<\nx\n#>\na\n");
        assert_eq!(mark(json!({"insertbefore": "BOF"})), "#<\nx\n#>\na\nb\na\n");
        assert_eq!(mark(json!({"insertafter": "none"})), "a\nb\na\n#<\nx\n#>\n");
        let spaced = json!({"insertafter": "^b", "append_newline": true, "prepend_newline": true});
        assert_eq!(mark(spaced), "a\nb\n\n#<\nx\n#>\n\na\n");
    }

    #[test]
    fn files_are_made_when_asked_for() {
        let fake = Fake::debian();
        assert!(converge::<BlockInFile>(json!({"path": "/etc/n", "block": "x"}), &fake).is_err());
        assert!(converge::<BlockInFile>(json!({"path": "/etc/n", "block": "x", "create": true}), &fake).unwrap());
        assert!(!converge::<BlockInFile>(json!({"path": "/etc/m", "state": "absent"}), &fake).unwrap());
    }

    #[test]
    fn markers_must_differ() {
        assert!(refused::<BlockInFile>(json!({"path": "/f", "block": "x", "marker": "# mine"})).contains("{mark}"));
    }
}
