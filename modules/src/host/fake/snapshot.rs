//! A whole host as one value, to be compared.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{FileKind, HostResult, Observe};
use serde_json::{Value, json};

use super::Fake;

impl Fake {
    /// Everything that can be seen of the host, as data: two hosts are the same if these are equal. Times, inode numbers and
    /// the sizes of folders are left out.
    ///
    /// # Errors
    /// What the fixture's faults answer.
    pub fn snapshot(&self) -> HostResult<Value> {
        let mut files = BTreeMap::new();
        snapshot_files(self, Path::new("/"), &mut files)?;
        let (mut users, mut groups) = (self.users()?, self.groups()?);
        users.sort_by(|a, b| a.name.cmp(&b.name));
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        let mut units = BTreeMap::new();
        for name in self.unit_names() {
            units.insert(name.clone(), json!(self.unit(&name)?));
        }
        let mut sysctls = BTreeMap::new();
        for key in self.fixture.spec.sysctls.keys() {
            sysctls.insert(key.clone(), self.sysctl(key)?);
        }
        let modules: BTreeMap<_, _> = self.kernel_modules()?.into_iter().collect();
        Ok(json!({
            "files": files, "users": users, "groups": groups, "packages": self.packages()?.packages,
            "units": units, "sysctls": sysctls, "kernel_modules": modules,
        }))
    }

    fn unit_names(&self) -> Vec<String> {
        let of_packages = self.fixture.packages().flat_map(|(_, p)| p.units.keys());
        let mut names: Vec<String> = self.fixture.units.keys().chain(of_packages).cloned().collect();
        names.sort();
        names.dedup();
        names
    }
}

/// What is at and below a path of any host, one line each. What cannot be looked at is told by its error.
pub(crate) fn snapshot_files(host: &dyn Observe, path: &Path, into: &mut BTreeMap<PathBuf, String>) -> HostResult<()> {
    let Some(meta) = host.lstat(path)? else { return Ok(()) };
    let owner = format!("{:04o} {}:{}", meta.mode, meta.uid, meta.gid);
    let line = match meta.kind {
        FileKind::File => match host.sha256(path) {
            Ok(sha256) => format!("file {owner} {} {}", meta.size, sha256.unwrap_or_default()),
            Err(e) => format!("file {owner} {} ({e})", meta.size),
        },
        FileKind::Link => format!("link {}:{} to {}", meta.uid, meta.gid, host.read_link(path)?.display()),
        FileKind::Directory => format!("folder {owner}"),
        FileKind::Other => format!("other {owner}"),
    };
    into.insert(path.to_owned(), line);
    if meta.kind == FileKind::Directory {
        let mut names = Vec::new();
        let listed = host.list(path, &mut |entry| {
            names.push(entry.name);
            true
        });
        if let Err(e) = listed {
            into.insert(path.join("*"), e.to_string());
        }
        for name in names {
            snapshot_files(host, &path.join(name), into)?;
        }
    }
    Ok(())
}
