//! What a configuration may refer to besides itself: the local user, machine and environment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The surroundings in which a configuration is read.
#[derive(Debug, Clone)]
pub struct Env {
    /// The local user's home folder: `~` and `%d`.
    pub home: PathBuf,
    /// The local user's name: `%u`, and the remote user where none is configured.
    pub user: String,
    /// The local user's number: `%i`.
    pub uid: u32,
    /// The local machine's name: `%l`.
    pub hostname: String,
    /// Environment variables: `${NAME}`.
    pub vars: HashMap<String, String>,
    /// Other users' home folders: `~name`.
    pub homes: HashMap<String, PathBuf>,
    /// Whether `Match exec` may run its command. If not, it does not match and is named as unsupported.
    pub run_match_exec: bool,
}

impl Env {
    /// The surroundings of this process. Users come from `/etc/passwd`; one who is not there is what `HOME` and `USER` say.
    pub fn system(run_match_exec: bool) -> Self {
        let vars: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let uid = rustix::process::getuid().as_raw();
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        let accounts = accounts(&String::from_utf8_lossy(&passwd));
        let me = accounts.iter().find(|account| account.uid == uid);
        let var = |name: &str| vars.get(name).filter(|value| !value.is_empty()).cloned();
        Self {
            home: me
                .map(|me| me.home.clone())
                .or_else(|| var("HOME").map(PathBuf::from))
                .unwrap_or_else(|| PathBuf::from("/")),
            user: me.map(|me| me.name.clone()).or_else(|| var("USER")).unwrap_or_else(|| uid.to_string()),
            uid,
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            vars,
            homes: accounts.into_iter().map(|account| (account.name, account.home)).collect(),
            run_match_exec,
        }
    }

    /// Replaces a leading `~` or `~user`. `None`: there is no such user.
    pub(super) fn expand_tilde(&self, path: &str) -> Option<String> {
        let Some(rest) = path.strip_prefix('~') else {
            return Some(path.to_owned());
        };
        let (user, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let home = match user {
            "" => &self.home,
            user => self.homes.get(user)?,
        };
        let home = home.to_str()?;
        Some(format!("{}{rest}", home.strip_suffix('/').filter(|_| !rest.is_empty()).unwrap_or(home)))
    }
}

struct Account {
    name: String,
    uid: u32,
    home: PathBuf,
}

fn accounts(passwd: &str) -> Vec<Account> {
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, home, ..] = fields.as_slice() else { return None };
        Some(Account { name: (*name).to_owned(), uid: uid.parse().ok()?, home: PathBuf::from(home) })
    };
    passwd.lines().filter_map(account).collect()
}

/// Whether the group `gid` is one user's own: nobody else is a member of it, or has it as the login group.
pub(super) fn is_private_group(gid: u32, user: &str) -> bool {
    let read = |path: &str| std::fs::read(Path::new(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (Ok(passwd), Ok(group)) = (read("/etc/passwd"), read("/etc/group")) else {
        return false;
    };
    private_group(gid, user, &passwd, &group)
}

fn private_group(gid: u32, user: &str, passwd: &str, group: &str) -> bool {
    let id = gid.to_string();
    let login: Vec<&str> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.get(3) == Some(&id.as_str()))
        .map(|fields| fields[0])
        .collect();
    let members = group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.get(2) == Some(&id.as_str()))
        .flat_map(|fields| fields.get(3).copied().unwrap_or_default().split(',').collect::<Vec<_>>())
        .filter(|member| !member.is_empty());
    login == [user] && members.into_iter().all(|member| member == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_of_ones_own_is_private() {
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\neve:x:1002:1001::/:/bin/sh\n";
        let group = "ann:x:1000:\nbob:x:1001:\nstaff:x:50:ann\n";
        assert!(private_group(1000, "ann", passwd, group));
        assert!(!private_group(1000, "ann", passwd, "ann:x:1000:bob\n"));
        assert!(!private_group(1001, "bob", passwd, group), "eve logs in with it too");
        assert!(!private_group(50, "ann", passwd, group), "not the login group");
    }

    #[test]
    fn tildes() {
        let mut env = Env::system(false);
        env.home = "/home/ann".into();
        env.homes = HashMap::from([("bob".to_owned(), PathBuf::from("/home/bob/"))]);
        for (path, expanded) in [
            ("~", Some("/home/ann")),
            ("~/x", Some("/home/ann/x")),
            ("~bob/x", Some("/home/bob/x")),
            ("/~", Some("/~")),
            ("~eve/x", None),
        ] {
            assert_eq!(env.expand_tilde(path).as_deref(), expanded, "{path}");
        }
    }
}
