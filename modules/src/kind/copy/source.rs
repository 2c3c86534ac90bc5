//! Where the copied things come from, one by one.

use std::path::{Component, Path, PathBuf};

use rectify_core::module::{FileKind, Meta, ModuleError, Observe};
use serde::Deserialize;

use super::{
    super::{
        shared::{
            digest::Algorithm,
            mode::Mode,
            paths,
            place::{Job, Source},
            tree::{self, Step},
        },
        template::is_folder,
    },
    Copy,
};

/// How long a file may be whose checksum is asked for in another algorithm than SHA-256.
const CHECKED: u64 = 1 << 28;

/// A file or folder of the controller.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    /// Its path below the source folder; empty for the source itself.
    below: PathBuf,
    /// The hash of its content; nothing for a folder.
    sha256: Option<String>,
    /// Its size.
    size: Option<u64>,
    /// Its permission bits.
    mode: u32,
}

impl Copy {
    /// The one file that is copied; `None` if it is a folder.
    pub(super) fn single(&self, host: &dyn Observe) -> Result<Option<Job>, ModuleError> {
        if let Some(text) = &self.content {
            let source = Source::Bytes(text.0.as_bytes().into());
            self.check_sum(&source, host)?;
            return Ok(Some(self.job(self.dest.clone(), source, None)));
        }
        let src = self.src.as_deref().unwrap_or(Path::new(""));
        let (source, bits) = if self.remote_src {
            let meta = host.stat(src)?.ok_or_else(|| {
                ModuleError::failed(format!("there is nothing to copy: {} is not on this host", src.display()))
            })?;
            match meta.kind {
                FileKind::Directory => return Ok(None),
                FileKind::File => (host_file(src, &meta, host)?, meta.mode),
                _ => return Err(ModuleError::failed(format!("{} is neither a file nor a folder", src.display()))),
            }
        } else {
            let files = self.sent()?;
            match files {
                [Sent { sha256: Some(sha256), size, mode, below }] if below.as_os_str().is_empty() => {
                    (Source::Blob { sha256: sha256.clone(), size: size.unwrap_or(u64::MAX) }, *mode)
                }
                _ => return Ok(None),
            }
        };
        self.check_sum(&source, host)?;
        let path = if is_folder(&self.dest, host)? { self.inside() } else { Some(self.dest.clone()) };
        let path = path.ok_or_else(|| ModuleError::Invalid(format!("src: {} has no name", src.display())))?;
        Ok(Some(self.job(path, source, Some(bits))))
    }

    /// Calls `each` with everything that a folder brings, folders before what is in them.
    pub(super) fn each(
        &self,
        host: &dyn Observe,
        each: &mut dyn FnMut(Job) -> Result<(), ModuleError>,
    ) -> Result<(), ModuleError> {
        let src = self.src.as_deref().unwrap_or(Path::new(""));
        let root = if paths::ends_in_slash(src) { Some(self.dest.clone()) } else { self.inside() };
        let root = root.ok_or_else(|| ModuleError::Invalid(format!("src: {} has no name", src.display())))?;
        if self.checksum.is_some() {
            return Err(ModuleError::Invalid(format!("checksum: {} is a folder, and has none", src.display())));
        }
        each(Job { with_parents: true, ..self.job(root.clone(), Source::Folder, None) })?;
        if self.remote_src {
            return self.each_of_host(src, &root, host, each);
        }
        let mut sent: Vec<&Sent> = self.sent()?.iter().collect();
        rectify_core::small::sort_by(&mut sent, |a, b| a.below.cmp(&b.below));
        for Sent { below, sha256, size, mode } in sent {
            if below.as_os_str().is_empty() {
                continue;
            }
            if !below.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(ModuleError::Invalid(format!("{} leads out of its folder", below.display())));
            }
            let source = match sha256 {
                None => Source::Folder,
                Some(sha256) => Source::Blob { sha256: sha256.clone(), size: size.unwrap_or(u64::MAX) },
            };
            each(Job { with_parents: true, ..self.job(root.join(below), source, Some(*mode)) })?;
        }
        Ok(())
    }

    fn each_of_host(
        &self,
        src: &Path,
        root: &Path,
        host: &dyn Observe,
        each: &mut dyn FnMut(Job) -> Result<(), ModuleError>,
    ) -> Result<(), ModuleError> {
        if root.starts_with(src) {
            return Err(ModuleError::failed(format!("cannot copy {} into itself", src.display())));
        }
        tree::walk(src, host, &mut |entry| {
            let Ok(below) = entry.path.strip_prefix(src) else { return Ok(Step::Over) };
            let source = match entry.meta.kind {
                FileKind::Directory => Source::Folder,
                FileKind::Link => Source::Link(host.read_link(entry.path)?),
                FileKind::File => host_file(entry.path, entry.meta, host)?,
                FileKind::Other => return Ok(Step::Over),
            };
            each(Job { with_parents: true, ..self.job(root.join(below), source, Some(entry.meta.mode)) })?;
            Ok(Step::Into)
        })
    }

    fn sent(&self) -> Result<&[Sent], ModuleError> {
        let src = self.src.as_deref().unwrap_or(Path::new(""));
        self.files
            .as_deref()
            .ok_or_else(|| ModuleError::Invalid(format!("{} did not come with the plan", src.display())))
    }

    fn job(&self, path: PathBuf, source: Source, bits: Option<u32>) -> Job {
        let mode = match (&source, &self.mode, bits) {
            (Source::Folder, ..) => self.directory_mode.clone(),
            (_, Some(Mode::Preserve), Some(bits)) => Some(Mode::Bits(bits & 0o7777)),
            (_, mode, _) => mode.clone(),
        };
        let with_parents = self.src.is_some() && paths::ends_in_slash(&self.dest);
        Job { path, source, mode, with_parents }
    }

    /// Refuses a source that is not the one that the task means.
    fn check_sum(&self, source: &Source, host: &dyn Observe) -> Result<(), ModuleError> {
        let Some(wanted) = self.checksum.as_deref().map(str::to_ascii_lowercase) else { return Ok(()) };
        let algorithm = Algorithm::of_length(wanted.len()).ok_or_else(|| {
            ModuleError::Invalid(format!("checksum: {wanted:?} has the length of none that is known"))
        })?;
        let found = match source {
            Source::Blob { sha256, .. } | Source::HostFile { sha256, .. } if algorithm == Algorithm::Sha256 => {
                sha256.clone()
            }
            Source::Blob { sha256, .. } => algorithm.of(&host.blob(sha256)?),
            Source::HostFile { path, .. } => algorithm.of(&host.read(path, CHECKED)?.unwrap_or_default()),
            Source::Bytes(bytes) => algorithm.of(bytes),
            Source::Folder | Source::Link(_) => return Ok(()),
        };
        if found == wanted {
            return Ok(());
        }
        Err(ModuleError::failed(format!(
            "the source of {} has the checksum {found}, not {wanted}",
            self.dest.display()
        )))
    }
}

fn host_file(path: &Path, meta: &Meta, host: &dyn Observe) -> Result<Source, ModuleError> {
    let gone = || ModuleError::failed(format!("{} vanished while it was looked at", path.display()));
    let sha256 = host.sha256(path)?.ok_or_else(gone)?;
    Ok(Source::HostFile { path: path.to_owned(), sha256, size: meta.size })
}
