//! `glob(7)` for `Include`.

use std::path::PathBuf;

/// More files than this are not looked at.
const MAX_FILES: usize = 1000;

/// The existing files that match `pattern`, an absolute path, in the order of their bytes. Names that begin with a dot
/// have to be asked for. Folders that cannot be read match nothing.
pub(super) fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found.into_iter().flat_map(|folder| step(&folder, part)).take(MAX_FILES).collect();
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found
}

fn step(folder: &std::path::Path, part: &str) -> Vec<PathBuf> {
    if !part.contains(['*', '?', '[', '\\']) {
        return vec![folder.join(part)];
    }
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') || part.starts_with('.'))
        .filter(|name| matches(name.as_bytes(), part.as_bytes()))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| folder.join(name)).collect()
}

fn matches(name: &[u8], pattern: &[u8]) -> bool {
    let (mut n, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p + 1, n));
            p += 1;
        } else if n == name.len() && p == pattern.len() {
            return true;
        } else if let Some(next) = name.get(n).and_then(|c| one(*c, &pattern[p..])) {
            p += next;
            n += 1;
        } else if let Some((after, from)) = back.filter(|(_, from)| *from < name.len()) {
            back = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
}

/// How much of the pattern the character takes; `None` if it does not match.
fn one(c: u8, pattern: &[u8]) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'\\' if pattern.len() > 1 => (pattern[1] == c).then_some(2),
        b'[' => match class(c, pattern) {
            Some((inside, length)) => inside.then_some(length),
            // Never closed: an ordinary character.
            None => (c == b'[').then_some(1),
        },
        literal => (literal == c).then_some(1),
    }
}

/// Whether the character is in the class at the start of the pattern, and how long that is.
fn class(c: u8, pattern: &[u8]) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = 1 + usize::from(negated);
    let mut at = start;
    let mut inside = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > start {
            return Some((inside != negated, at + 1));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                inside |= (low..=*high).contains(&c);
                at += 3;
            }
            _ => {
                inside |= low == c;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (name, pattern) in [
            ("a.conf", "*.conf"),
            ("a1", "a[0-9]"),
            ("a-", "a[!0-9]"),
            ("]", "[]]"),
            ("a[", "a["),
            ("*", "\\*"),
            ("abc", "a*b*c"),
        ] {
            assert!(matches(name.as_bytes(), pattern.as_bytes()), "{name} {pattern}");
        }
        for (name, pattern) in [("a.con", "*.conf"), ("ab", "a[0-9]"), ("b", "\\*"), ("abd", "a*c"), ("", "?")] {
            assert!(!matches(name.as_bytes(), pattern.as_bytes()), "{name} {pattern}");
        }
    }

    #[test]
    fn files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.txt", "B.conf"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let root = folder.path().to_str().unwrap();
        let names = |pattern: &str| -> Vec<String> {
            expand(&format!("{root}/{pattern}"))
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names("*.conf"), ["B.conf", "a.conf", "b.conf"]);
        assert_eq!(names(".*.conf"), [".hidden.conf"]);
        assert_eq!(names("c.txt"), ["c.txt"]);
        assert!(names("none").is_empty());
        assert!(names("none/*").is_empty());
    }
}
