//! Kernel parameters (proc_sys(5)) and kernel modules (modprobe(8)).

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use rectify_core::module::{Command, HostError, HostResult};
use rustix::io::Errno;

use super::{
    Live,
    files::look,
    text::{io_about, sanitize, std_io},
};

/// The most that a kernel parameter may hold, in bytes.
const LARGEST: u64 = 1 << 20;

/// The file of a kernel parameter, by the rule of sysctl(8): whichever of `.` and `/` comes first separates, the other one
/// belongs to a name (`net.ipv4.conf.eth0/100.rp_filter`, `net/ipv4/conf/eth0.100/rp_filter`).
fn file(root: &Path, key: &str) -> HostResult<PathBuf> {
    let slashes = key.find(['.', '/']).is_some_and(|i| key.as_bytes()[i] == b'/');
    let path: String = key
        .chars()
        .map(|c| match c {
            '.' if !slashes => '/',
            '/' if !slashes => '.',
            c => c,
        })
        .collect();
    if path.is_empty()
        || path.split('/').any(|part| part.is_empty() || part == "." || part == "..")
        || path.contains('\0')
    {
        return Err(HostError::Unsupported(format!("'{}' is no name of a kernel parameter", sanitize(key.as_bytes()))));
    }
    Ok(root.join(path))
}

/// The live value, without the line's end; `None` if the kernel does not have it.
pub(super) fn sysctl(root: &Path, key: &str) -> HostResult<Option<String>> {
    let value = look::read(&file(root, key)?, LARGEST).map_err(|e| renamed(e, "reading the kernel parameter", key))?;
    Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()))
}

/// Sets the live value.
pub(super) fn set_sysctl(root: &Path, key: &str, value: &str) -> HostResult<()> {
    const ACTION: &str = "setting the kernel parameter";
    let path = file(root, key)?;
    let fail = |error: std::io::Error| match Errno::from_io_error(&error) {
        Some(errno) => explain(ACTION, key, value, errno),
        None => renamed(std_io(ACTION, &path, &error), ACTION, key),
    };
    // One write: the kernel reads a parameter from the first only.
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).map_err(fail)?;
    file.write_all(format!("{value}\n").as_bytes()).map_err(fail)
}

fn explain(action: &str, key: &str, value: &str, errno: Errno) -> HostError {
    let message = match errno {
        Errno::NOENT => "this kernel has no such parameter".to_owned(),
        Errno::ROFS => {
            "/proc/sys is read-only here (a container): it can only be set on the machine that runs it".into()
        }
        Errno::INVAL => format!("the kernel does not take the value '{}'", sanitize(value.as_bytes())),
        errno => return io_about(action, sanitize(key.as_bytes()), errno),
    };
    HostError::Io {
        action: action.into(),
        object: sanitize(key.as_bytes()),
        message,
        errno: Some(errno.raw_os_error()),
    }
}

fn renamed(error: HostError, new_action: &str, key: &str) -> HostError {
    match error {
        HostError::Io { message, errno, .. } => {
            HostError::Io { action: new_action.into(), object: sanitize(key.as_bytes()), message, errno }
        }
        other => other,
    }
}

/// The modules in /proc/modules with their use counts. A kernel built without modules has none.
pub(super) fn modules(proc: &Path) -> HostResult<IndexMap<String, u32>> {
    match look::read(&proc.join("modules"), 16 << 20)? {
        Some(bytes) => Ok(parse_modules(&String::from_utf8_lossy(&bytes))),
        None if proc.join("version").exists() => Ok(IndexMap::new()),
        None => Err(HostError::Unsupported("/proc is not mounted: the kernel's modules cannot be seen".into())),
    }
}

fn parse_modules(text: &str) -> IndexMap<String, u32> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?;
            // A module that cannot be unloaded has `-` for its count.
            Some((name.to_owned(), words.nth(1)?.parse().unwrap_or(0)))
        })
        .collect()
}

/// Loads or unloads a module.
pub(super) fn set_module(live: &Live, name: &str, loaded: bool) -> HostResult<()> {
    let fine = !name.is_empty()
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+'));
    if !fine {
        return Err(HostError::Unsupported(format!("'{}' is no name of a kernel module", sanitize(name.as_bytes()))));
    }
    let words: &[&str] = if loaded { &["modprobe", "--", name] } else { &["modprobe", "-r", "--", name] };
    live.machinery(&Command::new(words.iter().copied())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_separator_leads_to_the_same_file() {
        let root = Path::new("/proc/sys");
        let expected = Path::new("/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
        assert_eq!(file(root, "net.ipv4.conf.eth0/100.rp_filter").unwrap(), expected);
        assert_eq!(file(root, "net/ipv4/conf/eth0.100/rp_filter").unwrap(), expected);
        for key in ["", "..", "net..x", "/etc/passwd", "net/../../x", "a.\0"] {
            assert!(file(root, key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn parameters_are_read_and_written() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("vm")).unwrap();
        std::fs::write(dir.path().join("vm/swappiness"), "60\n").unwrap();
        assert_eq!(sysctl(dir.path(), "vm.swappiness").unwrap().as_deref(), Some("60"));
        set_sysctl(dir.path(), "vm.swappiness", "10").unwrap();
        assert_eq!(sysctl(dir.path(), "vm.swappiness").unwrap().as_deref(), Some("10"));
        assert_eq!(sysctl(dir.path(), "vm.nothing").unwrap(), None);
        let error = set_sysctl(dir.path(), "vm.nothing", "1").unwrap_err().to_string();
        assert_eq!(error, "setting the kernel parameter vm.nothing: this kernel has no such parameter");
    }

    #[test]
    fn a_read_only_tree_is_said_to_be_one() {
        let error = explain("setting the kernel parameter", "vm.x", "1", Errno::ROFS).to_string();
        assert!(error.contains("read-only here (a container)"), "{error}");
    }

    #[test]
    fn loaded_modules_have_their_use_counts() {
        let text = "nf_tables 303104 12 nft_ct,nft_log, Live 0x0\nfirewire_core 1 - - Live 0x0\nbad\n";
        let modules = parse_modules(text);
        assert_eq!(modules["nf_tables"], 12);
        assert_eq!(modules["firewire_core"], 0);
        assert_eq!(modules.len(), 2);
    }
}
