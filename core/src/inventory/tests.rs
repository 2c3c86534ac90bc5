use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::diag::{Diagnostics, SourceMap, render};
use crate::vault::{Keyring, Password};

/// Files from a table; counts how often it is asked.
#[derive(Default)]
struct Table {
    files: BTreeMap<PathBuf, String>,
    asked: AtomicUsize,
    keyring: Keyring,
}

impl Table {
    fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(p, t)| (PathBuf::from(p), (*t).to_owned())).collect();
        Self { files, asked: AtomicUsize::new(0), keyring: Keyring::new(vec![password()]) }
    }

    fn count(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

impl Files for Table {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.count();
        let text = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.count();
        let names =
            self.files.keys().filter_map(|p| p.strip_prefix(dir).ok()?.iter().next()?.to_str().map(String::from));
        Ok(names.collect())
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.count();
        !self.files.contains_key(path) && self.files.keys().any(|p| p.starts_with(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.count();
        self.files.keys().any(|p| p.starts_with(path))
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn run_script(&self, _: &Path, _: &[&str]) -> io::Result<ScriptOutput> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

struct Loaded {
    inventory: Inventory,
    map: SourceMap,
    found: Diagnostics,
}

fn read_with(files: &Table, sources: &[&str], playbooks: &[&str]) -> Loaded {
    let options = Options {
        sources: sources.iter().map(|s| (*s).to_owned()).collect(),
        playbook_dirs: playbooks.iter().map(PathBuf::from).collect(),
        cwd: "/srv".into(),
    };
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let inventory = load(files, &options, &mut map, &mut found);
    Loaded { inventory, map, found }
}

fn read(files: &[(&str, &str)], sources: &[&str], playbooks: &[&str]) -> Loaded {
    read_with(&Table::new(files), sources, playbooks)
}

#[test]
fn playbooks_count_more_than_sources_and_every_value_knows_its_place() {
    let it = read(
        &[
            ("inv/hosts", "[web]\nw1 v=host\n[all:vars]\nv=all\n[web:vars]\nv=web\n"),
            ("inv/group_vars/all.yml", "v: gv-all\n"),
            ("inv/group_vars/web.yml", "v: gv-web\n"),
            ("inv/host_vars/w1.yml", "a: 1\nv: hv\n"),
            ("play/group_vars/all.yml", "v: pb-all\np: 1\n"),
            ("play/group_vars/web.yml", "v: pb-web\n"),
            ("play/host_vars/w1.yml", "v: pb-host\n"),
        ],
        &["inv/hosts"],
        &["play"],
    );
    assert!(it.found.is_empty());
    let places: Vec<_> = it.inventory.history("w1", "v").iter().map(|v| it.map.location(v.at).to_string()).collect();
    assert_eq!(
        places,
        [
            "inv/hosts:4:1",
            "inv/hosts:6:1",
            "inv/group_vars/all.yml:1:1",
            "play/group_vars/all.yml:1:1",
            "inv/group_vars/web.yml:1:1",
            "play/group_vars/web.yml:1:1",
            "inv/hosts:2:4",
            "inv/host_vars/w1.yml:2:1",
            "play/host_vars/w1.yml:1:1",
        ]
    );
    assert_eq!(*it.inventory.var("w1", "v").unwrap().value, json!("pb-host"));
    assert_eq!(Value::Object(it.inventory.vars("w1").unwrap()), json!({"v": "pb-host", "p": 1, "a": 1}));
    assert_eq!(it.inventory.vars("stranger"), None);
}

#[test]
fn this_machine_needs_no_entry() {
    let it = read(&[("hosts", "[g]\nh\n[all:vars]\nx=1\n")], &["hosts"], &[]);
    assert_eq!(it.inventory.select("localhost", None).unwrap().hosts, ["localhost"]);
    assert_eq!(Value::Object(it.inventory.vars("localhost").unwrap()), json!({"x": 1, "ansible_connection": "local"}));
    assert!(!it.inventory.hosts_in("all").contains(&"localhost"));
}

fn password() -> Password {
    Password { label: "default".into(), bytes: b"open sesame".to_vec() }
}

#[test]
fn what_a_vaulted_file_sets_is_secret() {
    let vault = password().seal(b"password: hunter2\n", None, [1; 32]);
    let files = [("hosts", "w1\n"), ("group_vars/all/vault.yml", vault.as_str()), ("host_vars/w1", "a: 1\n")];
    let it = read(&files, &["hosts"], &[]);
    assert!(it.inventory.var("w1", "password").unwrap().secret);
    assert!(!it.inventory.var("w1", "a").unwrap().secret);
}

#[test]
fn a_vaulted_file_that_cannot_be_opened_is_named_with_its_vault_id() {
    let other = Password { bytes: b"else".to_vec(), ..password() };
    let vault = other.seal(b"password: hunter2\n", Some("prod"), [1; 32]);
    let bad = read(&[("hosts", "w1\n"), ("group_vars/all", vault.as_str())], &["hosts"], &[]);
    let text = render(&bad.map, &bad.found, false);
    assert!(text.contains("cannot open `group_vars/all`: it is encrypted for the vault id `prod`, and none"), "{text}");
    assert!(text.contains("group_vars/all:1:1"), "{text}");
}

#[test]
fn what_is_wrong_in_a_vaulted_file_is_said_without_showing_it() {
    let vault = password().seal(b"a: 1\npassword: [hunter2\n", None, [1; 32]);
    let bad = read(&[("hosts", "w1\n"), ("group_vars/all", vault.as_str())], &["hosts"], &[]);
    let text = render(&bad.map, &bad.found, false);
    assert!(text.contains("group_vars/all:") && !text.contains("hunter2"), "{text}");
}

#[test]
fn connection_variables_have_several_names() {
    let it = read(
        &[(
            "hosts",
            "w1 ansible_ssh_host=192.0.2.1 ansible_host=ignored ansible_port=22 ansible_become=true ansible_become_pass=x\n",
        )],
        &["hosts"],
        &[],
    );
    let c = it.inventory.connection("w1");
    assert_eq!(*c.host.unwrap().value, json!("192.0.2.1"));
    assert_eq!(*c.port.unwrap().value, json!(22));
    assert_eq!(*c.become_password.unwrap().value, json!("x"));
    assert!(c.user.is_none());
}

#[test]
fn magic_names_the_host_its_groups_and_its_source() {
    let hosts = "[web]\nw1.example.com\n192.0.2.1\n[top:children]\nweb\n";
    let it = read(&[("inv/hosts", hosts)], &["inv/hosts"], &[]);
    assert_eq!(
        Value::Object(it.inventory.magic("w1.example.com")),
        json!({"inventory_hostname": "w1.example.com", "inventory_hostname_short": "w1", "group_names": ["top", "web"],
               "inventory_file": "/srv/inv/hosts", "inventory_dir": "/srv/inv"})
    );
    assert_eq!(it.inventory.magic("192.0.2.1")["inventory_hostname_short"], "192.0.2.1");
    assert_eq!(it.inventory.groups_map()["top"], json!(["w1.example.com", "192.0.2.1"]));
}

#[test]
fn patterns_report_what_matches_nothing_and_refuse_what_is_none() {
    let it = read(&[("hosts", "[g]\nh[1:3]\n")], &["hosts"], &[]);
    let picked = it.inventory.select("h1:gone:&nope:h2", None).unwrap();
    assert_eq!(picked.hosts, Vec::<&str>::new());
    assert_eq!(picked.unmatched, ["gone", "nope"]);
    assert_eq!(it.inventory.select("g[7]", None), Err(PatternError::Index("g[7]".to_owned())));
    assert!(matches!(it.inventory.select("~(", None), Err(PatternError::Regex { .. })));
    let limit = Limit::parse("@none", |_| Err(io::ErrorKind::NotFound.into()));
    assert!(matches!(limit, Err(PatternError::File { .. })));
}

#[test]
fn twenty_thousand_hosts_share_their_groups_variables() {
    let mut hosts = String::from("[all:vars]\n");
    for n in 0..100 {
        hosts += &format!("v{n}={n}\n");
    }
    for rack in 0..200 {
        hosts += &format!("[rack{rack}]\n");
        for n in 0..100 {
            hosts += &format!("h{:05}.example.com ansible_host=10.{}.{}.{n}\n", rack * 100 + n, rack / 100, rack % 100);
        }
    }
    let table = Table::new(&[
        ("inv/hosts", &hosts),
        ("inv/host_vars/h00007.example.com.yml", "x: 1\n"),
        ("inv/group_vars/rack3.yml", "r: 3\n"),
    ]);
    let it = read_with(&table, &["inv/hosts"], &[]);
    assert_eq!(it.inventory.host_count(), 20_000);
    // One listing for all, not a look for every host.
    assert!(table.asked.load(Ordering::Relaxed) < 30, "{}", table.asked.load(Ordering::Relaxed));
    assert_eq!(it.inventory.hosts.iter().map(|h| h.vars.len()).sum::<usize>(), 20_000);
    assert_eq!(it.inventory.select("rack1*:!~h.*[13579]\\.example", None).unwrap().hosts.len(), 111 * 50);
    assert_eq!(it.inventory.vars("h00301.example.com").unwrap().len(), 102);
    assert_eq!(*it.inventory.var("h00007.example.com", "x").unwrap().value, json!(1));
}

#[test]
fn a_range_shares_its_values() {
    let it = read(&[("hosts", "[g]\nh[1:1000] big=\"{'a': [1, 2, 3]}\"\n")], &["hosts"], &[]);
    let first = &it.inventory.var("h1", "big").unwrap().value;
    assert_eq!(std::sync::Arc::strong_count(first), 1000);
}

proptest::proptest! {
    #[test]
    fn no_ini_makes_the_reader_panic(text in "(\\[[a-c]{0,2}(:(vars|children|x))?\\]|[a-c][0-9]?(\\[[0-9a-c:]{0,5}\\])?( [a-z]=[-'\"{}\\[\\]0-9,:#\\\\]{0,6}){0,2}|[ -~é]{0,12}|\n){0,20}") {
        let it = read(&[("hosts", &text)], &["hosts"], &[]);
        render(&it.map, &it.found, false);
        it.inventory.list(&View::default());
        it.inventory.graph("all", true, &View::default());
    }

    #[test]
    fn no_yaml_makes_the_reader_panic(cut in 0usize..300, flips in proptest::collection::vec((0usize..300, 32u8..127), 0..8)) {
        let seed = "all:\n  hosts:\n    w[1:3]: {a: 1}\n    x:\n  vars: {b: [1]}\n  children:\n    g: {hosts: {y: {}}, children: {h: {hosts: z}}}\n    all2:\n      children: {g: }\n";
        let mut bytes = seed.as_bytes().to_vec();
        for (at, b) in flips { let n = bytes.len(); bytes[at % n] = b; }
        bytes.truncate(cut.max(1));
        let text = String::from_utf8(bytes).unwrap();
        let it = read(&[("hosts.yml", &text), ("group_vars/g.yml", &text)], &["hosts.yml"], &["."]);
        render(&it.map, &it.found, false);
        it.inventory.list(&View { export: true, ..View::default() });
    }

    #[test]
    fn no_pattern_makes_selecting_panic(pattern in "[a-h0-9*?\\[\\]:,&!~.@ ()|+-]{0,16}") {
        let it = read(&[("hosts", "a\nb1\n[g]\nh[1:3]\n")], &["hosts"], &[]);
        if let Ok(picked) = it.inventory.select(&pattern, None) {
            for host in picked.hosts { it.inventory.vars(host).unwrap(); }
        }
    }
}

#[test]
fn patterns_choose_among_names_alone() {
    let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (web, both) = (groups(&["web"]), groups(&["web", "db", "all"]));
    let inventory = Inventory::of_names([("web2", &*web), ("web1", &both), ("db1", &[])]);
    for (pattern, chosen) in [
        ("web*,db1", &["web2", "web1", "db1"][..]),
        ("web:&db", &["web1"]),
        ("web:!db", &["web2"]),
        ("~.*1$", &["web1", "db1"]),
        ("ungrouped", &["db1"]),
        ("all", &["web2", "web1", "db1"]),
    ] {
        let mut hosts = inventory.select(pattern, None).unwrap().hosts;
        let mut chosen = chosen.to_vec();
        hosts.sort_unstable();
        chosen.sort_unstable();
        assert_eq!(hosts, chosen, "{pattern}");
    }
    assert_eq!(inventory.select("wbe1", None).unwrap().unmatched, ["wbe1"]);
}
