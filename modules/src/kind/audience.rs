//! `audience`: who can really reconfigure a host, or publish on it.

mod grants;
mod people;
mod sudoers;
#[cfg(test)]
mod tests;
mod trees;

use std::path::PathBuf;

use rectify_core::module::{Action, Entity, Finding, ModuleError, Operate, Relations, Report, Severity};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::people::{People, Person};
use super::shared::{glob::Glob, paths};

/// Programs by which a server is reconfigured, or anything is.
const PROGRAMS: &[&str] = &[
    "apachectl",
    "apache2ctl",
    "apache2",
    "httpd",
    "nginx",
    "a2en*",
    "a2dis*",
    "systemctl",
    "service",
    "su",
    "sudo",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "env",
    "vi",
    "vim",
    "view",
    "nano",
    "emacs",
    "ed",
    "tee",
    "cp",
    "mv",
    "ln",
    "dd",
    "install",
    "rsync",
    "chown",
    "chmod",
    "setfacl",
    "visudo",
    "crontab",
    "find",
    "awk",
    "sed",
    "perl*",
    "python*",
    "ruby*",
    "php*",
    "tar",
    "git",
    "docker",
    "podman",
    "apt*",
    "dpkg",
    "dnf",
    "yum",
    "rpm",
    "snap",
    "ansible*",
    "puppet",
    "rectify",
];
/// How many paths of a tree are looked at unless the task says so.
const LIMIT: u64 = 100_000;
/// How many findings of a kind are told.
const TOLD: usize = 100;

/// Finds who can really reconfigure this host or publish on it, and reports those that nobody has declared. It changes nothing.
///
/// It looks at what sudo allows (`/etc/sudoers` and what that includes), at owners and writers of trees of configuration and documents,
/// and at whose crontabs there are. Groups are taken for their members. Root is left out. So are, as findings, accounts that nobody can
/// log in to (their shell is `nologin` or `false`); the registered result has them all, as `people`: `account`, `name` (the full one),
/// `login`, `declared` and `why`.
///
/// Accounts and groups are those of this host's own files: those of a directory service are known only by what rules and files say of
/// them. Access lists (acl(5)) are not looked at. A rule for an address or a netgroup counts as one for this host. Without root's
/// rights much cannot be read; what could not is a finding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audience {
    /// Those who are known to run this host: names of accounts, names of groups (for their members), or full names. Usually from the
    /// inventory: `"{{ [owner] + (contacts | list) }}"`.
    #[serde(default)]
    declared: Vec<String>,
    /// Trees of configuration. What is not there is passed over. Default: none.
    #[serde(default)]
    configuration: Vec<PathBuf>,
    /// Trees of documents that are published. What is not there is passed over. Default: none.
    #[serde(default)]
    documents: Vec<PathBuf>,
    /// The programs that matter when sudo allows them: shell patterns for their names. `ALL` matters anyway. Default: those by
    /// which web servers and units are reconfigured, or anything is (shells, editors, package managers …).
    programs: Option<Vec<String>>,
    /// How many paths of a tree are looked at. Default: 100000.
    limit: Option<u64>,
}

impl Action for Audience {
    const KIND: &'static str = "audience";
    const PURE: bool = true;
    const EXAMPLE: &'static str = "audience:\n  declared: [alice, web-team]\n  configuration: [/etc/apache2, /etc/httpd]\n  documents: /var/www\nregister: who\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let programs = self.patterns().map_err(ModuleError::Invalid)?;
        let mut people = People::of(host)?;
        people.sudo(&programs, &self.trees(), host)?;
        let mut open = Vec::new();
        for (what, trees) in [("configuration", &self.configuration), ("documents", &self.documents)] {
            for tree in trees {
                let limit = self.limit.unwrap_or(LIMIT);
                let Some(writers) = trees::writers(tree, limit, host, &mut people.wrong)? else { continue };
                people.tree(tree, &writers);
                open.extend(anybody(what, tree, &writers));
                open.extend(writers.cut.then(|| cut(tree, limit)));
            }
        }
        people.crontabs(host)?;
        let wrong = std::mem::take(&mut people.wrong);
        let all = people.into_all(&self.declared);
        let mut findings: Vec<Finding> = all.iter().filter_map(undeclared).take(TOLD).collect();
        findings.extend(open.into_iter().take(TOLD));
        let doubt = |text: String| finding(Severity::Warning, String::new(), format!("not looked at: {text}"));
        findings.extend(wrong.into_iter().take(TOLD).map(doubt));
        let mut data = Map::new();
        data.insert("people".into(), all.iter().map(shown).collect());
        Ok(Report { findings, ..Report::looked(data) })
    }

    fn validate(&self) -> Result<(), String> {
        for (name, trees) in [("configuration", &self.configuration), ("documents", &self.documents)] {
            trees.iter().try_for_each(|tree| paths::absolute(name, tree))?;
        }
        if self.limit == Some(0) {
            return Err("limit: at least 1".into());
        }
        self.patterns().map(|_| ())
    }

    fn relations(&self) -> Relations {
        let rules = [Entity::Path("/etc/sudoers".into()), Entity::Tree("/etc/sudoers.d".into())];
        let spool = [Entity::Tree("/var/spool/cron".into())];
        Relations::default().needing(rules).needing(spool).needing(self.trees().into_iter().map(Entity::Tree))
    }

    fn subject(&self) -> String {
        String::new()
    }
}

impl Audience {
    fn trees(&self) -> Vec<PathBuf> {
        self.configuration.iter().chain(&self.documents).cloned().collect()
    }

    fn patterns(&self) -> Result<Vec<Glob>, String> {
        match &self.programs {
            Some(own) => own.iter().map(|p| Glob::new(p)).collect(),
            None => PROGRAMS.iter().map(|p| Glob::new(p)).collect(),
        }
    }
}

fn finding(severity: Severity, subject: String, message: String) -> Finding {
    Finding { severity, subject, message }
}

/// Somebody who can log in and whom nobody has declared.
fn undeclared(person: &Person) -> Option<Finding> {
    let known = person.declared || !person.login;
    let name = if person.name.is_empty() { String::new() } else { format!(" ({})", person.name) };
    let message = || format!("{}{name} is not declared: {}", person.account, person.reasons());
    (!known).then(|| finding(Severity::Warning, person.account.clone(), message()))
}

fn anybody(what: &str, tree: &std::path::Path, writers: &trees::Writers) -> Option<Finding> {
    let open = &writers.anybody;
    let message = format!("anybody on this host can write {} ({what})", open.told(tree));
    (open.count > 0).then(|| finding(Severity::Warning, paths::shown(&open.one), message))
}

fn cut(tree: &std::path::Path, limit: u64) -> Finding {
    let message =
        format!("only {limit} paths were looked at, and there are more: say with `limit` how many are enough");
    finding(Severity::Info, paths::shown(tree), message)
}

fn shown(person: &Person) -> Value {
    json!({
        "account": person.account,
        "name": person.name,
        "login": person.login,
        "declared": person.declared,
        "why": person.why,
    })
}
