//! Accounts, and what is known of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rectify_core::{
    module::{FileKind, Group, HostResult, Observe, User},
    text::plain,
};

use super::{
    grants::{Sudo, Who, matters, soft},
    trees::Writers,
};
use crate::kind::shared::glob::Glob;

/// How many reasons are kept of an account; the rest is counted.
const REASONS: usize = 20;
/// Where crontabs are: Debian's, RHEL's.
const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
/// The longest text of a host's that is repeated, in characters.
const WORDS: usize = 200;

/// Somebody, and why.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) account: String,
    /// The full name, if the account says it.
    pub(super) name: String,
    /// Whether somebody can log in to it, as far as is known.
    pub(super) login: bool,
    pub(super) declared: bool,
    pub(super) why: Vec<String>,
    /// How many reasons there are besides.
    more: usize,
    groups: BTreeSet<String>,
    gids: BTreeSet<u32>,
    uid: Option<u32>,
}

impl Person {
    fn because(&mut self, why: String) {
        let why: String = why.chars().take(WORDS).collect();
        if self.why.contains(&why) {
            return;
        }
        if self.why.len() < REASONS {
            self.why.push(why);
        } else {
            self.more += 1;
        }
    }

    /// All reasons in one line.
    pub(super) fn reasons(&self) -> String {
        let more = (self.more > 0).then(|| format!("{} more", self.more));
        self.why.iter().cloned().chain(more).collect::<Vec<_>>().join("; ")
    }
}

/// Everybody on a host but root.
pub(super) struct People {
    all: BTreeMap<String, Person>,
    groups: Vec<Group>,
    /// What could not be looked at.
    pub(super) wrong: Vec<String>,
}

impl People {
    /// The accounts and groups of the host's own files.
    pub(super) fn of(host: &dyn Observe) -> HostResult<Self> {
        let groups = host.groups()?;
        let mut people = People { all: BTreeMap::new(), groups, wrong: Vec::new() };
        for user in host.users()?.into_iter().filter(|u| u.uid != 0) {
            people.add(&user.name.clone(), Some(&user));
        }
        Ok(people)
    }

    fn add(&mut self, account: &str, user: Option<&User>) -> &mut Person {
        let own = |g: &&Group| user.is_some_and(|u| u.gid == g.gid) || g.members.iter().any(|m| m == account);
        let of: Vec<&Group> = self.groups.iter().filter(own).collect();
        let mut gids: BTreeSet<u32> = rectify_core::small::gather(of.iter().map(|g| g.gid));
        gids.extend(user.map(|u| u.gid));
        let person = Person {
            account: account.chars().take(WORDS).collect(),
            name: user.map(full_name).unwrap_or_default(),
            login: user.is_none_or(can_log_in),
            declared: false,
            why: Vec::new(),
            more: 0,
            groups: rectify_core::small::gather(of.iter().map(|g| g.name.clone())),
            gids,
            uid: user.map(|u| u.uid),
        };
        self.all.entry(account.to_owned()).or_insert(person)
    }

    /// What sudo allows.
    pub(super) fn sudo(
        &mut self,
        programs: &[Glob],
        trees: &[std::path::PathBuf],
        host: &dyn Observe,
    ) -> HostResult<()> {
        let sudo = Sudo::read(host)?;
        for name in sudo.names().into_iter().filter(|name| name != "root") {
            // Somebody of a directory service, perhaps.
            if !self.all.contains_key(&name) {
                self.add(&name, None);
            }
        }
        for person in self.all.values_mut() {
            let who = Who { name: &person.account, uid: person.uid, groups: &person.groups, gids: &person.gids };
            for grant in sudo.grants(&who).into_iter().filter(|g| matters(&g.command, programs, trees)) {
                person.because(grant.to_string());
            }
        }
        let elsewhere = sudo.unseen().into_iter().map(|who| format!("the members of {who} are not known on this host"));
        self.wrong.extend(elsewhere);
        self.wrong.extend(sudo.wrong);
        Ok(())
    }

    /// Who owns and writes in a tree.
    pub(super) fn tree(&mut self, tree: &Path, writers: &Writers) {
        for (uid, paths) in &writers.owners {
            let account = self.all.values().find(|p| p.uid == Some(*uid)).map(|p| p.account.clone());
            // A number without an account: of somebody who left, or of a directory service.
            let account = account.unwrap_or_else(|| format!("#{uid}"));
            let why = format!("owns {}", paths.told(tree));
            match self.all.get_mut(&account) {
                Some(person) => person.because(why),
                None => self.add(&account, None).because(why),
            }
        }
        for (gid, paths) in &writers.groups {
            let name = self.groups.iter().find(|g| g.gid == *gid).map_or_else(|| format!("#{gid}"), |g| g.name.clone());
            let why = format!("group {name} writes {}", paths.told(tree));
            self.all.values_mut().filter(|p| p.gids.contains(gid)).for_each(|p| p.because(why.clone()));
        }
    }

    /// Whose crontabs there are.
    pub(super) fn crontabs(&mut self, host: &dyn Observe) -> HostResult<()> {
        for folder in CRONTABS.map(Path::new) {
            if host.stat(folder)?.is_none_or(|m| m.kind != FileKind::Directory) {
                continue;
            }
            let mut names = Vec::new();
            let mut each = |entry: rectify_core::module::DirEntry| {
                names.extend(entry.name.to_str().filter(|_| entry.kind == FileKind::File).map(str::to_owned));
                names.len() < 10_000
            };
            soft(host.list(folder, &mut each), &mut self.wrong)?;
            for name in names {
                // Other files are there too, such as a half-written one.
                if let Some(person) = self.all.get_mut(&name) {
                    person.because(format!("a crontab, {}", folder.join(&name).display()));
                }
            }
        }
        Ok(())
    }

    /// Everybody for whom there is a reason, by account.
    pub(super) fn into_all(self, declared: &[String]) -> Vec<Person> {
        let declared: BTreeSet<String> = rectify_core::small::gather(declared.iter().map(|d| d.trim().to_lowercase()));
        let known = |text: &str| !text.is_empty() && declared.contains(&text.to_lowercase());
        let judge = |mut person: Person| {
            person.declared =
                known(&person.account) || known(&person.name) || person.groups.iter().any(|group| known(group));
            person
        };
        self.all.into_values().filter(|p| !p.why.is_empty()).map(judge).collect()
    }
}

/// The first part of the comment, as a person reads it.
fn full_name(user: &User) -> String {
    let name = user.comment.split(',').next().unwrap_or_default().trim();
    plain(name, WORDS)
}

fn can_log_in(user: &User) -> bool {
    // An empty one is /bin/sh (passwd(5)).
    let shell = user.shell.rsplit('/').next().unwrap_or_default();
    !["nologin", "false", "sync", "halt", "shutdown"].contains(&shell)
}
