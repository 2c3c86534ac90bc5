//! What is known of a path, with Ansible's keys.

use std::path::Path;

use rectify_core::module::{FileKind, HostError, HostResult, Meta, Observe};
use serde_json::{Map, Value};

use super::{
    attrs::{group_name, octal, user_name},
    digest::Algorithm,
};

/// How long a file may be for a checksum that needs it in memory; SHA-256 needs none.
const SUMMED: u64 = 256 << 20;

const NANOSECONDS: f64 = 1e9;

/// The keys that `stat` and `find` have in common.
pub(crate) fn facts(path: &Path, meta: &Meta, host: &dyn Observe) -> HostResult<Map<String, Value>> {
    let mut data = Map::new();
    let mut put = |key: &str, value: Value| {
        data.insert(key.into(), value);
    };
    put("path", path.to_string_lossy().into());
    put("mode", octal(meta.mode).into());
    put("isdir", (meta.kind == FileKind::Directory).into());
    put("isreg", (meta.kind == FileKind::File).into());
    put("islnk", (meta.kind == FileKind::Link).into());
    put("uid", meta.uid.into());
    put("gid", meta.gid.into());
    put("size", meta.size.into());
    put("inode", meta.ino.into());
    put("dev", meta.dev.into());
    put("nlink", meta.nlink.into());
    for (key, time) in [("atime", meta.atime), ("mtime", meta.mtime), ("ctime", meta.ctime)] {
        #[expect(clippy::cast_precision_loss, reason = "Ansible's times are floating point too")]
        put(key, (time as f64 / NANOSECONDS).into());
    }
    for (at, who) in [(6, "usr"), (3, "grp"), (0, "oth")] {
        for (bit, what) in [(2, "r"), (1, "w"), (0, "x")] {
            put(&format!("{what}{who}"), (meta.mode >> (at + bit) & 1 == 1).into());
        }
    }
    put("isuid", (meta.mode & 0o4000 != 0).into());
    put("isgid", (meta.mode & 0o2000 != 0).into());
    put("pw_name", user_name(meta.uid, host)?.into());
    put("gr_name", group_name(meta.gid, host)?.into());
    Ok(data)
}

/// The checksum of a regular file; `None` if it is too long to be had in memory, and the algorithm is not SHA-256.
pub(crate) fn checksum(
    path: &Path,
    meta: &Meta,
    algorithm: Algorithm,
    host: &dyn Observe,
) -> HostResult<Option<String>> {
    if meta.kind != FileKind::File {
        return Ok(None);
    }
    if algorithm == Algorithm::Sha256 {
        return host.sha256(path);
    }
    match host.read(path, SUMMED) {
        Ok(bytes) => Ok(bytes.map(|b| algorithm.of(&b))),
        Err(HostError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the account that the work is done under may read, write and run it, by its bits. Root may all but run what no bit
/// lets anyone run.
pub(crate) fn access(meta: &Meta, host: &dyn Observe) -> HostResult<[bool; 3]> {
    let me = host.uid();
    if me == 0 {
        return Ok([true, true, meta.kind == FileKind::Directory || meta.mode & 0o111 != 0]);
    }
    let bits = if meta.uid == me {
        meta.mode >> 6
    } else if in_group(me, meta.gid, host)? {
        meta.mode >> 3
    } else {
        meta.mode
    };
    Ok([bits & 4 != 0, bits & 2 != 0, bits & 1 != 0])
}

/// Whether an account is in a group.
pub(crate) fn in_group(uid: u32, gid: u32, host: &dyn Observe) -> HostResult<bool> {
    let Some(user) = host.user_by_id(uid)? else { return Ok(false) };
    if user.gid == gid {
        return Ok(true);
    }
    Ok(host.group_by_id(gid)?.is_some_and(|group| user.groups.contains(&group.name)))
}
