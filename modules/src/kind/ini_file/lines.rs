//! The lines of an INI file.

use super::{IniFile, Presence};
use crate::kind::shared::edit::{self, Line};

/// A line that is about an option.
struct Setting<'t> {
    value: Option<&'t str>,
    /// Whether it is commented out.
    inactive: bool,
}

/// A line of the new file.
enum Out<'t> {
    Kept(Line<'t>),
    Made(String),
}

/// The line as a setting of this option, if it is one.
fn setting<'t>(line: &'t str, option: &str) -> Option<Setting<'t>> {
    let text = line.trim_start();
    let bare = text.strip_prefix(['#', ';']);
    let body = bare.unwrap_or(text).trim_start();
    let (key, value) = match body.split_once('=') {
        Some((key, value)) => (key, Some(value.trim())),
        None => (body, None),
    };
    (key.trim_end() == option).then_some(Setting { value, inactive: bare.is_some() })
}

fn header(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.split_once(']').map(|(name, _)| name.trim())
}

fn blank_or_comment(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with(['#', ';'])
}

impl IniFile {
    /// The text as it is to be.
    pub(super) fn edit(&self, text: &str) -> String {
        let lines = edit::lines(text);
        let end = edit::line_end(&lines);
        let start = match self.section() {
            None => Some(0),
            Some(section) => lines.iter().position(|l| header(l.text) == Some(section)),
        };
        let Some(start) = start else { return self.with_section(text, &lines, end) };
        let body = if self.section().is_some() { start + 1 } else { 0 };
        let length = lines[body..].iter().position(|l| header(l.text).is_some());
        let stop = length.map_or(lines.len(), |n| body + n);
        let (before, inside, after) = (&lines[..body], &lines[body..stop], &lines[stop..]);
        let (before, inside) = match (&self.option, self.state) {
            (None, Presence::Present) => return text.to_owned(),
            (None, Presence::Absent) => (&lines[..start], Vec::new()),
            (Some(option), Presence::Absent) => (before, self.without(option, inside)),
            (Some(option), Presence::Present) => (before, self.with(option, inside)),
        };
        let kept = |lines: &'_ [Line<'_>]| edit::join(lines);
        let mut out = kept(before);
        for line in &inside {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push_str(end);
            }
            match line {
                Out::Kept(line) => out.extend([line.text, line.end]),
                Out::Made(text) => out.extend([text.as_str(), end]),
            }
        }
        out.push_str(&kept(after));
        out
    }

    /// A section that is not there yet, at the end.
    fn with_section(&self, text: &str, lines: &[Line<'_>], end: &str) -> String {
        if self.state == Presence::Absent {
            return text.to_owned();
        }
        let mut out = text.to_owned();
        if lines.last().is_some_and(|l| l.end.is_empty()) {
            out.push_str(end);
        }
        out.extend(["[", self.section().unwrap_or_default(), "]", end]);
        for line in self.option.iter().flat_map(|option| self.wanted(option)) {
            out.extend([line.1.as_str(), end]);
        }
        out
    }

    /// The values that are to be there, each with its line.
    fn wanted(&self, option: &str) -> Vec<(Option<&str>, String)> {
        let sign = if self.no_extra_spaces { "=" } else { " = " };
        let values = self.values();
        if values.is_empty() && self.allow_no_value {
            return vec![(None, option.to_owned())];
        }
        let mut wanted: Vec<(Option<&str>, String)> = Vec::new();
        for value in values {
            if !wanted.iter().any(|(known, _)| *known == Some(value)) {
                wanted.push((Some(value), format!("{option}{sign}{value}").trim_end().to_owned()));
            }
        }
        wanted
    }

    fn without<'t>(&self, option: &str, inside: &[Line<'t>]) -> Vec<Out<'t>> {
        let values = self.values();
        let goes = |line: &Line<'_>| {
            setting(line.text, option).is_some_and(|s| {
                let any = self.exclusive.unwrap_or(true) || values.is_empty();
                !s.inactive && (any || s.value.is_some_and(|v| values.contains(&v)))
            })
        };
        inside.iter().filter(|l| !goes(l)).map(|l| Out::Kept(*l)).collect()
    }

    fn with<'t>(&self, option: &str, inside: &[Line<'t>]) -> Vec<Out<'t>> {
        let mut missing = self.wanted(option);
        let mut out: Vec<Option<Out<'t>>> = inside.iter().map(|l| Some(Out::Kept(*l))).collect();
        let found: Vec<Option<Setting<'t>>> = inside.iter().map(|l| setting(l.text, option)).collect();
        let mut spare = Vec::new();
        let mut last = None;
        // What has a wanted value stays, in its own spelling or ours.
        for (index, setting) in found.iter().enumerate() {
            let Some(setting) = setting.as_ref().filter(|s| !s.inactive) else { continue };
            match missing.iter().position(|(value, _)| *value == setting.value) {
                Some(at) => {
                    let (_, line) = missing.remove(at);
                    if inside[index].text != line && !self.ignore_spaces {
                        out[index] = Some(Out::Made(line));
                    }
                    last = Some(index);
                }
                None => spare.push(index),
            }
        }
        let exclusive = self.exclusive.unwrap_or(true);
        let mut missing = missing.into_iter().map(|(_, line)| line);
        for index in spare {
            match exclusive.then(|| missing.next()).flatten() {
                Some(line) => {
                    out[index] = Some(Out::Made(line));
                    last = Some(index);
                }
                None if exclusive => out[index] = None,
                None => last = Some(index),
            }
        }
        if self.modify_inactive_option.unwrap_or(true) {
            for (index, setting) in found.iter().enumerate() {
                if setting.as_ref().is_some_and(|s| s.inactive)
                    && let Some(line) = missing.next()
                {
                    out[index] = Some(Out::Made(line));
                    last = Some(index);
                }
            }
        }
        let place = last.or_else(|| inside.iter().rposition(|l| !blank_or_comment(l.text))).map_or(0, |i| i + 1);
        let tail = out.split_off(place);
        let made = missing.map(Out::Made);
        out.into_iter().flatten().chain(made).chain(tail.into_iter().flatten()).collect()
    }
}
