//! Writing known hosts: whole files or nothing, one writer at a time, other lines byte for byte.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rectify_core::digest::hex;
use russh::keys::ssh_key::PublicKey;

use super::fault::KnownHostsError;
use super::names::{self, Names, file_name, folded};
use super::parse::{self, Line, Marker};
use super::store;

/// A key to file for a host.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The host name or alias.
    pub host: String,
    /// Its port; 22 for an alias.
    pub port: u16,
    /// The key.
    pub key: PublicKey,
}

impl NewKey {
    fn filed(&self) -> String {
        file_name(&folded(&self.host), self.port)
    }
}

/// Adds the keys to the file, but for those that it already lists for their host. Returns how many were added.
///
/// The file appears with mode 0600 if there is none (with its folder, 0700); otherwise it keeps its mode and owner. It is
/// replaced as a whole, under a lock on its folder. A symbolic link stays one.
pub fn append(file: &Path, keys: &[NewKey], hash_names: bool) -> Result<usize, KnownHostsError> {
    edit(file, keys, &[], hash_names)
}

/// Adds the keys as [`append`], and removes every other key of the hosts `renewed` (name and port) from the file.
///
/// A line that speaks for other hosts too loses the one name; if it has wildcards nothing is written and the error says
/// which line it is. Authorities and revoked keys stay.
pub fn replace(
    file: &Path,
    keys: &[NewKey],
    renewed: &[(String, u16)],
    hash_names: bool,
) -> Result<usize, KnownHostsError> {
    let renewed: Vec<_> = renewed.iter().map(|(host, port)| file_name(&folded(host), *port)).collect();
    edit(file, keys, &renewed, hash_names)
}

fn edit(file: &Path, keys: &[NewKey], renewed: &[String], hash_names: bool) -> Result<usize, KnownHostsError> {
    for key in keys {
        check_name(&key.host)?;
    }
    let file = target(file)?;
    let folder = folder_of(&file);
    make_folder(&folder)?;
    let lock = File::open(&folder).map_err(failed("lock the folder", &folder))?;
    // Unlocked when `lock` is closed.
    lock.lock().map_err(failed("lock the folder", &folder))?;
    let old = store::read(&file)?;
    let mut content = without(old.as_deref().unwrap_or_default(), renewed, keys, &file)?;
    let added = add(&mut content, keys, hash_names)?;
    if old.as_deref() != Some(content.as_slice()) && (added > 0 || old.is_some()) {
        write(&file, &folder, &content, old.is_some())?;
    }
    Ok(added)
}

/// The file behind symbolic links, so that a rename does not replace the link.
fn target(file: &Path) -> Result<PathBuf, KnownHostsError> {
    match std::fs::canonicalize(file) {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match std::fs::read_link(file) {
            // A link to nowhere yet.
            Ok(to) => Ok(folder_of(file).join(to)),
            Err(_) => Ok(file.to_owned()),
        },
        Err(source) => Err(failed("find", file)(source)),
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn make_folder(folder: &Path) -> Result<(), KnownHostsError> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(failed("create the folder", folder)(source)),
    }
}

/// What would change the meaning of the line must not get into its first field.
fn check_name(host: &str) -> Result<(), KnownHostsError> {
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, ',' | '*' | '?' | '!' | '#' | '@' | '|' | '[' | ']')
    };
    match host.is_empty() || host.contains(odd) {
        true => Err(KnownHostsError::Name { name: host.to_owned() }),
        false => Ok(()),
    }
}

/// The content without the keys of the hosts in `renewed` other than `keys`.
fn without(content: &[u8], renewed: &[String], keys: &[NewKey], file: &Path) -> Result<Vec<u8>, KnownHostsError> {
    if renewed.is_empty() {
        return Ok(content.to_owned());
    }
    let mut kept = Vec::with_capacity(content.len());
    for (number, raw) in (1..).zip(content.split_inclusive(|c| *c == b'\n')) {
        let line = raw.strip_suffix(b"\n").unwrap_or(raw);
        let Ok(Some(parsed)) = parse::parse(line) else {
            kept.extend_from_slice(raw);
            continue;
        };
        let stale: Vec<&String> = renewed.iter().filter(|name| is_stale(&parsed, name, keys)).collect();
        match stale.as_slice() {
            [] => kept.extend_from_slice(raw),
            names => match remove_names(raw, &parsed, names) {
                Some(rest) => kept.extend_from_slice(&rest),
                None => {
                    let name = names[0].clone();
                    return Err(KnownHostsError::SharedLine { name, path: file.to_owned(), line: number });
                }
            },
        }
    }
    Ok(kept)
}

fn is_stale(line: &Line, name: &str, keys: &[NewKey]) -> bool {
    let wanted = || keys.iter().any(|key| key.filed() == *name && *key.key.key_data() == line.key);
    line.marker == Marker::Key && line.names.covers(name) && !wanted()
}

/// The line without these names: empty if none is left, `None` if it cannot be done.
fn remove_names(raw: &[u8], line: &Line, gone: &[&String]) -> Option<Vec<u8>> {
    if matches!(line.names, Names::Hashed { .. }) {
        return Some(Vec::new());
    }
    let _plain_list = line.names.literal()?;
    let start = raw.iter().position(|c| !c.is_ascii_whitespace())?;
    let end = start + raw[start..].iter().position(|c| c.is_ascii_whitespace())?;
    let names = std::str::from_utf8(&raw[start..end]).ok()?;
    let left: Vec<_> =
        names.split(',').filter(|name| !gone.iter().any(|gone| gone.eq_ignore_ascii_case(name))).collect();
    match left.is_empty() {
        true => Some(Vec::new()),
        false => Some([&raw[..start], left.join(",").as_bytes(), &raw[end..]].concat()),
    }
}

fn add(content: &mut Vec<u8>, keys: &[NewKey], hash_names: bool) -> Result<usize, KnownHostsError> {
    let mut listed = store::KnownHosts::default();
    listed.add(Path::new(""), content);
    let mut done: Vec<(String, &PublicKey)> = Vec::new();
    for key in keys {
        let name = key.filed();
        let known = listed.about(&name).iter().any(|entry| entry.is(Marker::Key, key.key.key_data()));
        if known || done.iter().any(|(other, seen)| *other == name && seen.key_data() == key.key.key_data()) {
            continue;
        }
        if content.last().is_some_and(|last| *last != b'\n') {
            content.push(b'\n');
        }
        // Without its comment, which the server or a file chose.
        let plain = PublicKey::new(key.key.key_data().clone(), "");
        let text = plain.to_openssh().map_err(|_| KnownHostsError::Key { name: name.clone() })?;
        let field = if hash_names { names::hashed(&name, &salt()?) } else { name.clone() };
        content.extend_from_slice(format!("{field} {}\n", text.trim_end()).as_bytes());
        done.push((name, &key.key));
    }
    Ok(done.len())
}

fn salt() -> Result<[u8; 20], KnownHostsError> {
    let source = Path::new("/dev/urandom");
    let mut salt = [0; 20];
    File::open(source).and_then(|mut random| random.read_exact(&mut salt)).map_err(failed("read", source))?;
    Ok(salt)
}

fn write(file: &Path, folder: &Path, content: &[u8], exists: bool) -> Result<(), KnownHostsError> {
    let new = folder.join(format!(".known_hosts.{}.{}", std::process::id(), hex(&salt()?[..6])));
    let result = write_new(&new, content, exists.then_some(file)).and_then(|()| std::fs::rename(&new, file));
    if let Err(source) = result {
        // The name is ours alone, and a left-over is harmless.
        let _ = std::fs::remove_file(&new);
        return Err(failed("write", file)(source));
    }
    // Durable after a crash; the rename itself already stands.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_new(new: &Path, content: &[u8], like: Option<&Path>) -> std::io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    if let Some(like) = like {
        let old = std::fs::metadata(like)?;
        let mine = out.metadata()?;
        if (mine.uid(), mine.gid()) != (old.uid(), old.gid()) {
            let given = std::os::unix::fs::fchown(&out, Some(old.uid()), Some(old.gid()));
            // Another group is no harm; another owner could lock the old one out.
            if mine.uid() != old.uid() {
                given?;
            }
        }
        out.set_permissions(Permissions::from_mode(old.mode() & 0o755))?;
    }
    out.write_all(content)?;
    out.sync_all()
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> KnownHostsError + use<'a> {
    move |source| KnownHostsError::Write { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF3qlmXtoEiTWiAXksKO9+DwbNKdesUPFhLN+F+vZaZt";

    fn new(host: &str, port: u16, key: &str) -> NewKey {
        NewKey { host: host.to_owned(), port, key: PublicKey::from_openssh(key).unwrap() }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dot-ssh/known_hosts");
        let keys = [new("H", 22, &format!("{A} comment")), new("h", 2222, B), new("h", 22, A)];
        assert_eq!(append(&file, &keys, false).unwrap(), 2);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("h {A}\n[h]:2222 {B}\n"));
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(append(&file, &keys, true).unwrap(), 0, "what is listed is not listed again");
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_key_is_filed_where_it_is_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        let key = PublicKey::from_openssh(A).unwrap();
        for (host, port) in [("WEB1", 22), ("2001:DB8:0::1", 22), ("2001:DB8:0::1", 2222)] {
            for hash_names in [false, true] {
                let _ = std::fs::remove_file(&file);
                append(&file, &[new(host, port, A)], hash_names).unwrap();
                let known = store::KnownHosts::load([&file]).unwrap();
                let target = super::super::Target::new(host, port);
                let decision = known.decide(&target, super::super::Offered::Key(&key));
                assert!(decision.is_trusted(), "{host}:{port} {decision:?}");
                assert_eq!(append(&file, &[new(host, port, A)], hash_names).unwrap(), 0);
            }
        }
    }

    #[test]
    fn other_lines_stay_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        let link = folder.path().join("known_hosts");
        std::os::unix::fs::symlink("real", &link).unwrap();
        let old = b"# \xff comment\r\n\n  garbage\nweb1 ssh-ed25519 AAAA";
        std::fs::write(&real, old).unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o644)).unwrap();
        append(&link, &[new("h", 22, A)], true).unwrap();
        let content = std::fs::read(&real).unwrap();
        assert!(content.starts_with(old));
        assert!(content[old.len()..].starts_with(b"\n|1|"));
        assert_eq!(mode(&real), 0o644);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_renewed_host_loses_its_other_keys_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        append(&file, &[new("hashed", 22, B)], true).unwrap();
        let hashed = std::fs::read_to_string(&file).unwrap();
        let keep = format!("@cert-authority h {B}\n@revoked h {B}\nother {B}\n");
        std::fs::write(&file, format!("{hashed}H,other2 {B} c\nh {B}\n{keep}")).unwrap();
        let renewed = [("h".to_owned(), 22), ("hashed".to_owned(), 22)];
        replace(&file, &[new("h", 22, A), new("hashed", 22, A)], &renewed, false).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("other2 {B} c\n{keep}h {A}\nhashed {A}\n"));
    }

    #[test]
    fn a_line_for_many_hosts_is_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        let old = format!("\n*.example {B}\n");
        std::fs::write(&file, &old).unwrap();
        let error = replace(&file, &[new("a.example", 22, A)], &[("a.example".to_owned(), 22)], false).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), old);
    }

    #[test]
    fn names_that_would_mean_more_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        for name in ["*", "a,b", "a b", "a\nb", "", "@revoked", "|1|x|y", "!a", "[a]:1"] {
            assert!(matches!(append(&file, &[new(name, 22, A)], false), Err(KnownHostsError::Name { .. })), "{name:?}");
        }
        assert!(!file.exists());
    }

    #[test]
    fn writers_do_not_lose_each_others_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for number in 0..5 {
                        append(file, &[new(&format!("h{writer}-{number}"), 22, A)], false).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 40);
    }
}
