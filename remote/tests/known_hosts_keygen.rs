//! Which lines speak for a host: ours against `ssh-keygen -F`.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod openssh;

use std::path::Path;

use openssh::{hashed, keygen, new_key, text};
use rectify_remote::known_hosts::{KnownHosts, Marker, Target};

/// The names that every file is asked for.
const HOSTS: [(&str, u16); 14] = [
    ("web1.example", 22),
    ("WEB1.example", 22),
    ("web2.example", 22),
    ("web1.example", 2222),
    ("web1.example", 222),
    ("web10.example", 22),
    ("db.example", 22),
    ("db.internal", 22),
    ("10.0.0.7", 22),
    ("10.0.0.70", 22),
    ("2001:db8::1", 22),
    ("2001:db8::1", 2200),
    ("a", 22),
    ("nobody", 22),
];

fn files(folder: &Path) -> Vec<String> {
    let ed = new_key(folder, "ed", "ed25519");
    let ec = new_key(folder, "ec", "ecdsa");
    let rsa = new_key(folder, "rsa", "rsa");
    let hash = |name: &str| hashed(folder, name, &ed);
    let (web1, web1_port, v6) = (hash("web1.example"), hash("[web1.example]:2222"), hash("[2001:db8::1]:2200"));
    let keys = |lines: &[&str]| -> String { lines.iter().map(|names| format!("{names} {ed}\n")).collect() };
    vec![
        keys(&["web1.example", "db.example", "10.0.0.7"]),
        keys(&["web1.example,10.0.0.7,2001:db8::1", "web2.example,web1.example,web1.example"]),
        keys(&[&web1, &web1_port, &v6, "db.example"]),
        keys(&["*.example", "web?.example", "10.0.0.*", "*", "?", "??"]),
        keys(&["*.example,!web1.example", "!web1.example,*.example", "!db.example", "!*"]),
        keys(&["[web1.example]:2222", "[web1.example]:*", "[*]:2222", "[web1.example]:22", "[web?.example]:22?"]),
        keys(&["WEB1.EXAMPLE", "Web*.Example", "[WEB1.example]:2222", "!WEB1.example,*"]),
        format!("@revoked web1.example {ed}\n@cert-authority *.example {ec}\nweb1.example {rsa}\n"),
        format!("@revoked   *  {ed}\n@cert-authority\tweb1.example\t{}\n", ec.replace(' ', "\t")),
        format!("web1.example\t{}\tcomment\n  \tdb.example   {ec}   two words\n", rsa.replace(' ', "\t")),
        format!("# comment\n\n   # another\nweb1.example {ed}\n#web1.example {ed}\n\n\tdb.example {ec}\n"),
        format!("web1.example {ed}\r\ndb.example {ec} comment\r\n\r\n# c\r\n{web1} {rsa}\r\n"),
        format!("web1.example {ed}\nweb1.example {ec}\nweb1.example {rsa}\nweb1.example,db.example {ed}"),
        format!(
            "web1.example\nweb1.example ssh-ed25519\nweb1.example ssh-ed25519 AAAA\nweb1.example {ed}\nweb1.example nonsense {ed}\n"
        ),
        format!(
            "@unknown web1.example {ed}\n@revoked @cert-authority web1.example {ed}\n@ web1.example {ed}\n@revoked\nweb1.example {ec}\n"
        ),
        format!(
            "|1|AAAA|BBBB {ed}\n|1| {ed}\n| {ed}\n|2|a|b {ed}\n{web1},db.example {ed}\ndb.example,{web1} {ed}\n{web1} {ec}\n"
        ),
        format!(",web1.example {ed}\nweb1.example, {ed}\n,, {ed}\n! {ed}\n!,a {ed}\n"),
        format!("2001:db8::1 {ed}\n[2001:db8::1]:2200 {ed}\n2001:DB8::1 {ec}\n2001:db8::* {rsa}\n"),
        format!("*a* {ed}\n*** {ec}\n?*?*e*x*e {rsa}\nweb1?example {ed}\n"),
        String::new(),
        "\n\n\n".to_owned(),
    ]
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    Key,
    Authority,
    Revoked,
}

/// The lines that ssh-keygen finds.
fn theirs(file: &Path, name: &str) -> Vec<(usize, Means)> {
    // `-l` makes it read the keys too, as ssh does.
    let out = keygen(&["-l", "-F", name, "-f", file.to_str().unwrap()]);
    let mut found = Vec::new();
    for line in text(&out.stdout).lines() {
        let Some(rest) = line.strip_prefix("# Host ").and_then(|rest| rest.split_once(" found: line ")) else {
            continue;
        };
        let (number, marker) = rest.1.split_once(' ').unwrap_or((rest.1, ""));
        let means = match marker.trim() {
            "CA" => Means::Authority,
            "REVOKED" => Means::Revoked,
            "" => Means::Key,
            other => panic!("ssh-keygen says {other:?}"),
        };
        found.push((number.trim().parse().unwrap(), means));
    }
    found
}

fn ours(known: &KnownHosts, host: &str, port: u16) -> Vec<(usize, Means)> {
    let means = |marker| match marker {
        Marker::Key => Means::Key,
        Marker::Authority => Means::Authority,
        Marker::Revoked => Means::Revoked,
    };
    known.listed(&Target::new(host, port)).into_iter().map(|(marker, key)| (key.at.line, means(marker))).collect()
}

#[test]
fn the_same_lines_as_ssh_keygen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let (mut asked, mut hits) = (0, 0);
    for (number, content) in files(folder.path()).into_iter().enumerate() {
        std::fs::write(&file, &content).unwrap();
        let known = KnownHosts::load([&file]).unwrap();
        for (host, port) in HOSTS {
            let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
            // ssh folds host names before looking them up, ssh-keygen leaves that to its user.
            let theirs = theirs(&file, &name.to_lowercase());
            assert_eq!(ours(&known, host, port), theirs, "file {number}, host {name}\n{content}");
            asked += 1;
            hits += theirs.len();
        }
    }
    assert!(asked > 250 && hits > 100, "the corpus says something: {asked} questions, {hits} lines");
}
