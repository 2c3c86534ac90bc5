//! Files, folders and links on a fake host.

use rectify_core::{
    arg::{Arg, from_arg},
    module::ErasedResource,
    plan::TaskId,
};
use serde_json::json;

use super::*;
use crate::host::{fake::Fake, rehearsal::Rehearsal};

fn file(args: Value) -> File {
    let file: File = from_arg(&Arg::from_value(&args)).unwrap();
    Resource::validate(&file).unwrap();
    file
}

/// In a rehearsal and then for real: both say the same, the second look agrees. Gives the two sides.
fn converge(args: &Value, host: &Fake) -> (Value, Value) {
    let rehearsal = Rehearsal::new(host);
    let announced = once(&file(args.clone()), &rehearsal.for_task(TaskId(1)));
    let done = once(&file(args.clone()), host);
    assert_eq!(announced, done);
    done
}

fn once(file: &File, host: &dyn Operate) -> (Value, Value) {
    let first = ErasedResource::look(file, host).unwrap();
    if first.differs {
        ErasedResource::apply(file, &first, host).unwrap();
    }
    let second = ErasedResource::look(file, host).unwrap();
    assert!(!second.differs, "not converged: {second:?}");
    (first.before, first.after)
}

fn refused(args: Value, host: &Fake) -> String {
    ErasedResource::look(&file(args), host).unwrap_err().to_string()
}

fn meta(host: &Fake, path: &str) -> Meta {
    host.lstat(Path::new(path)).unwrap().expect("it is there")
}

#[test]
fn a_folder_is_made_with_those_above_it() {
    let host = Fake::debian();
    let args = json!({"path": "/srv/a/b", "state": "directory", "owner": 33, "mode": "0750"});
    let (before, after) = converge(&args, &host);
    assert_eq!((before, &after["parents"], &after["owner"]), (Value::Null, &json!("/srv/a"), &json!("www-data")));
    for path in ["/srv/a", "/srv/a/b"] {
        assert_eq!((meta(&host, path).mode, meta(&host, path).uid), (0o750, 33));
    }
    let (before, after) = converge(&args, &host);
    assert_eq!(before, after);
}

#[test]
fn a_link_in_the_way_is_followed() {
    let host = Fake::from_yaml("{base: debian, files: {/srv/real: {dir: true}, /srv/l: {link: real}}}").unwrap();
    converge(&json!({"path": "/srv/l", "state": "directory", "mode": "0700"}), &host);
    assert_eq!(
        (meta(&host, "/srv/real").mode, meta(&host, "/srv/l").kind),
        (0o700, rectify_core::module::FileKind::Link)
    );
    let text = refused(json!({"path": "/srv/l", "state": "directory", "follow": false}), &host);
    assert!(text.contains("/srv/l is a link"), "{text}");
}

#[test]
fn attributes_of_what_is_there() {
    let host = Fake::debian();
    converge(&json!({"path": "/etc/motd", "mode": "u=rw,go=", "group": "adm"}), &host);
    assert_eq!((meta(&host, "/etc/motd").mode, meta(&host, "/etc/motd").gid), (0o600, 4));
    assert!(refused(json!({"path": "/etc/nothing", "state": "file"}), &host).contains("does not exist"));
    assert!(refused(json!({"path": "/etc/motd", "state": "directory"}), &host).contains("is a file"));
}

#[test]
fn what_is_removed_goes_with_all_that_is_in_it() {
    let host = Fake::from_yaml("{base: debian, files: {/srv/a/b/c: x}}").unwrap();
    let (before, after) = converge(&json!({"path": "/srv/a", "state": "absent"}), &host);
    assert_eq!((&before["state"], after), (&json!("directory"), Value::Null));
    assert_eq!(host.lstat(Path::new("/srv/a")).unwrap(), None);
    let returned = ErasedResource::look(&file(json!({"path": "/srv/a", "state": "absent"})), &host).unwrap().returns;
    assert_eq!(returned["state"], "absent");
}

#[test]
fn a_link_points_where_it_should() {
    let host = Fake::debian();
    converge(&json!({"path": "/etc/m", "src": "motd", "state": "link"}), &host);
    converge(&json!({"path": "/etc/m", "src": "/etc/issue", "state": "link", "mode": "0600"}), &host);
    assert_eq!(host.read_link(Path::new("/etc/m")).unwrap(), Path::new("/etc/issue"));
    assert_eq!(meta(&host, "/etc/issue").mode, 0o600, "the attributes are those of what it leads to");
    let nowhere = json!({"path": "/etc/n", "src": "nowhere", "state": "link"});
    assert!(refused(nowhere, &host).contains("nothing is at nowhere"));
    converge(&json!({"path": "/etc/n", "src": "nowhere", "state": "link", "force": true, "mode": "0600"}), &host);
    assert!(refused(json!({"path": "/etc/motd", "src": "issue", "state": "link"}), &host).contains("force"));
    converge(&json!({"path": "/etc/motd", "src": "issue", "state": "link", "force": true}), &host);
    assert!(
        refused(json!({"path": "/etc", "src": "usr", "state": "link", "force": true}), &host)
            .contains("something in it")
    );
}

#[test]
fn a_links_own_owner_is_set_without_follow() {
    let host = Fake::from_yaml("{base: debian, files: {/srv/f: x, /srv/l: {link: f}}}").unwrap();
    let args =
        json!({"path": "/srv/l", "src": "f", "state": "link", "owner": "www-data", "mode": "0600", "follow": false});
    converge(&args, &host);
    assert_eq!((meta(&host, "/srv/l").uid, meta(&host, "/srv/f").uid, meta(&host, "/srv/f").mode), (33, 0, 0o644));
}

#[test]
fn a_hard_link_is_another_name() {
    let host = Fake::debian();
    let args = json!({"path": "/etc/motd2", "src": "/etc/motd", "state": "hard"});
    let (_, after) = converge(&args, &host);
    assert_eq!((&after["state"], meta(&host, "/etc/motd").nlink), (&json!("hard"), 2));
    converge(&json!({"path": "/etc/motd2", "src": "/etc/motd", "state": "hard"}), &host);
    let other = json!({"path": "/etc/issue", "src": "/etc/motd", "state": "hard"});
    assert!(refused(other, &host).contains("another file"));
}

#[test]
fn touching_makes_a_file_and_sets_its_times() {
    let host = Fake::from_yaml("{base: debian, files: {/srv/old: {content: x, mtime: 100}}}").unwrap();
    let args = json!({"path": "/srv/new", "state": "touch", "mode": "0600", "modification_time": "preserve", "access_time": "preserve"});
    converge(&args, &host);
    let (before, after) = converge(&args, &host);
    assert_eq!(before, after, "with its times preserved, a second touch changes nothing");
    let then = json!({"path": "/srv/old", "modification_time": "202401010000.00"});
    let (before, after) = converge(&then, &host);
    assert_eq!(before["modification_time"], "1970-01-01 00:01:40 UTC");
    assert_eq!(after["modification_time"], "2024-01-01 00:00:00 UTC");
    once(&file(json!({"path": "/srv/old", "state": "touch"})), &host);
    assert!(meta(&host, "/srv/old").mtime > 1_704_067_200 * 1_000_000_000);
}

#[test]
fn recursion_names_what_deviates_and_follows_no_link() {
    let host = Fake::from_yaml(
        "{base: debian, files: {/srv/w/sub/f: x, /srv/w/g: {content: x, owner: www-data, mode: '0640'}, /srv/w/out: {link: /etc/shadow}, /etc/shadow: {content: x, mode: '0600'}}}",
    )
    .unwrap();
    let args = json!({"path": "/srv/w", "recurse": true, "owner": "www-data", "mode": "u=rwX,g=rX,o="});
    let (before, after) = converge(&args, &host);
    let named: Vec<&String> = after["below"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["/srv/w/out", "/srv/w/sub", "/srv/w/sub/f"]);
    assert_eq!(before["below"]["/srv/w/sub/f"], json!({"owner": "root", "mode": "0644"}));
    assert_eq!(after["below"]["/srv/w/sub/f"], json!({"owner": "www-data", "mode": "0640"}));
    assert_eq!((meta(&host, "/etc/shadow").uid, meta(&host, "/etc/shadow").mode), (0, 0o600));
    assert_eq!(meta(&host, "/srv/w/out").uid, 33, "the link itself belongs to the account");
    let (before, after) = converge(&args, &host);
    assert_eq!(before, after);
}

#[test]
fn more_than_is_held_is_repaired_in_rounds() {
    let host = Fake::debian();
    host.make_dir(Path::new("/srv/many"), 0o755).unwrap();
    for i in 0..10_050 {
        let attrs = rectify_core::module::WriteAttrs { mode: Some(0o666), ..Default::default() };
        host.write(Path::new(&format!("/srv/many/{i}")), b"", &attrs).unwrap();
    }
    let task = file(json!({"path": "/srv/many", "recurse": true, "mode": "go-w"}));
    let (before, _) = once(&task, &host);
    assert_eq!((before["below"].as_object().unwrap().len(), &before["more"]), (10_000, &json!(50)));
}
