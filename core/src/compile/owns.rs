//! Which paths, units and accounts belong to a package, by their names: soft edges in `order: graph`.
//!
//! The rules, for a package `NAME`: `/etc/NAME`, `/etc/NAME.conf`, `/etc/default/NAME`, `/etc/sysconfig/NAME`, `NAME` below
//! `/usr/lib`, `/usr/share`, `/usr/bin`, `/usr/sbin`, `/var/lib` and `/var/log`; the units `NAME.service`, `.socket` and `.timer`; the account
//! and group `NAME`. Beside that a table of well-known packages whose names differ from what they bring. A unit follows its own file, its drop-ins, and
//! its configuration by the same names.

use std::path::Path;

use crate::module::Entity;

struct Known {
    package: &'static str,
    paths: &'static [&'static str],
    units: &'static [&'static str],
    accounts: &'static [&'static str],
}

const fn known(
    package: &'static str,
    paths: &'static [&'static str],
    units: &'static [&'static str],
    accounts: &'static [&'static str],
) -> Known {
    Known { package, paths, units, accounts }
}

const KNOWN: &[Known] = &[
    known("apache2", &["/etc/apache2", "/var/www", "/var/log/apache2"], &["apache2"], &["www-data"]),
    known("audit", &["/etc/audit"], &["auditd"], &[]),
    known("auditd", &["/etc/audit"], &["auditd"], &[]),
    known("bind9", &["/etc/bind"], &["named"], &["bind"]),
    known("chrony", &["/etc/chrony", "/etc/chrony.conf"], &["chrony", "chronyd"], &["_chrony", "chrony"]),
    known("cron", &["/etc/cron.d"], &["cron"], &[]),
    known("cronie", &["/etc/cron.d"], &["crond"], &[]),
    known("haproxy", &["/etc/haproxy"], &["haproxy"], &["haproxy"]),
    known("httpd", &["/etc/httpd", "/var/www", "/var/log/httpd"], &["httpd"], &["apache"]),
    known("mariadb-server", &["/etc/mysql", "/etc/my.cnf", "/etc/my.cnf.d"], &["mariadb", "mysql"], &["mysql"]),
    known("mysql-server", &["/etc/mysql", "/etc/my.cnf"], &["mysql", "mysqld"], &["mysql"]),
    known("nginx", &["/etc/nginx", "/var/log/nginx"], &["nginx"], &["nginx", "www-data"]),
    known("openssh-server", &["/etc/ssh"], &["ssh", "sshd"], &["sshd"]),
    known("php", &["/etc/php", "/etc/php.ini", "/etc/php.d"], &[], &[]),
    known("postfix", &["/etc/postfix"], &["postfix"], &["postfix"]),
    known("postgresql", &["/etc/postgresql", "/var/lib/pgsql"], &["postgresql"], &["postgres"]),
    known("redis-server", &["/etc/redis"], &["redis-server", "redis"], &["redis"]),
    known("rsyslog", &["/etc/rsyslog.d", "/etc/rsyslog.conf"], &["rsyslog"], &[]),
    known("sudo", &["/etc/sudoers", "/etc/sudoers.d"], &[], &[]),
    known("unattended-upgrades", &["/etc/apt/apt.conf.d/50unattended-upgrades"], &["unattended-upgrades"], &[]),
];

/// Whether a thing comes with a package of this name.
pub(crate) fn brings(package: &str, thing: &Entity) -> bool {
    let known = KNOWN.iter().filter(|k| k.package == package);
    let mut known = known.peekable();
    match thing {
        Entity::Path(path) | Entity::Tree(path) => {
            own_path(package, path) || known.any(|k| k.paths.iter().any(|p| path.starts_with(p)))
        }
        Entity::Unit(unit) => {
            let stem = stem(unit);
            stem == package || known.any(|k| k.units.contains(&stem))
        }
        Entity::User(name) | Entity::Group(name) => {
            name == package || known.any(|k| k.accounts.contains(&name.as_str()))
        }
        _ => false,
    }
}

fn own_path(package: &str, path: &Path) -> bool {
    if package.is_empty() || package.contains('/') {
        return false;
    }
    let below = |folder: &str| path.starts_with(Path::new(folder).join(package));
    [
        "/etc",
        "/etc/default",
        "/etc/sysconfig",
        "/usr/lib",
        "/usr/share",
        "/usr/bin",
        "/usr/sbin",
        "/var/lib",
        "/var/log",
    ]
    .into_iter()
    .any(below)
        || path == Path::new(&format!("/etc/{package}.conf"))
}

fn stem(unit: &str) -> &str {
    let name = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    name.split('@').next().unwrap_or(name)
}

/// Whether a path is the unit's own file, a drop-in of it, or configuration by its name.
pub(crate) fn configures(path: &Path, unit: &str) -> bool {
    let folders = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    let own = folders.iter().any(|folder| {
        let folder = Path::new(folder);
        path == folder.join(unit) || path.starts_with(folder.join(format!("{unit}.d")))
    });
    let stem = stem(unit);
    let etc =
        |name: &str| path.starts_with(Path::new("/etc").join(name)) || path == Path::new(&format!("/etc/{name}.conf"));
    own || etc(stem)
        || KNOWN
            .iter()
            .filter(|k| k.units.contains(&stem))
            .any(|k| k.paths.iter().any(|p| p.starts_with("/etc") && path.starts_with(p)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_package_brings() {
        let path = |p: &str| Entity::Path(p.into());
        assert!(brings("nginx", &path("/etc/nginx/conf.d/a.conf")));
        assert!(brings("openssh-server", &path("/etc/ssh/sshd_config")));
        assert!(brings("httpd", &Entity::User("apache".into())));
        assert!(brings("apache2", &Entity::Unit("apache2.service".into())));
        assert!(!brings("apache2", &path("/etc/apache2x")));
        assert!(!brings("", &path("/etc/x")));
    }

    #[test]
    fn a_unit_follows_its_file_and_its_configuration() {
        assert!(configures(Path::new("/etc/systemd/system/app.service.d/x.conf"), "app.service"));
        assert!(configures(Path::new("/etc/ssh/sshd_config"), "sshd.service"));
        assert!(configures(Path::new("/etc/app/main.conf"), "app@one.service"));
        assert!(!configures(Path::new("/etc/other/main.conf"), "app.service"));
    }
}
