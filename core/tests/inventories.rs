//! Every inventory below `tests/inventories` reads as Ansible reads it, by the recorded output of Ansible's own commands.
//!
//! A case is a directory: `in/` (the inventory; commands run there), `args`, `select` (patterns, `PATTERN | LIMIT`), `hosts`, and
//! `golden/`, which `golden.py` records. What we say about a case is in `golden/problems.txt`; RECTIFY_BLESS=1 writes it anew.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use rectify_core::diag::{Diagnostics, SourceMap, render};
use rectify_core::inventory::{Inventory, Limit, Options, View, load};
use rectify_core::yaml;
use serde_json::Value;

mod disk;
mod support;
use disk::Rooted;

struct Case {
    name: String,
    dir: PathBuf,
    limit: Option<String>,
    inventory: Inventory,
    problems: String,
    failed: bool,
}

impl Case {
    fn open(dir: PathBuf) -> Self {
        let args = fs::read_to_string(dir.join("args")).unwrap();
        let mut words = args.split_whitespace();
        let (mut sources, mut limit) = (vec![], None);
        while let Some(option) = words.next() {
            let value = words.next().unwrap().to_owned();
            match option {
                "-i" => sources.push(value),
                "-l" => limit = Some(value),
                other => panic!("unknown option {other} in {}", dir.display()),
            }
        }
        let root = dir.join("in");
        // Ansible's command takes the current directory for that of the playbooks.
        let options = Options { sources, cwd: root.clone(), playbook_dirs: vec![PathBuf::new()] };
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let inventory = load(&Rooted::new(&root), &options, &mut map, &mut found);
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let (problems, failed) = (render(&map, &found, false), found.has_errors());
        Self { name, dir, limit, inventory, problems, failed }
    }

    fn golden(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.dir.join("golden").join(file)).ok()
    }

    fn limit(&self, text: &str) -> Limit {
        let root = self.dir.join("in");
        Limit::parse(text, |path| fs::read_to_string(root.join(path))).unwrap()
    }

    /// Compares with everything that is recorded; returns what differs.
    fn compare(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |file: &str, ours: Value, theirs: Value| {
            if ours != theirs {
                wrong.push(format!("{}/{file}\n ours   {ours}\n theirs {theirs}", self.name));
            }
        };
        let lost = self.golden("status.txt").expect("golden/status.txt") == "lost\n";
        check("status.txt", self.failed.into(), lost.into());
        check_problems(self, &mut check);
        if lost {
            return wrong;
        }
        let inventory = &self.inventory;
        let only = self.limit.as_ref().map(|l| inventory.select("all", Some(&self.limit(l))).unwrap());
        let view = View { only: only.as_ref(), ..View::default() };
        let json = |file: &str| serde_json::from_str::<Value>(&self.golden(file).expect(file)).expect(file);
        check("list.json", inventory.list(&view), json("list.json"));
        check("export.json", inventory.list(&View { export: true, ..view.clone() }), json("export.json"));
        let tree = inventory.list_tree(&view);
        // Ansible's YAML loses `!unsafe`; ours keeps it, so that what was no template does not become one.
        check("list.yml", without_unsafe(&tree), read_yaml(&self.golden("list.yml").unwrap()));
        check("list.yml as written by us", read_yaml(&yaml::emit(&tree)), tree);
        for (file, vars) in [("graph.txt", false), ("graph-vars.txt", true)] {
            let theirs = self.golden(file).unwrap();
            if theirs != "failed\n" {
                check(file, (inventory.graph("all", vars, &View::default()).unwrap() + "\n").into(), theirs.into());
            }
        }
        for host in lines(&self.dir.join("hosts")) {
            let file = format!("host.{host}.json");
            check(&file, Value::Object(inventory.host_object(&host, &View::default())), json(&file));
        }
        let recorded = self.golden("select.txt").unwrap_or_default();
        assert_eq!(recorded.lines().count(), lines(&self.dir.join("select")).len(), "{}", self.name);
        for line in recorded.lines() {
            let (query, theirs) = line.split_once(" => ").unwrap();
            let (pattern, limit) = query.split_once(" | ").map_or((query, None), |(p, l)| (p, Some(self.limit(l))));
            let ours = inventory.select(pattern, limit.as_ref()).map(|s| s.hosts.join(" ")).unwrap_or_default();
            let theirs = if theirs == "failed" { "" } else { theirs };
            check(&format!("select: {query}"), ours.into(), theirs.into());
        }
        wrong
    }
}

fn check_problems(case: &Case, check: &mut impl FnMut(&str, Value, Value)) {
    let path = case.dir.join("golden/problems.txt");
    if std::env::var_os("RECTIFY_BLESS").is_some() {
        if case.problems.is_empty() {
            fs::remove_file(&path).ok();
        } else {
            fs::write(&path, &case.problems).unwrap();
        }
    }
    check("problems.txt", case.problems.as_str().into(), case.golden("problems.txt").unwrap_or_default().into());
}

fn read_yaml(text: &str) -> Value {
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let file = map.add("yaml", text);
    let parsed = yaml::parse(&map, file, &mut found);
    assert!(!found.has_errors(), "{}\n{text}", render(&map, &found, false));
    parsed.docs.first().map(|d| d.to_json()).unwrap_or(Value::Null)
}

fn without_unsafe(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key(yaml::KEY_UNSAFE) => map[yaml::KEY_UNSAFE].clone(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), without_unsafe(v))).collect(),
        Value::Array(items) => items.iter().map(without_unsafe).collect(),
        other => other.clone(),
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn every_case_reads_as_ansible_recorded_it() {
    let mut wrong = Vec::new();
    let cases = support::cases();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    for dir in cases {
        wrong.extend(Case::open(dir).compare());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
