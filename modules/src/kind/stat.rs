//! `stat`: what is known of a path.

use std::path::PathBuf;

use rectify_core::module::{Action, Entity, FileKind, ModuleError, Operate, Relations, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::shared::{
    digest::Algorithm,
    paths,
    stat::{access, checksum, facts},
};

/// Looks at a path and registers what is there as `stat`, with Ansible's keys. It changes nothing.
///
/// `stat.exists` is always there, the other keys only if it is true. Devices, sockets and FIFOs are not told apart: `isblk`,
/// `ischr`, `isfifo` and `issock` are there for everything else, as false. A checksum other than SHA-256 is left out for a file of more
/// than 256 MiB.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stat {
    /// The path. Absolute.
    path: PathBuf,
    /// Whether a link at the path is followed. Default: false.
    #[serde(default)]
    follow: bool,
    /// Whether the checksum of a file is taken. Default: true.
    get_checksum: Option<bool>,
    /// The checksum's algorithm. Default: `sha1`.
    #[serde(default)]
    checksum_algorithm: Algorithm,
}

impl Action for Stat {
    const KIND: &'static str = "stat";
    const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("dest", "path"),
        ("name", "path"),
        ("checksum", "checksum_algorithm"),
        ("checksum_algo", "checksum_algorithm"),
    ];
    const PURE: bool = true;
    const EXAMPLE: &'static str = "stat:\n  path: /etc/ssl/private/site.key\nregister: key\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let found = if self.follow { host.stat(&self.path)? } else { host.lstat(&self.path)? };
        let mut stat = Map::new();
        if let Some(meta) = found {
            stat = facts(&self.path, &meta, host)?;
            for (key, may) in ["readable", "writeable", "executable"].into_iter().zip(access(&meta, host)?) {
                stat.insert(key.into(), may.into());
            }
            // A host does not tell devices, sockets and FIFOs apart: for these the keys are left out.
            for key in ["isblk", "ischr", "isfifo", "issock"] {
                if meta.kind != FileKind::Other {
                    stat.insert(key.into(), false.into());
                }
            }
            if meta.kind == FileKind::Link {
                let target = host.read_link(&self.path)?;
                let source = paths::end_of_link(&self.path, host)?;
                stat.insert("lnk_target".into(), target.to_string_lossy().into());
                stat.insert("lnk_source".into(), source.to_string_lossy().into());
            }
            if self.get_checksum.unwrap_or(true)
                && let Some(sum) = checksum(&self.path, &meta, self.checksum_algorithm, host)?
            {
                stat.insert("checksum".into(), sum.into());
            }
            stat.insert("exists".into(), true.into());
        } else {
            stat.insert("exists".into(), false.into());
        }
        Ok(Report::looked([("stat".to_owned(), Value::Object(stat))].into_iter().collect()))
    }

    fn validate(&self) -> Result<(), String> {
        paths::absolute("path", &self.path)
    }

    fn relations(&self) -> Relations {
        Relations::default().needing([Entity::Path(self.path.clone())])
    }

    fn subject(&self) -> String {
        self.path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use rectify_core::arg::{Arg, from_arg};
    use serde_json::json;

    use super::*;
    use crate::host::fake::Fake;

    fn stat(args: Value, host: &Fake) -> Value {
        let stat: Stat = from_arg(&Arg::from_value(&args)).unwrap();
        stat.run(host).unwrap().data.remove("stat").unwrap()
    }

    #[test]
    fn a_file_is_told_with_ansibles_keys() {
        let host =
            Fake::from_yaml("{base: debian, files: {/srv/f: {content: abc, mode: '4750', owner: www-data, mtime: 7}}}")
                .unwrap();
        let found = stat(json!({"path": "/srv/f"}), &host);
        for (key, value) in [
            ("exists", json!(true)),
            ("isreg", json!(true)),
            ("mode", json!("4750")),
            ("pw_name", json!("www-data")),
            ("gr_name", json!("root")),
            ("size", json!(3)),
            ("mtime", json!(7.0)),
            ("isuid", json!(true)),
            ("wgrp", json!(false)),
            ("xusr", json!(true)),
            ("checksum", json!("a9993e364706816aba3e25717850c26c9cd0d89d")),
        ] {
            assert_eq!(found[key], value, "{key}");
        }
        assert_eq!(stat(json!({"path": "/srv/f", "get_checksum": false}), &host)["checksum"], Value::Null);
    }

    #[test]
    fn a_link_is_told_or_followed() {
        let host = Fake::debian();
        let link = stat(json!({"path": "/etc/os-release"}), &host);
        assert_eq!((&link["islnk"], &link["lnk_source"]), (&json!(true), &json!("/usr/lib/os-release")));
        assert_eq!(stat(json!({"path": "/etc/os-release", "follow": true}), &host)["isreg"], true);
    }

    #[test]
    fn nothing_there_is_no_error() {
        assert_eq!(stat(json!({"path": "/nowhere/x"}), &Fake::debian()), json!({"exists": false}));
    }

    #[test]
    fn without_root_the_bits_decide() {
        let yaml = "{base: debian, uid: 33, files: {/srv/f: {content: x, mode: '0640', group: www-data}}}";
        let found = stat(json!({"path": "/srv/f"}), &Fake::from_yaml(yaml).unwrap());
        assert_eq!([&found["readable"], &found["writeable"]], [&json!(true), &json!(false)]);
    }
}
