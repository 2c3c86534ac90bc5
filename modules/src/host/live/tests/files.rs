//! Looking, folders, links, removal.

use std::{
    ffi::OsStr,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
};

use rectify_core::module::{FileKind, HostError, Observe, Operate};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{live, names, root};

#[test]
fn nothing_there_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let live = live();
    let gone = dir.path().join("gone");
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(live.lstat(&gone).unwrap(), None);
    assert_eq!(live.stat(&dir.path().join("dangling")).unwrap(), None);
    assert_eq!(live.stat(&dir.path().join("loop")).unwrap(), None);
    assert_eq!(live.lstat(&dir.path().join("file/below")).unwrap(), None);
    assert_eq!(live.lstat(&dir.path().join("loop")).unwrap().unwrap().kind, FileKind::Link);
    assert_eq!(live.read(&gone, 1).unwrap(), None);
    assert_eq!(live.sha256(&gone).unwrap(), None);
    live.remove(&gone).unwrap();
    live.remove(&gone.join("deeper")).unwrap();
}

#[test]
fn relative_paths_are_refused() {
    let error = live().lstat(Path::new("etc/passwd")).unwrap_err().to_string();
    assert_eq!(error, "looking at etc/passwd: the path is not absolute");
    assert!(live().write(Path::new("x"), b"", &Default::default()).is_err());
}

#[test]
fn a_limit_bounds_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "12345").unwrap();
    assert_eq!(&*live().read(&file, 5).unwrap().unwrap(), b"12345");
    assert!(matches!(live().read(&file, 4), Err(HostError::TooLarge { size: 5, limit: 4, .. })));
    // A file whose size the kernel does not know.
    assert!(matches!(live().read(Path::new("/proc/self/mountinfo"), 4), Err(HostError::TooLarge { .. })));
    assert!(!live().read(Path::new("/proc/self/mountinfo"), 1 << 20).unwrap().unwrap().is_empty());
}

#[test]
fn a_sparse_file_of_two_gigabytes_is_refused_without_reading_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("big");
    std::fs::File::create(&file).unwrap().set_len(2 << 30).unwrap();
    assert!(matches!(live().read(&file, 1 << 20), Err(HostError::TooLarge { size, .. }) if size == 2 << 30));
}

#[test]
fn a_fifo_never_blocks_and_a_device_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for path in [fifo.as_path(), Path::new("/dev/null"), dir.path()] {
        let error = live().read(path, 10).unwrap_err().to_string();
        assert!(error.contains("not a file"), "{error}");
        assert!(live().sha256(path).is_err());
        assert!(live().write(path, b"x", &Default::default()).is_err(), "{}", path.display());
    }
    assert_eq!(live().lstat(&fifo).unwrap().unwrap().kind, FileKind::Other);
}

#[test]
fn hashes_are_those_of_sha256sum() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "abc").unwrap();
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(live().sha256(&file).unwrap().as_deref(), Some(expected));
}

#[test]
fn names_are_any_bytes_and_messages_are_fit_to_be_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(OsStr::from_bytes(b"a\n\x1b[31m\xff b"));
    live().write(&file, b"x", &Default::default()).unwrap();
    let mut seen = Vec::new();
    live()
        .list(dir.path(), &mut |entry| {
            seen.push(entry);
            true
        })
        .unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].name.as_os_str(), seen[0].kind), (file.file_name().unwrap(), FileKind::File));
    let error = live().list(&file, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("a\\n\\u{1b}[31m\\xff b: not a directory"), "{error}");
    live().remove(&file).unwrap();
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_listing_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..100 {
        std::fs::write(dir.path().join(i.to_string()), "").unwrap();
    }
    let mut count = 0;
    live()
        .list(dir.path(), &mut |_| {
            count += 1;
            count < 3
        })
        .unwrap();
    assert_eq!(count, 3);
}

#[test]
fn a_folder_gets_exactly_its_bits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    live().make_dir(&path, 0o2777).unwrap();
    assert_eq!(live().lstat(&path).unwrap().unwrap().mode, 0o2777);
    assert!(live().make_dir(&path, 0o755).unwrap_err().to_string().contains("file exists"));
    let error = live().make_dir(&dir.path().join("no/where"), 0o755).unwrap_err().to_string();
    assert!(error.ends_with("no does not exist"), "{error}");
}

#[test]
fn links_replace_files_but_not_folders() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::fs::write(&file, "x").unwrap();
    std::fs::write(&link, "old").unwrap();
    live().symlink(Path::new("file"), &link).unwrap();
    assert_eq!(live().read_link(&link).unwrap(), Path::new("file"));
    live().symlink(Path::new("other"), &link).unwrap();
    assert_eq!(live().read_link(&link).unwrap(), Path::new("other"));
    live().hard_link(&file, &link).unwrap();
    live().hard_link(&file, &link).unwrap();
    let (a, b) = (live().lstat(&file).unwrap().unwrap(), live().lstat(&link).unwrap().unwrap());
    assert_eq!((a.ino, a.nlink), (b.ino, 2));
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    assert!(live().symlink(&file, &dir.path().join("dir")).is_err());
    assert!(live().hard_link(&file, &dir.path().join("dir")).is_err());
    assert!(live().hard_link(&dir.path().join("dir"), &link).is_err());
    assert!(live().read_link(&file).unwrap_err().to_string().ends_with("it is not a link"));
    assert_eq!(names(dir.path()), ["dir", "file", "link"], "nothing temporary is left");
}

#[test]
fn mode_owner_and_times_follow_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::fs::write(&file, "x").unwrap();
    symlink("file", &link).unwrap();
    live().set_mode(&link, 0o4711).unwrap();
    live().set_times(&link, Some(1_500_000_000), None).unwrap();
    let meta = live().lstat(&file).unwrap().unwrap();
    assert_eq!((meta.mode, meta.mtime), (0o4711, 1_500_000_000));
    live().set_times(&link, None, Some(-1)).unwrap();
    let meta = live().lstat(&file).unwrap().unwrap();
    assert_eq!((meta.mtime, meta.atime), (1_500_000_000, -1));
    if root("giving a file away") {
        live().set_owner(&link, Some(12345), Some(54321), true).unwrap();
        live().set_owner(&link, Some(7), None, false).unwrap();
        let (file, link) = (live().lstat(&file).unwrap().unwrap(), live().lstat(&link).unwrap().unwrap());
        assert_eq!((file.uid, file.gid, link.uid, link.gid), (12345, 54321, 7, 0));
    }
    assert!(live().set_mode(&dir.path().join("gone"), 0o600).is_err());
}

#[test]
fn a_tree_is_removed_and_links_in_it_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
    std::fs::create_dir_all(tree.join("a/b/c")).unwrap();
    std::fs::create_dir_all(tree.join("a/d")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("keep"), "x").unwrap();
    symlink(&outside, tree.join("a/link")).unwrap();
    symlink(&outside, dir.path().join("top")).unwrap();
    for i in 0..500 {
        std::fs::write(tree.join("a/b").join(i.to_string()), "").unwrap();
    }
    live().remove(&tree).unwrap();
    live().remove(&dir.path().join("top")).unwrap();
    assert_eq!(names(dir.path()), ["outside"]);
    assert_eq!(names(&outside), ["keep"]);
}

#[test]
fn a_tree_deeper_than_any_path_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY;
    let mut at = rustix::fs::openat(CWD, dir.path(), flags, Mode::empty()).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&at, "deep", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "deep", flags, Mode::empty()).unwrap();
    }
    drop(at);
    live().remove(&dir.path().join("deep")).unwrap();
    assert!(names(dir.path()).is_empty());
}

#[test]
fn the_root_folder_and_dots_are_not_removed() {
    for path in ["/", "/etc/..", "/.."] {
        assert!(live().remove(Path::new(path)).is_err(), "{path}");
    }
}

#[test]
fn a_folder_without_permission_fails_with_its_full_path() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    std::fs::set_permissions(dir.path().join("a/b"), std::fs::Permissions::from_mode(0o555)).unwrap();
    let error = live().remove(&dir.path().join("a")).unwrap_err().to_string();
    std::fs::set_permissions(dir.path().join("a/b"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(error.contains("a/b/c: permission denied"), "{error}");
}

#[test]
fn someone_elses_link_does_not_lead_root_astray() {
    if !root("a link of another account") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(12345), Some(12345)).unwrap();
    let precious = dir.path().join("precious");
    std::fs::write(&precious, "root's").unwrap();
    let link = home.join("link");
    symlink(&precious, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(12345), Some(12345)).unwrap();

    let error = live().set_owner(&link, Some(12345), None, true).unwrap_err().to_string();
    assert!(error.contains("belongs to user 12345 and leads to what belongs to user 0: not followed"), "{error}");
    assert!(live().set_mode(&link, 0o777).is_err());
    assert!(live().write(&link, b"x", &Default::default()).is_err());
    assert_eq!(std::fs::metadata(&precious).unwrap().uid(), 0);
    assert_eq!(std::fs::read(&precious).unwrap(), b"root's");

    // A folder in the middle of the path, and one that the link would create in.
    let inside = home.join("dir");
    symlink(dir.path(), &inside).unwrap();
    std::os::unix::fs::lchown(&inside, Some(12345), Some(12345)).unwrap();
    assert!(live().write(&inside.join("precious"), b"x", &Default::default()).is_err());
    assert!(live().remove(&inside.join("precious")).is_err());

    // Their own things, they may lead to.
    let own = home.join("own");
    std::fs::write(&own, "").unwrap();
    std::os::unix::fs::chown(&own, Some(12345), Some(12345)).unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink("own", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(12345), Some(12345)).unwrap();
    live().write(&link, b"new", &Default::default()).unwrap();
    assert_eq!(std::fs::read(&own).unwrap(), b"new");
    assert_eq!(std::fs::metadata(&own).unwrap().uid(), 12345);
}

#[test]
fn a_link_in_a_shared_folder_is_not_followed_unless_it_is_ours() {
    if !root("a link of another account in a shared folder") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let shared = dir.path().join("tmp");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let victim = dir.path().join("theirs");
    std::fs::write(&victim, "x").unwrap();
    std::os::unix::fs::chown(&victim, Some(12345), None).unwrap();
    symlink(&victim, shared.join("link")).unwrap();
    live().write(&shared.join("link"), b"ours is followed", &Default::default()).unwrap();
    std::os::unix::fs::lchown(shared.join("link"), Some(12345), None).unwrap();
    assert!(live().write(&shared.join("link"), b"x", &Default::default()).is_err());
    assert_eq!(std::fs::read(&victim).unwrap(), b"ours is followed");
}
