//! Where a write lands: the folder, held open, and a name in it.
//!
//! A path is walked by hand, one component after the other, each opened relative to the one before. What was checked is
//! therefore what is used: swapping a folder for a link meanwhile leads nowhere else. Links are followed, but not into a
//! trap: see [`Trust`].

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Component, Path, PathBuf},
};

use rectify_core::module::HostResult;
use rustix::{
    fs::{self, CWD, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::super::text::{absolute, io, refuse_as};

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Last {
    Follow,
    Keep,
}

/// A folder, held open, and a name in it.
pub(in super::super) struct Place {
    pub(in super::super) dir: OwnedFd,
    pub(in super::super) name: OsString,
    /// What is there, as a handle that can neither be read nor written (`O_PATH`), and what it is.
    pub(in super::super) node: Option<(OwnedFd, Stat)>,
}

impl Place {
    /// Whether this is the root folder itself.
    pub(in super::super) fn is_dot(&self) -> bool {
        self.name == "."
    }

    /// Puts the names in the folder on the disk.
    pub(in super::super) fn sync(&self) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = match fs::openat(&self.dir, ".", flags, Mode::empty()) {
            Ok(dir) => dir,
            // A folder that may be written and not read: its owner chose so, and the file itself is on the disk.
            Err(Errno::ACCESS) => return Ok(()),
            Err(e) => return Err(e),
        };
        match fs::fsync(&dir) {
            // Some file systems (FUSE, 9p) know no such thing.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
            other => other,
        }
    }
}

/// A link that was followed and what its owner may lead us to.
///
/// A helper that runs as root must not be led by someone else's link: whoever owns a folder can put a link in it to any
/// file of the machine, just before that is given another owner. So a link that belongs to neither root nor the helper's
/// account is followed only to what belongs to the link's owner.
struct Trust {
    owner: u32,
    link: PathBuf,
}

enum Step {
    Go(OsString),
    Up,
    Check(Trust),
}

struct Walk<'a> {
    action: &'a str,
    path: &'a Path,
    steps: VecDeque<Step>,
    dir: OwnedFd,
    /// The folder that `dir` is, for messages.
    so_far: PathBuf,
    links: usize,
    root: bool,
    euid: u32,
}

/// Walks to the folder that `path` is in.
///
/// # Errors
/// A relative path, a missing folder, a loop of links, or a link that is not to be trusted.
pub(in super::super) fn locate(action: &str, path: &Path, last: Last) -> HostResult<Place> {
    absolute(action, path)?;
    let euid = rustix::process::geteuid();
    let mut walk = Walk {
        action,
        path,
        steps: VecDeque::new(),
        dir: open_root(action)?,
        so_far: PathBuf::from("/"),
        links: 0,
        root: euid.is_root(),
        euid: euid.as_raw(),
    };
    walk.push_front(path);
    walk.run(last)
}

fn open_root(action: &str) -> HostResult<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat(CWD, "/", flags, Mode::empty()).map_err(|e| io(action, Path::new("/"), e))
}

impl Walk<'_> {
    fn push_front(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.steps.push_front(Step::Go(name.to_owned())),
                Component::ParentDir => self.steps.push_front(Step::Up),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }

    fn fail(&self, errno: Errno) -> rectify_core::module::HostError {
        match errno {
            Errno::NOENT => {
                let why = format!("the folder {} does not exist", super::super::text::show(&self.so_far));
                refuse_as(self.action, self.path, why, errno)
            }
            errno => io(self.action, self.path, errno),
        }
    }

    fn run(mut self, last: Last) -> HostResult<Place> {
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Up => {
                    self.dir = open_dir(&self.dir, OsStr::new("..")).map_err(|e| self.fail(e))?;
                    self.so_far.pop();
                }
                Step::Check(trust) => {
                    let stat = fs::fstat(&self.dir).map_err(|e| self.fail(e))?;
                    self.check(&trust, stat.st_uid)?;
                }
                Step::Go(name) if self.is_last() => {
                    if let Some(place) = self.arrive(name, last)? {
                        return Ok(place);
                    }
                }
                Step::Go(name) => self.enter(&name)?,
            }
        }
        let stat = fs::fstat(&self.dir).map_err(|e| self.fail(e))?;
        let node = self.dir.try_clone().map_err(|e| super::super::text::std_io(self.action, self.path, &e))?;
        Ok(Place { dir: self.dir, name: ".".into(), node: Some((node, stat)) })
    }

    fn is_last(&self) -> bool {
        self.steps.iter().all(|s| matches!(s, Step::Check(_)))
    }

    fn enter(&mut self, name: &OsStr) -> HostResult<()> {
        let shown = self.so_far.join(name);
        match open_dir(&self.dir, name) {
            Ok(dir) => {
                self.dir = dir;
                self.so_far = shown;
                Ok(())
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let (node, stat) = open_node(&self.dir, name).map_err(|e| self.fail(e))?;
                if kind(&stat) != FileType::Symlink {
                    return Err(self.fail(Errno::NOTDIR));
                }
                self.follow(&node, &stat, shown)
            }
            Err(e) => {
                self.so_far = shown;
                Err(self.fail(e))
            }
        }
    }

    fn arrive(&mut self, name: OsString, last: Last) -> HostResult<Option<Place>> {
        let node = match open_node(&self.dir, &name) {
            Ok(node) => Some(node),
            Err(Errno::NOENT) => None,
            Err(e) => return Err(io(self.action, self.path, e)),
        };
        if let (Some((node, stat)), Last::Follow) = (&node, last)
            && kind(stat) == FileType::Symlink
        {
            self.follow(node, stat, self.so_far.join(&name))?;
            return Ok(None);
        }
        let owner = match &node {
            Some((_, stat)) => stat.st_uid,
            None => fs::fstat(&self.dir).map_err(|e| self.fail(e))?.st_uid,
        };
        for step in std::mem::take(&mut self.steps) {
            if let Step::Check(trust) = step {
                self.check(&trust, owner)?;
            }
        }
        let dir = self.dir.try_clone().map_err(|e| super::super::text::std_io(self.action, self.path, &e))?;
        Ok(Some(Place { dir, name, node }))
    }

    fn follow(&mut self, node: &OwnedFd, stat: &Stat, link: PathBuf) -> HostResult<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(self.fail(Errno::LOOP));
        }
        self.check_sticky(stat, &link)?;
        let target = fs::readlinkat(node, "", Vec::new()).map_err(|e| self.fail(e))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if self.root && stat.st_uid != 0 {
            self.steps.push_front(Step::Check(Trust { owner: stat.st_uid, link }));
        }
        if target.is_absolute() {
            self.dir = open_root(self.action)?;
            self.so_far = PathBuf::from("/");
        }
        self.push_front(&target);
        Ok(())
    }

    /// The kernel's own rule for shared folders such as /tmp (`fs.protected_symlinks`, proc_sys_fs(5)), which a walk by hand
    /// would otherwise go around.
    fn check_sticky(&self, link: &Stat, shown: &Path) -> HostResult<()> {
        let dir = fs::fstat(&self.dir).map_err(|e| self.fail(e))?;
        let shared = dir.st_mode & 0o1002 == 0o1002;
        if shared && link.st_uid != self.euid && link.st_uid != dir.st_uid {
            let why = format!(
                "the link {} is in a folder that everyone may write and belongs to user {}: not followed",
                super::super::text::show(shown),
                link.st_uid
            );
            return Err(refuse_as(self.action, self.path, why, Errno::ACCESS));
        }
        Ok(())
    }

    fn check(&self, trust: &Trust, owner: u32) -> HostResult<()> {
        if owner == trust.owner {
            return Ok(());
        }
        let why = format!(
            "the link {} belongs to user {} and leads to what belongs to user {owner}: not followed",
            super::super::text::show(&trust.link),
            trust.owner
        );
        Err(refuse_as(self.action, self.path, why, Errno::ACCESS))
    }
}

fn open_dir(dir: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    // With O_DIRECTORY an automount is triggered; without, it would look empty.
    fs::openat(dir, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn open_node(dir: &OwnedFd, name: &OsStr) -> Result<(OwnedFd, Stat), Errno> {
    let node = fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fs::fstat(&node)?;
    Ok((node, stat))
}

/// The kind of thing that `stat` describes.
pub(in super::super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
