//! dnf(8), version 4.

use indexmap::IndexMap;
use rectify_core::module::{
    Command, HostError, HostResult, InstalledPackage, Output, PackageDb, PackageRequest, Transaction,
};

use super::{super::Live, bad_name, dnf_table, failed, patiently, satisfied};

/// A request in dnf's words: one command, or several for dnf's shell, which makes one transaction of them.
#[derive(Debug, PartialEq)]
struct Script {
    options: Vec<String>,
    commands: Vec<Vec<String>>,
}

/// `None`: nothing to ask dnf for.
fn script(db: &PackageDb, request: &PackageRequest) -> HostResult<Option<Script>> {
    let mut install = Vec::new();
    for spec in &request.install {
        check(&spec.name)?;
        if satisfied(db, spec, same_version) {
            continue;
        }
        install.push(match &spec.version {
            Some(version) => {
                check(version)?;
                format!("{}-{version}", spec.name)
            }
            None => spec.name.clone(),
        });
    }
    for name in &request.latest {
        check(name)?;
        install.push(name.clone());
    }
    let mut remove = Vec::new();
    for name in &request.remove {
        check(name)?;
        // What is not there is gone already. Patterns, groups and paths are dnf's to understand.
        let there = db.packages.contains_key(name) || db.packages.values().any(|p| p.provides.contains(name));
        if there || name.contains(['*', '?', '[', '@', '/']) {
            remove.push(name.replace(':', "."));
        }
    }
    let mut commands = Vec::new();
    for (verb, names) in [("install", install), ("remove", remove)] {
        if !names.is_empty() {
            commands.push([vec![verb.to_owned()], names].concat());
        }
    }
    if request.autoremove {
        commands.push(vec!["autoremove".into()]);
    }
    if commands.is_empty() {
        return Ok(None);
    }
    let mut options = Vec::new();
    if !request.autoremove {
        options.push("--setopt=clean_requirements_on_remove=False".into());
    }
    if let Some(recommends) = request.recommends {
        options.push(format!("--setopt=install_weak_deps={}", if recommends { "True" } else { "False" }));
    }
    for (option, repositories) in [("enablerepo", &request.enable_repos), ("disablerepo", &request.disable_repos)] {
        for repository in repositories {
            check(repository)?;
            options.push(format!("--{option}={repository}"));
        }
    }
    Ok(Some(Script { options, commands }))
}

/// Refuses what would be an option, or another line of dnf's shell.
fn check(name: &str) -> HostResult<()> {
    let fine =
        !name.is_empty() && !name.starts_with('-') && !name.chars().any(|c| c.is_control() || "\"'\\".contains(c));
    if fine { Ok(()) } else { Err(bad_name(name)) }
}

/// A version may be given with or without its epoch and its release.
fn same_version(package: &InstalledPackage, version: &str) -> bool {
    let bare = package.version.split_once(':').map_or(package.version.as_str(), |(_, rest)| rest);
    [package.version.as_str(), bare]
        .iter()
        .any(|have| *have == version || have.strip_prefix(version).is_some_and(|rest| rest.starts_with('-')))
}

impl Script {
    fn command(&self, extra: &[&str]) -> Command {
        let mut command = Command::new(["dnf"].iter().chain(extra).copied());
        command.argv.extend(self.options.iter().cloned());
        match self.commands.as_slice() {
            [one] => {
                command.argv.push(one[0].clone());
                if one.len() > 1 {
                    command.argv.push("--".into());
                    command.argv.extend(one[1..].iter().cloned());
                }
            }
            several => {
                command.argv.push("shell".into());
                command.stdin = lines(several).into_bytes();
            }
        }
        command
    }

    fn shown(&self) -> String {
        let commands: Vec<String> = self.commands.iter().map(|c| c.join(" ")).collect();
        format!("dnf {}", commands.join(", "))
    }
}

/// dnf's shell reads words as a shell does.
fn lines(commands: &[Vec<String>]) -> String {
    let quoted = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
    let mut text = String::new();
    for command in commands {
        text.push_str(&command.iter().map(quoted).collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    text.push_str("run\n");
    text
}

/// What dnf itself says it would do. `cached`: without fetching an index, as in a check.
pub(super) fn resolve(live: &Live, db: &PackageDb, request: &PackageRequest, cached: bool) -> HostResult<Transaction> {
    let Some(script) = script(db, request)? else { return Ok(Transaction::default()) };
    if !rustix::process::geteuid().is_root() {
        // It does not even resolve for anybody else.
        return Err(HostError::Unsupported(format!(
            "only root is told by dnf what `{}` would do: what would change is not known (`become: true`, or -b)",
            script.shown()
        )));
    }
    let extra: &[&str] = if cached { &["-C", "--assumeno"] } else { &["--assumeno"] };
    let output = live.machinery_raw(&script.command(extra))?;
    answer(&script.shown(), &output, request, db)
}

/// dnf ends with 1 when it is told not to go on, as it does after an error; its shell ends with 0 after anything.
fn answer(shown: &str, output: &Output, request: &PackageRequest, db: &PackageDb) -> HostResult<Transaction> {
    let said = String::from_utf8_lossy(&output.stderr);
    let aborted = said.contains("Operation aborted");
    let error = said.lines().any(|l| l.starts_with("Error") && !l.contains("Operation aborted"));
    // Asked to remove what depends on nothing that is there, dnf calls that an error.
    if error || (output.code != 0 && !aborted) {
        return Err(failed(shown, output));
    }
    let (transaction, downgrade) = dnf_table::parse(&String::from_utf8_lossy(&output.stdout), db);
    if downgrade && !request.allow_downgrade {
        let down = transaction.changes.iter().find(|c| c.from.is_some() && c.to.is_some());
        let what = down.map_or(String::new(), |c| {
            let version = |v: &Option<String>| v.clone().unwrap_or_default();
            format!(" ({} from {} to {})", c.name, version(&c.from), version(&c.to))
        });
        return Err(HostError::Io {
            action: "running".into(),
            object: shown.into(),
            message: format!("a version would go down{what}, and downgrades are not allowed"),
            errno: None,
        });
    }
    Ok(transaction)
}

/// Runs one transaction. dnf refuses by itself to remove what is protected.
pub(super) fn transact(live: &Live, db: &PackageDb, request: &PackageRequest) -> HostResult<()> {
    if let Some(seconds) = request.refresh {
        let age = format!("--setopt=metadata_expire={}", seconds.max(1));
        let mut command = Command::new(["dnf", "-y", "-q", &age]);
        if seconds == 0 {
            command.argv.push("--refresh".into());
        }
        command.argv.push("makecache".into());
        let output = patiently(live, &command, true)?;
        if output.code != 0 {
            return Err(failed("dnf makecache", &output));
        }
    }
    let Some(script) = script(db, request)? else { return Ok(()) };
    // Its shell goes on after an error, and a downgrade is not asked about: both are found out beforehand.
    if script.commands.len() > 1 || (request.install.iter().any(|s| s.version.is_some()) && !request.allow_downgrade) {
        resolve(live, db, request, false)?;
    }
    let output = patiently(live, &script.command(&["-y"]), true)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.code != 0 || (script.commands.len() > 1 && said.lines().any(|l| l.starts_with("Error"))) {
        return Err(failed(&script.shown(), &output));
    }
    Ok(())
}

/// The newest version of each, in one question for all.
pub(super) fn candidates(live: &Live, names: &[String]) -> HostResult<IndexMap<String, String>> {
    let mut command = Command::new([
        "dnf",
        "-C",
        "-q",
        "repoquery",
        "--available",
        "--latest-limit=1",
        "--qf",
        "%{name} %{arch} %{evr}\n",
        "--",
    ]);
    for name in names {
        check(name)?;
        command.argv.push(name.replace(':', "."));
    }
    let output = live.machinery_raw(&command)?;
    if output.code != 0 {
        return Err(failed("dnf -C repoquery", &output));
    }
    let native = rustix::system::uname().machine().to_string_lossy().into_owned();
    Ok(parse_candidates(names, &String::from_utf8_lossy(&output.stdout), &native))
}

fn parse_candidates(names: &[String], text: &str, native: &str) -> IndexMap<String, String> {
    let mut found: IndexMap<String, String> = IndexMap::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(arch), Some(evr)) = (words.next(), words.next(), words.next()) else { continue };
        let version = evr.strip_prefix("0:").unwrap_or(evr).to_owned();
        let foreign = arch != native && arch != "noarch";
        found.insert(if foreign { format!("{name}:{arch}") } else { name.to_owned() }, version);
    }
    names.iter().filter_map(|n| Some((n.clone(), found.get(n)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use rectify_core::module::{Manager, PackageSpec};

    use super::{
        super::fixture::{db, package},
        *,
    };

    fn spec(name: &str, version: Option<&str>) -> PackageSpec {
        PackageSpec { name: name.into(), version: version.map(Into::into) }
    }

    fn some_db() -> PackageDb {
        db(Manager::Dnf, [package("curl", "7.76.1-1.el9"), package("bind", "32:9.16.23-1.el9")])
    }

    #[test]
    fn one_kind_of_change_is_one_command() {
        let request = PackageRequest {
            install: vec![
                spec("curl", None),
                spec("curl", Some("7.76.1")),
                spec("tree", None),
                spec("wget", Some("1.21")),
            ],
            recommends: Some(false),
            ..PackageRequest::default()
        };
        let script = script(&some_db(), &request).unwrap().unwrap();
        let command = script.command(&["-C", "--assumeno"]);
        assert_eq!(
            command.argv.join(" "),
            "dnf -C --assumeno --setopt=clean_requirements_on_remove=False --setopt=install_weak_deps=False install -- tree \
             wget-1.21"
        );
        assert!(command.stdin.is_empty());
    }

    #[test]
    fn installs_and_removals_are_one_transaction() {
        let request = PackageRequest {
            install: vec![spec("tree", None)],
            remove: vec!["curl".into(), "gone".into()],
            autoremove: true,
            enable_repos: vec!["extra".into()],
            ..PackageRequest::default()
        };
        let script = script(&some_db(), &request).unwrap().unwrap();
        let command = script.command(&["-y"]);
        assert_eq!(command.argv.join(" "), "dnf -y --enablerepo=extra shell");
        assert_eq!(command.stdin, b"install tree\nremove curl\nautoremove\nrun\n");
        assert_eq!(script.shown(), "dnf install tree, remove curl, autoremove");
    }

    #[test]
    fn nothing_to_do_asks_nothing() {
        let request = PackageRequest { remove: vec!["gone".into()], ..PackageRequest::default() };
        assert_eq!(script(&some_db(), &request).unwrap(), None);
        for name in ["", "-y", "a\nremove b", "a\"b"] {
            let request = PackageRequest { latest: vec![name.into()], ..PackageRequest::default() };
            assert!(script(&some_db(), &request).is_err(), "{name:?}");
        }
    }

    #[test]
    fn versions_may_be_given_in_part() {
        let bind = package("bind", "32:9.16.23-1.el9");
        for version in ["32:9.16.23-1.el9", "9.16.23-1.el9", "9.16.23", "32:9.16.23"] {
            assert!(same_version(&bind, version), "{version}");
        }
        for version in ["9.16", "9.16.2", "9.16.23-1.el"] {
            assert!(!same_version(&bind, version), "{version}");
        }
    }

    #[test]
    fn the_shell_ends_well_after_an_error_and_is_not_believed() {
        let output = |code, stderr: &str| Output { code, stderr: stderr.into(), ..Output::default() };
        let request = PackageRequest::default();
        assert!(answer("dnf x", &output(0, "Error: Unable to find a match: nosuch\n"), &request, &some_db()).is_err());
        assert!(answer("dnf x", &output(0, "Error: Operation aborted.\n"), &request, &some_db()).is_ok());
        assert!(answer("dnf x", &output(1, "Operation aborted.\n"), &request, &some_db()).is_ok());
        assert!(answer("dnf x", &output(1, "\n"), &request, &some_db()).is_err());
    }

    #[test]
    fn candidates_have_no_epoch_of_zero() {
        let names = ["tree", "bind", "glibc:i686", "nosuch"].map(String::from);
        let text = "tree x86_64 0:1.8-1\nbind x86_64 32:9-1\nglibc x86_64 2-1\nglibc i686 2-2\n";
        let found = parse_candidates(&names, text, "x86_64");
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ("tree".to_owned(), "1.8-1".to_owned()),
                ("bind".to_owned(), "32:9-1".to_owned()),
                ("glibc:i686".to_owned(), "2-2".to_owned()),
            ]
        );
    }
}
