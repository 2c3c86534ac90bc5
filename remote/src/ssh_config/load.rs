//! Reading a configuration and everything that it includes.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::env::{Env, is_private_group};
use super::error::{ConfigError, LineError};
use super::{glob, keywords, words};

const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
const MAX_FILES: usize = 1000;
/// As deep as OpenSSH goes.
const MAX_DEPTH: usize = 16;

/// A file, its lines in order, included files within.
#[derive(Debug, Clone)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// Whether it belongs to the user's configuration rather than the system's.
    pub(super) of_user: bool,
    pub(super) lines: Vec<Line>,
}

/// A line that is not empty.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: usize,
    /// The keyword in lower case, without aliases.
    pub(super) keyword: String,
    /// What follows it.
    pub(super) rest: String,
    /// The files of an `Include`.
    pub(super) included: Vec<ConfigFile>,
}

/// Reads files with their includes and collects the lines that make no sense.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    env: &'a Env,
    /// Where relative includes of the system's configuration are.
    system_folder: PathBuf,
    files: usize,
    pub(super) errors: Vec<LineError>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(env: &'a Env, system_file: Option<&Path>) -> Self {
        let system_folder = system_file.and_then(Path::parent).unwrap_or(Path::new("/etc/ssh")).to_owned();
        Self { env, system_folder, files: 0, errors: Vec::new() }
    }

    /// The file, or `None` if there is none.
    pub(super) fn load(&mut self, path: &Path, of_user: bool, depth: usize) -> Result<Option<ConfigFile>, ConfigError> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(ConfigError::TooMuch { path: path.to_owned(), what: "more than 1000 files are included" });
        }
        let Some(content) = self.read(path)? else {
            return Ok(None);
        };
        let mut file = ConfigFile { path: path.to_owned(), of_user, lines: Vec::new() };
        for (number, raw) in (1..).zip(content.split(|c| *c == b'\n')) {
            match split(raw) {
                Ok(None) => {}
                Ok(Some((keyword, rest))) => {
                    let mut line = Line { number, keyword, rest, included: Vec::new() };
                    if line.keyword == "include" {
                        line.included = self.include(&file, &line, depth)?;
                    }
                    file.lines.push(line);
                }
                Err(message) => self.wrong(&file.path, number, message),
            }
        }
        Ok(Some(file))
    }

    fn wrong(&mut self, file: &Path, line: usize, message: impl Into<String>) {
        self.errors.push(LineError { file: file.to_owned(), line, message: message.into() });
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            // OpenSSH opens it and reads nothing.
            return Ok(Some(Vec::new()));
        }
        if metadata.is_file() && !self.is_safe(&metadata) {
            return Err(ConfigError::Permissions { path: path.to_owned() });
        }
        let mut content = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
        match content.len() as u64 > MAX_FILE_BYTES {
            true => Err(ConfigError::TooMuch { path: path.to_owned(), what: "larger than 4 MiB" }),
            false => Ok(Some(content)),
        }
    }

    /// As OpenSSH on Debian and RPM systems: root's or ours; writable by nobody else, but for a group of our own.
    fn is_safe(&self, metadata: &std::fs::Metadata) -> bool {
        let owned = metadata.uid() == 0 || metadata.uid() == self.env.uid;
        let group_writes = metadata.mode() & 0o020 != 0;
        owned && metadata.mode() & 0o002 == 0 && (!group_writes || is_private_group(metadata.gid(), &self.env.user))
    }

    fn include(&mut self, file: &ConfigFile, line: &Line, depth: usize) -> Result<Vec<ConfigFile>, ConfigError> {
        let Ok(patterns) = words::arguments(&line.rest) else {
            // Said when the line is applied.
            return Ok(Vec::new());
        };
        let mut included = Vec::new();
        for pattern in patterns {
            let Some(pattern) = self.anchored(file, &pattern) else {
                self.wrong(&file.path, line.number, format!("cannot include {pattern:?}"));
                continue;
            };
            for path in glob::expand(&pattern) {
                if depth >= MAX_DEPTH {
                    self.wrong(
                        &file.path,
                        line.number,
                        format!("included more than {MAX_DEPTH} deep: {}", path.display()),
                    );
                    return Ok(Vec::new());
                }
                included.extend(self.load(&path, file.of_user, depth + 1)?);
            }
        }
        Ok(included)
    }

    fn anchored(&self, file: &ConfigFile, pattern: &str) -> Option<String> {
        if pattern.is_empty() || (pattern.starts_with('~') && !file.of_user) {
            return None;
        }
        let folder = match file.of_user {
            true => format!("{}/.ssh", self.env.home.to_str()?),
            false => self.system_folder.to_str()?.to_owned(),
        };
        match pattern.starts_with(['/', '~']) {
            true => self.env.expand_tilde(pattern),
            false => Some(format!("{folder}/{pattern}")),
        }
    }
}

/// Keyword and rest of a line. `None`: empty or a comment.
fn split(raw: &[u8]) -> Result<Option<(String, String)>, String> {
    let start = raw.trim_ascii_start();
    if start.is_empty() || start[0] == b'#' {
        return Ok(None);
    }
    let text = std::str::from_utf8(raw).map_err(|_| "not UTF-8".to_owned())?;
    let text = text.trim_end_matches([' ', '\t', '\r', '\n', '\u{c}']);
    let open = |_| "a quote is not closed".to_owned();
    let (mut keyword, mut rest) = words::keyword(text).map_err(open)?;
    if let ("", Some(after)) = (keyword.as_str(), rest) {
        (keyword, rest) = words::keyword(after).map_err(open)?;
    }
    if keyword.is_empty() || keyword.starts_with('#') {
        return Ok(None);
    }
    match rest.map(words::skip_blanks) {
        None | Some("") => Err(format!("no argument after `{keyword}`")),
        Some(rest) => Ok(Some((keywords::canonical(&keyword), rest.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let some = |keyword: &str, rest: &str| Ok(Some((keyword.to_owned(), rest.to_owned())));
        for (raw, result) in [
            ("", Ok(None)),
            ("  # Port 22", Ok(None)),
            ("Port 22 \t\r", some("port", "22")),
            ("\tPORT = 22", some("port", "22")),
            ("IdentityFile2 \"a b\"", some("identityfile", "\"a b\"")),
            ("Port", Err("no argument after `Port`".to_owned())),
            ("\"Port 22", Err("a quote is not closed".to_owned())),
        ] {
            assert_eq!(split(raw.as_bytes()), result, "{raw:?}");
        }
        assert_eq!(split(b"User \xff"), Err("not UTF-8".to_owned()));
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "Port 22\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o646)).unwrap();
        let env = Env::system(false);
        let error = Loader::new(&env, None).load(&file, true, 0).unwrap_err();
        assert!(matches!(error, ConfigError::Permissions { .. }), "{error}");
    }

    #[test]
    fn a_loop_of_includes_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, format!("Include {}\n", file.display())).unwrap();
        let env = Env::system(false);
        let mut loader = Loader::new(&env, None);
        loader.load(&file, true, 0).unwrap();
        assert!(loader.errors[0].to_string().contains("config:1: included more than 16 deep"), "{:?}", loader.errors);
    }
}
