//! Changing accounts with the shadow tools (useradd(8) and its kin), by words and never by a shell. A password goes in on
//! standard input: words of a command are visible to every account of the machine.

use rectify_core::module::{Command, GroupChange, HostError, HostResult, Owner, UserChange};

use super::{
    super::{Live, text::sanitize},
    Accounts,
};

/// Makes or changes an account.
pub(in super::super) fn put_user(live: &Live, name: &str, change: &UserChange) -> HostResult<()> {
    valid("account", name)?;
    let accounts = live.accounts.get()?;
    let exists = accounts.users.iter().any(|u| u.name == name);
    let words = if exists { usermod(name, change) } else { useradd(name, change, &accounts) };
    if let Some(words) = words {
        tool(live, words, &[])?;
    }
    match (&change.password, change.locked) {
        (Some(password), locked) => set_password(live, name, password, locked),
        (None, Some(locked)) => {
            tool(live, vec!["usermod".into(), if locked { "-L" } else { "-U" }.into(), "--".into(), name.into()], &[])
        }
        (None, None) => Ok(()),
    }
}

fn useradd(name: &str, change: &UserChange, accounts: &Accounts) -> Option<Vec<String>> {
    let mut words: Vec<String> = vec!["useradd".into()];
    if change.system {
        words.push("-r".into());
    }
    words.push(if change.handle_home { "-m" } else { "-M" }.into());
    if change.group.is_none() && accounts.groups.iter().any(|g| g.name == name) {
        // A group of this name is there already: without this useradd would refuse to make it.
        words.push("-N".into());
    }
    common(&mut words, change);
    words.extend(["--".into(), name.into()]);
    Some(words)
}

fn usermod(name: &str, change: &UserChange) -> Option<Vec<String>> {
    let mut words: Vec<String> = vec!["usermod".into()];
    if change.home.is_some() && change.handle_home {
        words.push("-m".into());
    }
    common(&mut words, change);
    if words.len() == 1 {
        return None;
    }
    words.extend(["--".into(), name.into()]);
    Some(words)
}

fn common(words: &mut Vec<String>, change: &UserChange) {
    let mut option = |letter: &str, value: String| words.extend([letter.to_owned(), value]);
    if let Some(uid) = change.uid {
        option("-u", uid.to_string());
    }
    if let Some(group) = &change.group {
        option("-g", owner(group));
    }
    if let Some(groups) = &change.groups {
        option("-G", groups.join(","));
    }
    if let Some(comment) = &change.comment {
        option("-c", comment.clone());
    }
    if let Some(home) = &change.home {
        option("-d", home.to_string_lossy().into_owned());
    }
    if let Some(shell) = &change.shell {
        option("-s", shell.clone());
    }
    if let Some(expires) = change.expires {
        option("-e", expires.map(date).unwrap_or_default());
    }
    if change.non_unique && change.uid.is_some() {
        words.push("-o".into());
    }
}

fn owner(group: &Owner) -> String {
    group.to_string()
}

/// The day `days` after 1970-01-01, as the tools read it (proleptic Gregorian calendar).
fn date(days: i64) -> String {
    let days = days.clamp(0, 2_932_896) + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn set_password(live: &Live, name: &str, password: &str, locked: Option<bool>) -> HostResult<()> {
    if password.contains([':', '\n', '\0']) {
        return Err(HostError::Unsupported(format!(
            "the encrypted password of {name} holds a character that the shadow file cannot hold"
        )));
    }
    let password = match locked {
        Some(true) => format!("!{}", password.trim_start_matches('!')),
        Some(false) => password.trim_start_matches('!').to_owned(),
        None => password.to_owned(),
    };
    tool(live, vec!["chpasswd".into(), "-e".into()], format!("{name}:{password}\n").as_bytes())
}

/// Removes an account; one that is not there is gone already.
pub(in super::super) fn remove_user(live: &Live, name: &str, home: bool) -> HostResult<()> {
    valid("account", name)?;
    if !live.accounts.get()?.users.iter().any(|u| u.name == name) {
        return Ok(());
    }
    let mut words: Vec<String> = vec!["userdel".into()];
    if home {
        words.push("-r".into());
    }
    words.extend(["--".into(), name.into()]);
    tool(live, words, &[])
}

/// Makes or changes a group.
pub(in super::super) fn put_group(live: &Live, name: &str, change: &GroupChange) -> HostResult<()> {
    valid("group", name)?;
    let exists = live.accounts.get()?.groups.iter().any(|g| g.name == name);
    if exists && change.gid.is_none() {
        return Ok(());
    }
    let mut words: Vec<String> = vec![if exists { "groupmod" } else { "groupadd" }.into()];
    if change.system && !exists {
        words.push("-r".into());
    }
    if let Some(gid) = change.gid {
        words.extend(["-g".into(), gid.to_string()]);
        if change.non_unique {
            words.push("-o".into());
        }
    }
    words.extend(["--".into(), name.into()]);
    tool(live, words, &[])
}

/// Removes a group; one that is not there is gone already.
pub(in super::super) fn remove_group(live: &Live, name: &str) -> HostResult<()> {
    valid("group", name)?;
    if !live.accounts.get()?.groups.iter().any(|g| g.name == name) {
        return Ok(());
    }
    tool(live, vec!["groupdel".into(), "--".into(), name.into()], &[])
}

/// Refuses what no tool would take, and what would be read as an option or as another field.
fn valid(what: &str, name: &str) -> HostResult<()> {
    let fine = !name.is_empty()
        && name.len() <= 32
        && !name.starts_with(['-', '+', '~'])
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, ':' | ',' | '/' | '#'));
    if fine {
        Ok(())
    } else {
        Err(HostError::Unsupported(format!(
            "'{}' cannot be the name of {what}",
            sanitize(name.as_bytes()),
            what = match what {
                "account" => "an account",
                _ => "a group",
            }
        )))
    }
}

fn tool(live: &Live, argv: Vec<String>, stdin: &[u8]) -> HostResult<()> {
    let command = Command { argv, stdin: stdin.to_vec(), ..Command::default() };
    live.machinery(&command).map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_777), "2026-11-20");
    }

    #[test]
    fn a_new_account_gets_exactly_what_was_asked() {
        let change = UserChange {
            uid: Some(1500),
            group: Some(Owner::Name("web".into())),
            groups: Some(vec!["adm".into(), "zz".into()]),
            comment: Some("-m a comment".into()),
            home: Some(PathBuf::from("/srv/web")),
            handle_home: true,
            shell: Some("/bin/sh".into()),
            password: Some("$y$secret".into()),
            system: true,
            expires: Some(None),
            ..UserChange::default()
        };
        let words = useradd("app", &change, &Accounts::default()).unwrap();
        let expected = [
            "useradd",
            "-r",
            "-m",
            "-u",
            "1500",
            "-g",
            "web",
            "-G",
            "adm,zz",
            "-c",
            "-m a comment",
            "-d",
            "/srv/web",
            "-s",
            "/bin/sh",
            "-e",
            "",
            "--",
            "app",
        ];
        assert_eq!(words, expected);
        assert!(!words.iter().any(|w| w.contains("secret")), "a password is never among the words");
    }

    #[test]
    fn nothing_to_change_runs_nothing() {
        assert_eq!(usermod("app", &UserChange::default()), None);
    }

    #[test]
    fn names_that_would_be_options_or_fields_are_refused() {
        for name in ["-rf", "a:b", "a b", "", "a\nb", "../x"] {
            assert!(valid("account", name).is_err(), "{name:?}");
        }
        assert!(valid("group", "www-data").is_ok());
    }
}
