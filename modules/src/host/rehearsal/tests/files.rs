//! Files: reading through, writing, taking away, refusing.

use rectify_core::module::{FileKind, Observe, Operate, WriteAttrs};

use super::*;

const NONE: WriteAttrs = WriteAttrs { mode: None, uid: None, gid: None };

#[test]
fn a_write_is_seen_by_later_tasks_and_not_by_the_machine() {
    let machine = fake("{files: {/etc/motd: old}}");
    let before = machine.snapshot().unwrap();
    let rehearsal = Rehearsal::new(&machine);
    task(&rehearsal, 1).write(p("/etc/motd"), b"new", &NONE).unwrap();
    task(&rehearsal, 1).make_dir(p("/srv"), 0o750).unwrap();
    task(&rehearsal, 2).write(p("/srv/x"), b"x", &NONE).unwrap();
    let later = task(&rehearsal, 3);
    assert_eq!(text(&later, "/etc/motd"), "new");
    assert_eq!(names(&later, "/srv").unwrap(), ["x"]);
    let written: Vec<_> =
        rehearsal.written().into_iter().map(|(path, task)| (path.display().to_string(), task.0)).collect();
    assert_eq!(written, [("/etc/motd".to_owned(), 1), ("/srv".to_owned(), 1), ("/srv/x".to_owned(), 2)]);
    assert_eq!(machine.snapshot().unwrap(), before);
}

#[test]
fn a_tree_that_went_stays_gone_and_one_made_in_its_place_is_empty() {
    let machine = fake("{files: {/d/sub/f: x, /d/g: y}}");
    let view = task(&Rehearsal::new(&machine), 1);
    view.remove(p("/d")).unwrap();
    assert_eq!(view.lstat(p("/d/sub/f")).unwrap(), None);
    assert_eq!(errno(view.write(p("/d/sub/f"), b"", &NONE)), 2);
    view.make_dir(p("/d"), 0o755).unwrap();
    assert_eq!(names(&view, "/d").unwrap(), Vec::<String>::new());
    assert_eq!(view.lstat(p("/d/g")).unwrap(), None);
}

#[test]
fn paths_lead_through_links_of_either_side() {
    let machine =
        fake("{files: {/real/f: old, /way: {link: real}, /loop: {link: loop}, /dangling: {link: nowhere/x}}}");
    let view = task(&Rehearsal::new(&machine), 1);
    view.symlink(p("../way"), p("/real/back")).unwrap();
    view.write(p("/real/back/f"), b"new", &NONE).unwrap();
    assert_eq!(text(&view, "/real/f"), "new");
    assert_eq!(errno(view.write(p("/loop/f"), b"", &NONE)), 40);
    assert_eq!(errno(view.write(p("/dangling"), b"", &NONE)), 2);
    assert_eq!(view.stat(p("/loop")).unwrap(), None);
    assert_eq!(view.lstat(p("/loop")).unwrap().unwrap().kind, FileKind::Link);
}

#[test]
fn an_account_other_than_root_is_refused_what_it_may_not_do() {
    let machine = fake(
        "{uid: 1000, users: {me: {uid: 1000, groups: [web]}, other: {uid: 1001}}, groups: {web: {gid: 50}}, files: {
          /mine: {dir: true, owner: me, group: me}, /mine/f: {content: x, owner: me, group: me},
          /root/f: x, /shared: {dir: true, mode: '0775', group: web},
          /tmp: {dir: true, mode: '1777'}, /tmp/theirs: {content: x, owner: other, group: other}}}",
    );
    let view = task(&Rehearsal::new(&machine), 1);
    view.write(p("/mine/f"), b"y", &NONE).unwrap();
    view.write(p("/shared/new"), b"y", &NONE).unwrap();
    assert_eq!(errno(view.write(p("/root/f"), b"y", &NONE)), 13);
    assert_eq!(errno(view.make_dir(p("/opt"), 0o755)), 13);
    assert_eq!(errno(view.remove(p("/tmp/theirs"))), 1);
    assert_eq!(errno(view.set_mode(p("/root/f"), 0o600)), 1);
    assert_eq!(errno(view.set_owner(p("/mine/f"), Some(0), None, true)), 1);
    assert_eq!(errno(view.write(p("/mine/g"), b"", &WriteAttrs { uid: Some(0), ..NONE })), 1);
}

#[test]
fn what_is_mounted_read_only_cannot_be_written() {
    let machine = fake(
        "files:\n  /usr/x: x\n  /mnt/f: x\n  /proc/self/mountinfo: |\n    \
         1 0 8:1 / / rw - ext4 /dev/a rw\n    2 1 8:2 / /usr ro - ext4 /dev/b rw\n    3 1 8:3 / /mnt rw - ext4 /dev/c rw\n",
    );
    let view = task(&Rehearsal::new(&machine), 1);
    assert_eq!(errno(view.write(p("/usr/x"), b"", &NONE)), 30);
    assert_eq!(errno(view.set_mode(p("/usr/x"), 0o600)), 30);
    assert_eq!(errno(view.remove(p("/mnt"))), 16);
    assert_eq!(errno(view.hard_link(p("/mnt/f"), p("/f"))), 18);
}

#[test]
fn someone_elses_link_does_not_lead_root_astray() {
    let machine = fake(
        "{users: {app: {uid: 1000}}, files: {/srv: {dir: true, owner: app, group: app},
          /srv/own: {content: x, owner: app, group: app}, /srv/good: {link: own, owner: app, group: app},
          /srv/trap: {link: /etc/shadow2, owner: app, group: app}, /etc/shadow2: x}}",
    );
    let view = task(&Rehearsal::new(&machine), 1);
    view.set_mode(p("/srv/good"), 0o600).unwrap();
    assert_eq!(errno(view.set_mode(p("/srv/trap"), 0o777)), 13);
    assert_eq!(errno(view.write(p("/srv/trap"), b"", &NONE)), 13);
    assert_eq!(text(&view, "/srv/trap"), "x");
}

#[test]
fn a_big_file_is_not_held() {
    let machine = fake("{files: {/big: {size: 5000000000}}}");
    let view = task(&Rehearsal::new(&machine), 1);
    view.copy_file(p("/big"), p("/copy"), &NONE).unwrap();
    view.set_mode(p("/copy"), 0o600).unwrap();
    assert_eq!(view.stat(p("/copy")).unwrap().unwrap().size, 5_000_000_000);
    assert!(matches!(view.read(p("/copy"), 1 << 20), Err(HostError::TooLarge { .. })));
}

#[test]
fn blobs_are_written_by_their_hash() {
    let machine = fake("{}");
    let sha256 = machine.add_blob(&b"blob"[..]);
    let rehearsal = Rehearsal::new(&machine).with_blobs(|sha256| machine.blob(sha256));
    let view = task(&rehearsal, 1);
    view.write_blob(p("/f"), &sha256, &NONE).unwrap();
    assert_eq!((text(&view, "/f"), view.sha256(p("/f")).unwrap()), ("blob".to_owned(), Some(sha256)));
    assert!(view.write_blob(p("/g"), "0000", &NONE).is_err());
}

#[test]
fn tasks_may_write_side_by_side() {
    let machine = fake("{}");
    let rehearsal = Rehearsal::new(&machine);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let view = task(&rehearsal, number);
            scope.spawn(move || {
                for file in 0..50 {
                    let path = format!("/{number}-{file}");
                    view.write(p(&path), path.as_bytes(), &NONE).unwrap();
                    view.list(p("/"), &mut |e| view.lstat(&p("/").join(e.name)).is_ok()).unwrap();
                }
            });
        }
    });
    assert_eq!(rehearsal.written().len(), 200);
}
