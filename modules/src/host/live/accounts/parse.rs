//! The formats of passwd(5), group(5) and shadow(5). Lines that are not in the format are passed over, as the C library does.

use std::collections::BTreeMap;

use rectify_core::module::{Group, User};

use super::Accounts;

/// What the three files say together.
pub(super) fn accounts(passwd: &str, group: &str, shadow: Option<&str>) -> Accounts {
    let groups: Vec<Group> = group.lines().filter_map(group_line).collect();
    let mut memberships: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for group in &groups {
        for member in &group.members {
            memberships.entry(member).or_default().push(group.name.clone());
        }
    }
    let secrets: BTreeMap<&str, (&str, Option<i64>)> =
        rectify_core::small::gather(shadow.unwrap_or_default().lines().filter_map(shadow_line));
    let users = passwd
        .lines()
        .filter_map(user_line)
        .map(|mut user| {
            if let Some(mut groups) = memberships.get(user.name.as_str()).cloned() {
                rectify_core::small::sort(&mut groups);
                groups.dedup();
                user.groups = groups;
            }
            if let Some((password, expires)) = secrets.get(user.name.as_str()) {
                user.password = Some((*password).to_owned());
                user.expires = *expires;
            }
            user
        })
        .collect();
    Accounts { users, groups }
}

/// One line of passwd(5). A password that stands in it, and not in the shadow file, is taken.
pub(in super::super) fn user_line(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, password, uid, gid, comment, home, shell] = fields.as_slice() else { return None };
    if !named(name) {
        return None;
    }
    Some(User {
        name: (*name).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        comment: (*comment).to_owned(),
        home: home.into(),
        shell: (*shell).to_owned(),
        groups: Vec::new(),
        password: (*password != "x").then(|| (*password).to_owned()),
        expires: None,
    })
}

/// One line of group(5).
pub(in super::super) fn group_line(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields.as_slice() else { return None };
    if !named(name) {
        return None;
    }
    let mut members: Vec<String> =
        members.split(',').map(str::trim).filter(|m| !m.is_empty()).map(str::to_owned).collect();
    rectify_core::small::sort(&mut members);
    members.dedup();
    Some(Group { name: (*name).to_owned(), gid: gid.parse().ok()?, members })
}

/// Name, encrypted password and day of expiry from a line of shadow(5).
fn shadow_line(line: &str) -> Option<(&str, (&str, Option<i64>))> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|n| named(n))?;
    let password = fields.next()?;
    let expires = fields.nth(5).and_then(|days| days.parse().ok()).filter(|days| *days >= 0);
    Some((name, (password, expires)))
}

/// Not a comment and not an instruction to NIS (`+@group`).
fn named(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['+', '-', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# comment\n+::::::\nbroken:x:one:1::/:/bin/sh\n\
                          web:x:33:33:Web, Site:/var/www:/usr/sbin/nologin\nold:$1$a$b:7:33::/:\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:web,root\nzz:x:9:web\nweb:x:33:\nbad\n";
    const SHADOW: &str = "root:*:19000:0:99999:7:::\nweb:!$y$j9T$x:19000:0:99999:7::20000:\n";

    #[test]
    fn the_three_files_make_accounts() {
        let all = accounts(PASSWD, GROUP, Some(SHADOW));
        let names: Vec<&str> = all.users.iter().map(|u| u.name.as_str()).collect();
        assert_eq!(names, ["root", "web", "old"], "broken lines and NIS entries are passed over");
        let web = &all.users[1];
        assert_eq!(web.groups, ["adm", "zz"]);
        assert_eq!(web.password.as_deref(), Some("!$y$j9T$x"));
        assert_eq!(web.expires, Some(20000));
        assert_eq!(all.users[0].expires, None);
        assert_eq!(all.users[2].password.as_deref(), Some("$1$a$b"));
        assert_eq!(all.groups[1].members, ["root", "web"]);
    }

    #[test]
    fn without_the_shadow_file_a_password_is_not_known() {
        let all = accounts(PASSWD, GROUP, None);
        assert_eq!(all.users[1].password, None);
    }
}
