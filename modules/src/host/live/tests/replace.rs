//! Whole-file replacement.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use rectify_core::module::{Observe, Operate, WriteAttrs};
use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::{
    super::{Blobs, Live},
    live, names, root,
};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_file_has_the_default_mode_and_an_old_one_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    live().write(&file, b"one", &WriteAttrs::default()).unwrap();
    assert_eq!(mode(&file), 0o644);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4710)).unwrap();
    live().write(&file, b"two", &WriteAttrs::default()).unwrap();
    assert_eq!(mode(&file), 0o4710);
    live().write(&file, b"three", &WriteAttrs { mode: Some(0o600), ..WriteAttrs::default() }).unwrap();
    assert_eq!(mode(&file), 0o600);
    assert_eq!(std::fs::read(&file).unwrap(), b"three");
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn owner_and_group_are_kept_or_set() {
    if !root("giving a file away") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let attrs = WriteAttrs { mode: Some(0o4755), uid: Some(12345), gid: Some(54321) };
    live().write(&file, b"one", &attrs).unwrap();
    live().write(&file, b"two", &WriteAttrs::default()).unwrap();
    let meta = live().lstat(&file).unwrap().unwrap();
    assert_eq!((meta.uid, meta.gid, meta.mode), (12345, 54321, 0o4755));
}

#[test]
fn a_link_is_followed_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    std::fs::write(dir.path().join("real/file"), "old").unwrap();
    symlink("real", dir.path().join("dir")).unwrap();
    symlink("../dir/file", dir.path().join("real/link")).unwrap();
    live().write(&dir.path().join("dir/link"), b"new", &WriteAttrs::default()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("real/file")).unwrap(), b"new");
    assert_eq!(names(&dir.path().join("real")), ["file", "link"]);
    // A link to what is not there yet makes it there.
    symlink("real/born", dir.path().join("promise")).unwrap();
    live().write(&dir.path().join("promise"), b"x", &WriteAttrs::default()).unwrap();
    assert!(dir.path().join("real/born").is_file());
    symlink("loop", dir.path().join("loop")).unwrap();
    assert!(live().write(&dir.path().join("loop"), b"x", &WriteAttrs::default()).is_err());
}

#[test]
fn other_hard_links_keep_the_old_content() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), "old").unwrap();
    std::fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
    live().write(&dir.path().join("a"), b"new", &WriteAttrs::default()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("b")).unwrap(), b"old");
}

/// `user::rw-, user:12345:r--, group::---, mask::r--, other::---` in the kernel's form (posix_acl_xattr.h).
fn access_list() -> Vec<u8> {
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in
        [(1u16, 6u16, u32::MAX), (2, 4, 12345), (4, 0, u32::MAX), (0x10, 4, u32::MAX), (0x20, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn attributes_and_access_lists_are_handed_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "old").unwrap();
    let list = access_list();
    let supported = setxattr(&file, "user.note", b"keep me", XattrFlags::empty()).is_ok()
        && setxattr(&file, "system.posix_acl_access", &list, XattrFlags::empty()).is_ok();
    if !supported {
        println!("the file system of {} has no attributes: not tested", dir.path().display());
        return;
    }
    live().write(&file, b"new", &WriteAttrs::default()).unwrap();
    let mut value = vec![0u8; 256];
    let n = getxattr(&file, "user.note", value.as_mut_slice()).unwrap();
    assert_eq!(&value[..n], b"keep me");
    let n = getxattr(&file, "system.posix_acl_access", value.as_mut_slice()).unwrap();
    assert_eq!(&value[..n], list);
    assert_eq!(mode(&file), 0o640, "the group bits show the mask");
}

#[test]
fn capabilities_are_not_handed_on_to_other_content() {
    if !root("a file with capabilities") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "old").unwrap();
    // VFS_CAP_REVISION_2 with cap_net_raw permitted and effective.
    let mut capability = vec![1, 0, 0, 2];
    capability.extend(0x2000u32.to_le_bytes());
    capability.extend([0u8; 12]);
    if setxattr(&file, "security.capability", &capability, XattrFlags::empty()).is_err() {
        println!("this file system has no capabilities: not tested");
        return;
    }
    live().write(&file, b"new", &WriteAttrs::default()).unwrap();
    assert!(getxattr(&file, "security.capability", vec![0u8; 64].as_mut_slice()).is_err());
}

#[test]
fn copies_and_blobs_are_replacements_too() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let big = vec![42u8; 3 << 20];
    std::fs::write(&from, &big).unwrap();
    live().copy_file(&from, &to, &WriteAttrs { mode: Some(0o640), ..WriteAttrs::default() }).unwrap();
    assert_eq!((std::fs::read(&to).unwrap(), mode(&to)), (big, 0o640));
    assert!(live().copy_file(&dir.path().join("gone"), &to, &WriteAttrs::default()).is_err());
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let mut blobs = Blobs::new();
    blobs.piece(hash, b"abc", true).unwrap();
    let live = Live::new(blobs);
    live.write_blob(&to, hash, &WriteAttrs::default()).unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), b"abc");
    assert_eq!(&*live.blob(hash).unwrap(), b"abc");
    assert!(live.write_blob(&to, "00", &WriteAttrs::default()).unwrap_err().to_string().contains("came with the plan"));
}

#[test]
fn what_a_killed_run_left_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let left = dir.path().join(super::super::files::replace::temp_name("file".as_ref(), None));
    std::fs::write(&left, "half").unwrap();
    live().write(&file, b"whole", &WriteAttrs::default()).unwrap();
    assert_eq!(names(dir.path()), ["file"]);
    // A trap in its place is not written through.
    let trap = dir.path().join("trap");
    std::fs::write(&trap, "untouched").unwrap();
    symlink("trap", &left).unwrap();
    live().write(&file, b"again", &WriteAttrs::default()).unwrap();
    assert_eq!(std::fs::read(&trap).unwrap(), b"untouched");
    assert_eq!(std::fs::read(&file).unwrap(), b"again");
}
