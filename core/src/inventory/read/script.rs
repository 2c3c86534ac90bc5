//! Executable inventories: what `--list` and `--host` print.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Step, Steps, Words};
use crate::diag::{Diagnostic, SourceMap, Span};
use crate::inventory::Files;

/// How much a script may print, in bytes.
const MAX_OUTPUT: usize = 256 << 20;

/// Runs the script and reads what it prints.
pub(crate) fn read(files: &dyn Files, path: &Path, map: &mut SourceMap, words: &mut Words) -> Steps {
    let mut out = Steps::default();
    let Some((list, at)) = call(files, path, &["--list"], map, &mut out) else { return out };
    let mut reader = Reader { out, words, at, hosts: vec![] };
    let meta = list.get("_meta");
    let hostvars = meta.and_then(|m| m.get("hostvars"));
    if meta.is_some() && !hostvars.is_some_and(Value::is_object) {
        reader.fail("`_meta.hostvars` must be an object");
    }
    for (group, data) in list.iter().filter(|(name, _)| *name != "_meta") {
        reader.group(group, data);
    }
    let Reader { mut out, hosts, .. } = reader;
    for host in hosts {
        let (vars, at) = match hostvars {
            Some(all) => (all.get(&*host).and_then(Value::as_object).cloned(), at),
            None => match call(files, path, &["--host", &host], map, &mut out) {
                Some((vars, at)) => (Some(vars), at),
                None => continue,
            },
        };
        for (key, value) in vars.unwrap_or_default() {
            let key = words.get(&key);
            out.push(Step::Var { of: host.clone(), key, value: Arc::new(value), at });
        }
    }
    out
}

struct Reader<'a> {
    out: Steps,
    words: &'a mut Words,
    at: Span,
    hosts: Vec<Arc<str>>,
}

impl Reader<'_> {
    fn fail(&mut self, text: impl Into<String>) {
        self.out.problem(Diagnostic::error("inventory-script", text).at(self.at, ""));
    }

    fn group(&mut self, name: &str, data: &Value) {
        if name.is_empty() {
            return self.fail("the name of a group is empty");
        }
        let at = self.at;
        let group = self.words.get(name);
        self.out.push(Step::Group { name: group.clone(), at });
        let parts = ["hosts", "vars", "children"];
        let own;
        // The short forms: a list of hosts, or the variables of a host that is named like its group.
        let data = match data {
            Value::Object(map) if parts.iter().any(|p| map.contains_key(*p)) => map,
            Value::Object(_) => {
                own =
                    Map::from_iter([("hosts".to_owned(), Value::from(vec![name])), ("vars".to_owned(), data.clone())]);
                &own
            }
            _ => {
                own = Map::from_iter([("hosts".to_owned(), data.clone())]);
                &own
            }
        };
        match data.get("hosts") {
            Some(Value::Array(hosts)) => hosts.iter().for_each(|h| self.host(&group, h)),
            Some(_) => self.fail(format!("`hosts` of the group `{name}` must be a list")),
            None => {}
        }
        match data.get("vars") {
            Some(Value::Object(vars)) => {
                for (key, value) in vars {
                    let key = self.words.get(key);
                    self.out.push(Step::Var { of: group.clone(), key, value: Arc::new(value.clone()), at });
                }
            }
            Some(_) => self.fail(format!("`vars` of the group `{name}` must be an object")),
            None => {}
        }
        for child in data.get("children").and_then(Value::as_array).into_iter().flatten() {
            match child.as_str().filter(|c| !c.is_empty()) {
                Some(child) => {
                    let child = self.words.get(child);
                    self.out.push(Step::Group { name: child.clone(), at });
                    self.out.push(Step::Child { group: group.clone(), child, at });
                }
                None => self.fail(format!("`children` of the group `{name}` must be a list of names")),
            }
        }
    }

    fn host(&mut self, group: &Arc<str>, name: &Value) {
        let Some(name) = name.as_str().filter(|n| !n.is_empty()) else {
            return self.fail(format!("`hosts` of the group `{group}` must be a list of names"));
        };
        let name = self.words.get(name);
        self.hosts.push(name.clone());
        self.out.push(Step::Host { name, group: Some(group.clone()), port: None, at: self.at });
    }
}

/// Runs the script once and reads its JSON object, which becomes a text that spans can point into.
fn call(
    files: &dyn Files,
    path: &Path,
    args: &[&str],
    map: &mut SourceMap,
    out: &mut Steps,
) -> Option<(Map<String, Value>, Span)> {
    let command = format!("{} {}", path.display(), args.join(" "));
    let mut fail = |text: String, stderr: &[u8]| {
        let mut problem = Diagnostic::error("inventory-script", text);
        let stderr = String::from_utf8_lossy(stderr);
        if !stderr.trim().is_empty() {
            problem = problem.note(format!("it printed: {}", stderr.trim()));
        }
        out.problem(problem);
    };
    let result = match files.run_script(path, args) {
        Ok(result) => result,
        Err(error) => {
            fail(format!("cannot run the inventory script `{command}`: {error}"), b"");
            return None;
        }
    };
    match result.status {
        Some(0) => {}
        Some(status) => {
            fail(format!("the inventory script `{command}` failed with status {status}"), &result.stderr);
            return None;
        }
        None => {
            fail(format!("the inventory script `{command}` was ended by a signal"), &result.stderr);
            return None;
        }
    }
    if result.stdout.len() > MAX_OUTPUT {
        fail(format!("the inventory script `{command}` printed more than {} MiB", MAX_OUTPUT >> 20), b"");
        return None;
    }
    let file = match map.add_bytes(format!("output of {command}"), result.stdout) {
        Ok(file) => file,
        Err(problem) => {
            out.problem(*problem);
            return None;
        }
    };
    let at = Span::new(file, 0, 0);
    let text = map.text(file);
    if args[0] == "--host" && text.trim().is_empty() {
        return Some((Map::new(), at));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some((object, at)),
        Ok(_) => {
            out.problem(Diagnostic::error("inventory-script", "the script must print a JSON object").at(at, ""));
            None
        }
        Err(error) => {
            let line = map.line_span(file, error.line());
            let from = (line.start as usize + error.column().saturating_sub(1)).min(line.end as usize);
            let span = Span::new(file, from, from);
            out.problem(
                Diagnostic::error("inventory-script", format!("the script printed no JSON: {error}")).at(span, ""),
            );
            None
        }
    }
}
