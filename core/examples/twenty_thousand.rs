//! Measures how long an inventory of twenty thousand hosts takes: cargo run --release -p rectify-core --example twenty_thousand

#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::io;
use std::path::Path;
use std::time::Instant;

use rectify_core::diag::{Diagnostics, SourceMap};
use rectify_core::inventory::{Files, Options, ScriptOutput, View, load};

/// One file, `hosts`.
struct One(String);

impl Files for One {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(vec![])
    }

    fn is_dir(&self, _: &Path) -> bool {
        false
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("hosts") || path == Path::new("hosts.yml")
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn run_script(&self, _: &Path, _: &[&str]) -> io::Result<ScriptOutput> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn main() {
    let mut ini = String::from("[all:vars]\n");
    let mut yaml = String::from("all:\n  children:\n");
    for n in 0..100 {
        ini += &format!("v{n}={n}\n");
    }
    for rack in 0..200 {
        ini += &format!("[rack{rack}]\n");
        yaml += &format!("    rack{rack}:\n      hosts:\n");
        for n in 0..100 {
            let (name, address) = (rack * 100 + n, format!("10.{}.{}.{n}", rack / 100, rack % 100));
            ini += &format!("h{name:05}.example.com ansible_host={address} ansible_user=deploy\n");
            yaml += &format!("        h{name:05}.example.com: {{ansible_host: {address}, ansible_user: deploy}}\n");
        }
    }
    for (name, text) in [("hosts", ini), ("hosts.yml", yaml)] {
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let options = Options { sources: vec![name.to_owned()], ..Options::default() };
        let start = Instant::now();
        let inventory = load(&One(text), &options, &mut map, &mut found);
        let loaded = start.elapsed();
        let start = Instant::now();
        let picked = inventory.select("rack1*:!~h.*[13579]\\.example", None).map(|s| s.hosts.len());
        let selected = start.elapsed();
        let start = Instant::now();
        let size = inventory.list(&View::default()).to_string().len();
        let listed = start.elapsed();
        let problems = found.sorted().len();
        println!(
            "{name}: {} hosts, {problems} problems; load {loaded:?}, select {selected:?} ({picked:?}), list {listed:?} ({size} bytes)",
            inventory.host_count()
        );
    }
}
