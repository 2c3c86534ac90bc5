//! What the tools that make accounts are configured to do (login.defs(5), useradd(8)).

use std::path::{Path, PathBuf};

use super::sight::Sight;

/// The part of the configuration that decides what a new account gets.
pub(super) struct LoginDefs {
    pub(super) uids: (u32, u32),
    pub(super) system_uids: (u32, u32),
    pub(super) gids: (u32, u32),
    pub(super) system_gids: (u32, u32),
    /// Whether a new account gets a group of its own.
    pub(super) user_groups: bool,
    pub(super) home_mode: u32,
    pub(super) homes: PathBuf,
    pub(super) shell: String,
    pub(super) default_group: u32,
}

impl LoginDefs {
    /// Reads it; what cannot be read has the built-in defaults of shadow-utils.
    pub(super) fn read(sight: &Sight<'_>) -> Self {
        let text = |path: &str| {
            let bytes = sight.read(Path::new(path), 1 << 20).ok().flatten();
            bytes.map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
        };
        let (defs, useradd) = (text("/etc/login.defs"), text("/etc/default/useradd"));
        let def = |key: &str| {
            defs.lines().find_map(|line| {
                let (found, value) = line.trim().split_once(char::is_whitespace)?;
                (found == key).then(|| value.trim().trim_matches('"').to_owned())
            })
        };
        let default = |key: &str| {
            useradd.lines().find_map(|line| {
                let (found, value) = line.trim().split_once('=')?;
                (found == key).then(|| value.trim().to_owned())
            })
        };
        let number = |key: &str, default: u32| def(key).and_then(|v| v.parse().ok()).unwrap_or(default);
        let bits = |key: &str| def(key).and_then(|v| u32::from_str_radix(&v, 8).ok());
        let (uid_min, gid_min) = (number("UID_MIN", 1000), number("GID_MIN", 1000));
        LoginDefs {
            uids: (uid_min, number("UID_MAX", 60000)),
            system_uids: (number("SYS_UID_MIN", 101), number("SYS_UID_MAX", uid_min.saturating_sub(1))),
            gids: (gid_min, number("GID_MAX", 60000)),
            system_gids: (number("SYS_GID_MIN", 101), number("SYS_GID_MAX", gid_min.saturating_sub(1))),
            user_groups: def("USERGROUPS_ENAB").is_some_and(|v| v.eq_ignore_ascii_case("yes")),
            home_mode: bits("HOME_MODE").unwrap_or_else(|| 0o777 & !bits("UMASK").unwrap_or(0o022)),
            homes: default("HOME").map_or_else(|| "/home".into(), PathBuf::from),
            shell: default("SHELL").unwrap_or_default(),
            default_group: default("GROUP").and_then(|v| v.parse().ok()).unwrap_or(100),
        }
    }
}
