//! Path resolution as the kernel does it (path_resolution(7)), over anything that can be asked for single components.

use std::{
    collections::VecDeque,
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

use rectify_core::module::{HostError, HostResult};
use rustix::io::Errno;

/// How many links one resolution follows, as in the kernel.
const LINKS: usize = 40;

/// The longest name of a component, in bytes.
const NAME: usize = 255;

/// The longest path, in bytes, its terminating NUL included.
const PATH: usize = 4096;

/// What is met on the way through a path.
pub(crate) enum Step {
    /// A folder that may be searched.
    Folder,
    /// A link to this target.
    Link(PathBuf),
    /// Nothing.
    Missing,
    /// Neither a folder nor a link.
    Other,
}

/// A file system, one canonical path at a time.
pub(crate) trait Lookup {
    /// What is found at the end of a path.
    type Node;

    /// What is at `path` (canonical, links not followed) when it is passed through.
    fn step(&self, path: &Path) -> HostResult<Step>;

    /// What is at `path` (canonical, links not followed) when a resolution ends there.
    fn at(&self, path: &Path) -> HostResult<Option<Self::Node>>;

    /// The target, if the node is a link.
    fn target(&self, path: &Path, node: &Self::Node) -> HostResult<Option<PathBuf>>;

    /// Called before the link at `link` is followed: whether it may be.
    fn may_follow(&self, _action: &str, _path: &Path, _link: &Path) -> HostResult<()> {
        Ok(())
    }

    /// Called when what the link at `link` leads to is reached, at `to`: whether it may lead there.
    fn may_lead(&self, _action: &str, _path: &Path, _link: &Path, _to: &Path) -> HostResult<()> {
        Ok(())
    }
}

/// Where a resolution ended.
pub(crate) struct Place<N> {
    /// The canonical path: no links in it but perhaps the last component, no `..`.
    pub(crate) path: PathBuf,
    /// What is there.
    pub(crate) end: HostResult<Option<N>>,
}

/// An [`HostError::Io`] with this errno.
pub(crate) fn refuse(action: &str, path: &Path, errno: Errno) -> HostError {
    HostError::io(action, path.display().to_string(), &std::io::Error::from_raw_os_error(errno.raw_os_error()))
}

/// Whether this is the operating system's answer with this errno.
pub(crate) fn is_errno(error: &HostError, errno: Errno) -> bool {
    matches!(error, HostError::Io { errno: Some(found), .. } if *found == errno.raw_os_error())
}

/// Resolves an absolute path; with `follow`, a link at its end too.
///
/// # Errors
/// `ENOENT` and `ENOTDIR` for a component on the way, `ELOOP`, `ENAMETOOLONG`, `EINVAL` for a relative path, and what the
/// lookups answer.
pub(crate) fn walk<L: Lookup>(tree: &L, action: &str, path: &Path, follow: bool) -> HostResult<Place<L::Node>> {
    let fail = |errno| refuse(action, path, errno);
    if !path.is_absolute() || path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(fail(Errno::INVAL));
    }
    if path.as_os_str().len() >= PATH {
        return Err(fail(Errno::NAMETOOLONG));
    }
    let mut here = PathBuf::from("/");
    let mut rest = VecDeque::new();
    enqueue(&mut rest, path);
    let mut links = 0;
    // Links whose target is not reached yet, with how much of the path is left behind it.
    let mut pending: Vec<(usize, PathBuf)> = Vec::new();
    while let Some(name) = rest.pop_front() {
        if name.len() > NAME {
            return Err(fail(Errno::NAMETOOLONG));
        }
        let next = here.join(&name);
        let target = if name == ".." {
            here.pop();
            None
        } else if rest.is_empty() {
            let end = tree.at(&next);
            let target = match &end {
                Ok(Some(node)) if follow => tree.target(&next, node)?,
                _ => None,
            };
            if target.is_none() {
                for (_, link) in pending.iter().rev() {
                    tree.may_lead(action, path, link, &next)?;
                }
                return Ok(Place { path: next, end });
            }
            target
        } else {
            match tree.step(&next)? {
                Step::Folder => {
                    here.clone_from(&next);
                    None
                }
                Step::Link(target) => Some(target),
                Step::Missing => return Err(fail(Errno::NOENT)),
                Step::Other => return Err(fail(Errno::NOTDIR)),
            }
        };
        if let Some(target) = target {
            links += 1;
            if links > LINKS {
                return Err(fail(Errno::LOOP));
            }
            tree.may_follow(action, path, &next)?;
            pending.push((rest.len(), next));
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            enqueue(&mut rest, &target);
        }
        while pending.last().is_some_and(|(left, _)| rest.len() <= *left) {
            let (_, link) = pending.pop().expect("it was just seen");
            tree.may_lead(action, path, &link, &here)?;
        }
    }
    // The path ended in a folder that was already passed through: `/`, or `x/..`.
    let end = tree.at(&here);
    Ok(Place { path: here, end })
}

/// Puts the components of `path` before what is left to do.
fn enqueue(rest: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => rest.push_front(name.to_owned()),
            Component::ParentDir => rest.push_front("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}
