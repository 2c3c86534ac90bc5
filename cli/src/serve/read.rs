//! The files that have schedules in them: `rectify.toml`, and those that `[serve]` names.

use std::path::{Path, PathBuf};

use globset::Glob;
use rectify_core::diag::{Diagnostic, Diagnostics, FileId, SourceMap, render};
use rectify_server::schedule::{Schedule, read};

use crate::{
    config::{Config, NAME},
    exit::Expected,
};

/// Reads the project's configuration and its schedules.
///
/// # Errors
/// Everything that is wrong with them, each with its line.
pub(crate) fn schedules() -> Result<(Config, Vec<Schedule>), Expected> {
    let config = Config::load()?;
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let mut files = Vec::new();
    if Path::new(NAME).exists() {
        files.extend(add(Path::new(NAME), &mut map, &mut found));
    }
    for named in &config.serve.schedules {
        for path in matching(named, &mut found) {
            files.extend(add(&path, &mut map, &mut found));
        }
    }
    let all = read(&map, &files, &mut found);
    if found.has_errors() {
        return Err(Expected::usage(render(&map, &found, false).trim_end()));
    }
    Ok((config, all))
}

fn add(path: &Path, map: &mut SourceMap, found: &mut Diagnostics) -> Option<FileId> {
    let name = path.display().to_string();
    let read = std::fs::read(path);
    let read = read.map_err(|e| Box::new(Diagnostic::error("schedules", format!("reading {name}: {e}"))));
    match read.and_then(|bytes| map.add_bytes(name, bytes)) {
        Ok(file) => Some(file),
        Err(problem) => {
            found.push(*problem);
            None
        }
    }
}

/// The files that a path of `[serve] schedules` stands for, sorted. A name without a pattern stands for itself, there or not.
fn matching(named: &str, found: &mut Diagnostics) -> Vec<PathBuf> {
    let path = Path::new(named);
    let Some(last) = path.file_name().and_then(|last| last.to_str()).filter(|last| last.contains(['*', '?', '[', '{']))
    else {
        return vec![path.to_owned()];
    };
    let problem = |why: String| {
        Diagnostic::error("schedules", format!("[serve] schedules: {named}: {why}"))
            .help("name files, or a folder and a pattern such as \"schedules/*.toml\"")
    };
    let glob = match Glob::new(last) {
        Ok(glob) => glob.compile_matcher(),
        Err(e) => {
            found.push(problem(e.to_string()));
            return Vec::new();
        }
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) => {
            found.push(problem(e.to_string()));
            return Vec::new();
        }
    };
    let fits = |name: &std::ffi::OsStr| glob.is_match(name) && !name.as_encoded_bytes().starts_with(b".");
    let mut paths: Vec<PathBuf> =
        entries.flatten().filter(|entry| fits(&entry.file_name())).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_files_of_its_folder_and_a_name_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "c.txt", ".d.toml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut found = Diagnostics::new();
        let under = |name: &str| folder.path().join(name).display().to_string();
        let paths = matching(&under("*.toml"), &mut found);
        assert_eq!(paths, [folder.path().join("a.toml"), folder.path().join("b.toml")]);
        assert_eq!(matching("not/there.toml", &mut found), [PathBuf::from("not/there.toml")]);
        assert!(found.is_empty());
        assert!(matching("not/there/*.toml", &mut found).is_empty() && found.has_errors());
    }
}
