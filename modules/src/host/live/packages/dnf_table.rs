//! The table in which dnf shows a transaction.

use rectify_core::module::{PackageChange, PackageDb, Transaction};

/// What the rows under a heading are about.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    /// Comes in beside whatever is there.
    Install,
    /// Takes the place of another version.
    Replace,
    Downgrade,
    Remove,
    /// Nothing that changes: reinstalled, skipped, a module stream.
    Other,
}

/// The transaction, and whether a version goes down in it.
pub(super) fn parse(text: &str, db: &PackageDb) -> (Transaction, bool) {
    let mut changes = Vec::new();
    let mut section = None;
    let mut downgrade = false;
    let mut row: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Transaction Summary") {
            break;
        }
        if let Some(heading) = line.strip_suffix(':').filter(|_| line.starts_with(|c: char| c.is_ascii_uppercase())) {
            section = Some(kind(heading));
            continue;
        }
        let Some(section) = section.filter(|s| *s != Section::Other) else { continue };
        let mut words = line.split_ascii_whitespace();
        if line.starts_with("     ") && line.trim_start().starts_with("replacing ") {
            // `     replacing  old.noarch 1.0-1`
            if let Some((name, arch)) = words.nth(1).and_then(|w| w.rsplit_once('.')) {
                changes.push(change(db, name, arch, None, Section::Remove));
            }
            continue;
        }
        // A row begins after one space; one that does not fit is continued, indented, on the next line.
        if line.starts_with(' ') && !line.starts_with("  ") {
            row.clear();
        }
        let complete = row.len() >= 3;
        row.extend(words);
        if let ([name, arch, version, ..], false) = (row.as_slice(), complete) {
            downgrade |= section == Section::Downgrade;
            changes.push(change(db, name, arch, Some(version), section));
        }
    }
    rectify_core::small::sort(&mut changes);
    changes.dedup();
    (Transaction { changes }, downgrade)
}

fn kind(heading: &str) -> Section {
    match heading.split(' ').next() {
        Some("Installing") => Section::Install,
        Some("Upgrading") => Section::Replace,
        Some("Downgrading") => Section::Downgrade,
        Some("Removing") => Section::Remove,
        _ => Section::Other,
    }
}

fn change(db: &PackageDb, name: &str, arch: &str, version: Option<&str>, section: Section) -> PackageChange {
    let foreign = arch != db.arch && arch != "noarch";
    let key = if foreign { format!("{name}:{arch}") } else { name.to_owned() };
    let there = db.installed(&key).map(|p| p.version.clone());
    let version = version.map(str::to_owned);
    let (from, to) = match section {
        Section::Remove => (version.or(there), None),
        Section::Install => (None, version),
        Section::Replace | Section::Downgrade | Section::Other => (there, version),
    };
    // One of several versions of a package that may be there side by side has a name of its own in the database.
    let several = from.as_ref().map(|v| format!("{key}-{v}")).filter(|k| db.packages.contains_key(k));
    PackageChange { name: several.unwrap_or(key), from, to, purge: false }
}

#[cfg(test)]
mod tests {
    use rectify_core::module::{InstalledPackage, Manager};

    use super::{
        super::fixture::{change, db, package},
        *,
    };

    fn some_db() -> PackageDb {
        let x86 = |name: &str, version: &str| InstalledPackage { arch: "x86_64".into(), ..package(name, version) };
        let mut db = db(Manager::Dnf, [x86("rectify-demo", "1.9-1"), x86("httpd", "2.4.62-1.el9")]);
        db.arch = "x86_64".into();
        db
    }

    /// Recorded with dnf 4.14 (Debian 12), `dnf -C --assumeno remove httpd` and `install rectify-demo-1.10 tree`.
    const REMOVAL: &str = "Dependencies resolved.
================================================================================
 Package                Architecture Version                 Repository    Size
================================================================================
Removing:
 httpd                  x86_64       2.4.62-1.el9            @local       4.5 M
Removing dependent packages:
 php                    x86_64       8.0.30-1.el9_2          @local        59  
Removing unused dependencies:
 httpd-filesystem       x86_64       2.4.62-1.el9            @local         0  

Transaction Summary
================================================================================
Remove  3 Packages

Freed space: 4.5 M
";
    const UPGRADE: &str = "Last metadata expiration check: 0:23:13 ago on Sat Nov 21 21:43:45 2026.
Dependencies resolved.
================================================================================
 Package              Architecture   Version                Repository     Size
================================================================================
Installing:
 tree                 x86_64         1.8.0-1.el9            local         6.0 k
Upgrading:
 rectify-demo         x86_64         1.10-1                 local         6.3 k

Transaction Summary
================================================================================
Install  1 Package
Upgrade  1 Package
";
    const DOWNGRADE: &str = "================================================================================
 Package                Architecture     Version          Repository       Size
================================================================================
Downgrading:
 rectify-demo           x86_64           1.8-1            local           6.3 k

Transaction Summary
";
    /// In the layout of the above, with a name that does not fit and a package that is made obsolete.
    const WRAPPED: &str = "Installing dependencies:
 a-package-with-a-name-that-is-much-longer-than-its-column
                       noarch        3:1.0-1.el9             appstream     23 k
 glibc                 i686          2.34-125.el9            baseos       2.0 M
     replacing  old-name.noarch 1.0-1
Skipping packages with conflicts:
 other                 x86_64        1-1                     baseos        1 k
Transaction Summary
";

    #[test]
    fn removals_with_all_that_they_take_along() {
        let expected = vec![
            change("httpd", Some("2.4.62-1.el9"), None, false),
            change("httpd-filesystem", Some("2.4.62-1.el9"), None, false),
            change("php", Some("8.0.30-1.el9_2"), None, false),
        ];
        assert_eq!(parse(REMOVAL, &some_db()), (Transaction { changes: expected }, false));
    }

    #[test]
    fn upgrades_and_downgrades_have_both_versions() {
        let expected = vec![
            change("rectify-demo", Some("1.9-1"), Some("1.10-1"), false),
            change("tree", None, Some("1.8.0-1.el9"), false),
        ];
        assert_eq!(parse(UPGRADE, &some_db()), (Transaction { changes: expected }, false));
        let expected = vec![change("rectify-demo", Some("1.9-1"), Some("1.8-1"), false)];
        assert_eq!(parse(DOWNGRADE, &some_db()), (Transaction { changes: expected }, true));
    }

    #[test]
    fn long_names_and_obsoletes() {
        let expected = vec![
            change("a-package-with-a-name-that-is-much-longer-than-its-column", None, Some("3:1.0-1.el9"), false),
            change("glibc:i686", None, Some("2.34-125.el9"), false),
            change("old-name", None, None, false),
        ];
        assert_eq!(parse(WRAPPED, &some_db()).0.changes, expected);
    }
}
