//! Text that nobody would write, and that must not bring the reader down.

use std::{fs, io, path::Path, sync::Arc};

use proptest::prelude::*;
use rectify_core::{
    compile::{CompileOptions, Job},
    diag::{Diagnostics, SourceMap, render},
    inventory::{self, Inventory},
    plan::Mode,
    playbook::{self, FileInfo, FileKind, Files},
};

use crate::modules;

/// One file, under any name that ends in `.yml`.
struct One(Vec<u8>);

impl Files for One {
    fn info(&self, path: &Path) -> Option<FileInfo> {
        let kind = if path.extension().is_some() { FileKind::File } else { FileKind::Folder };
        Some(FileInfo { kind, mode: 0o644, size: self.0.len() as u64 })
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

fn survives(text: Vec<u8>) {
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let files = Arc::new(One(text));
    let playbook = playbook::load(&["site.yml".into()], files, modules::REGISTRY, Vec::new(), &mut map, &mut found);
    let inventory = inventory();
    let job = Job::new(&playbook, &inventory, CompileOptions::new("r", Mode::Check), &mut found);
    if let Err(problems) = job.compile("localhost") {
        found.extend(problems);
    }
    let _ = job.compile_all().map_err(|problems| found.extend(problems));
    assert!(render(&map, &found, false).len() < 64 << 20);
}

fn inventory() -> Inventory {
    let options = inventory::Options { sources: vec!["localhost,".into()], ..inventory::Options::default() };
    inventory::load(&crate::disk::Disk, &options, &mut SourceMap::new(), &mut Diagnostics::new())
}

fn sources() -> Vec<String> {
    ["broken", "good"]
        .iter()
        .flat_map(|folder| fs::read_dir(Path::new("tests/playbooks").join(folder)).unwrap())
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yml"))
        .map(|p| fs::read_to_string(p).unwrap().replace("hosts: web", "hosts: localhost"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_playbooks_are_reported(
        which in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        noise in prop::sample::select(vec!["", "{{", "}}", "- ", ": ", "&a *a", "!vault x", "\u{0}", "é\n", "needs: [x]\n", "[", "'"]),
    ) {
        let all = sources();
        let (text, more) = (which.get(&all).as_bytes(), other.get(&all).as_bytes());
        let mut out = text[..cut.0.index(text.len() + 1)].to_vec();
        out.extend_from_slice(noise.as_bytes());
        out.extend_from_slice(&more[cut.1.index(more.len() + 1)..]);
        survives(out);
    }
}

#[test]
fn imports_that_double_end() {
    let mut files: Vec<(String, String)> = (0..40)
        .map(|n| (format!("{n}.yml"), format!("- import_tasks: {}.yml\n- import_tasks: {}.yml\n", n + 1, n + 1)))
        .collect();
    files.push(("40.yml".into(), "- debug: msg=x\n".into()));
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let read = crate::support::inline("doubling", "- {hosts: web, tasks: [{import_tasks: 0.yml}]}\n", &files);
    let shown = render(&read.map, &read.found, false);
    assert_eq!(shown.matches("[play-size]").count(), 1, "{shown}");
}

#[test]
fn nesting_is_bounded() {
    let mut text = String::from("- hosts: localhost\n  tasks:\n");
    for depth in 0..300 {
        text.push_str(&format!("{}- block:\n", " ".repeat(4 + 2 * depth)));
    }
    text.push_str(&format!("{}- debug: msg=x\n", " ".repeat(4 + 600)));
    survives(text.into_bytes());
}
