//! Where images live, when they are rebuilt, and how a build becomes visible.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{Image, tools};

/// Returns the folder of a finished image, building it under the lock if nobody has.
pub(super) fn ensure(image: Image) -> Result<PathBuf> {
    let images = folder();
    let finished = images.join(format!("{}-{}", image.name(), hash(image)?));
    if finished.is_dir() {
        return Ok(finished);
    }
    tools::require_root()?;
    tools::require(tools::to_build(image))?;
    let base = image.base().map(ensure).transpose()?;
    fs::create_dir_all(&images).with_context(|| format!("create {}", images.display()))?;
    let lock_path = images.join(format!("{}.lock", image.name()));
    let lock = File::create(&lock_path).with_context(|| format!("create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("lock {}", lock_path.display()))?;
    // Somebody else may have built it while this process waited.
    if !finished.is_dir() {
        build(image, base.as_deref(), &finished)?;
    }
    Ok(finished)
}

/// `RECTIFY_IMAGES`, or `rectify-images` in cargo's target folder.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("RECTIFY_IMAGES") {
        return folder.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = workspace.join(target).join("rectify-images");
    std::path::absolute(&folder).unwrap_or(folder)
}

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("images")
}

/// The first 16 hex digits of the hash over the recipe's files, `lib.sh`, and the hash of the image it builds on.
fn hash(image: Image) -> Result<String> {
    let mut files = BTreeMap::new();
    collect(&recipes().join(image.name()), &mut files)?;
    let shared = recipes().join("lib.sh");
    files.insert(shared.clone(), fs::read(&shared).with_context(|| format!("read {}", shared.display()))?);
    let mut hash = Sha256::new();
    for (path, content) in &files {
        let name = path.strip_prefix(recipes()).unwrap_or(path);
        hash.update(format!("{} {}\n", name.display(), content.len()));
        hash.update(content);
    }
    if let Some(base) = image.base() {
        hash.update(self::hash(base)?);
    }
    Ok(hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            let content = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            files.insert(path, content);
        }
    }
    Ok(())
}

/// Runs the recipe into a folder aside and renames it; called with the image's lock held.
fn build(image: Image, base: Option<&Path>, finished: &Path) -> Result<()> {
    let partial = finished.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("remove {}", partial.display()))?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("create {}", partial.display()))?;
    let log_path = finished.with_extension("log");
    let log = File::create(&log_path).with_context(|| format!("create {}", log_path.display()))?;
    let script = recipes().join(image.name()).join("build.sh");
    let status = Command::new("bash")
        .arg(&script)
        .arg(&partial)
        .args(base)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("open the build's log")?)
        .stderr(log)
        .status()
        .with_context(|| format!("run {}", script.display()))?;
    if !status.success() {
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("build the {} image: {status}; end of {}:\n{end}", image.name(), log_path.display());
    }
    fs::rename(&partial, finished).with_context(|| format!("rename to {}", finished.display()))
}
