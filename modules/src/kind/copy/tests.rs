//! Copies on a fake host.

use rectify_core::{
    arg::{Arg, from_arg},
    module::{ErasedResource, HostError, Observe},
};
use serde_json::json;

use super::*;
use crate::host::{fake::Fake, rehearsal::Rehearsal};

fn copy(args: Value) -> Copy {
    let copy: Copy = from_arg(&Arg::from_value(&args)).unwrap();
    Resource::validate(&copy).unwrap();
    copy
}

fn text(host: &dyn Observe, path: &str) -> String {
    String::from_utf8(host.read(Path::new(path), 1 << 20).unwrap().expect("it is there").to_vec()).unwrap()
}

/// Looks, applies, looks again; gives the first look as data.
fn converge(copy: &Copy, host: &dyn Operate) -> (Value, Value) {
    let first = ErasedResource::look(copy, host).unwrap();
    if first.differs {
        ErasedResource::apply(copy, &first, host).unwrap();
    }
    let second = ErasedResource::look(copy, host).unwrap();
    assert!(!second.differs, "not converged: {second:?}");
    (first.before, first.after)
}

#[test]
fn text_replaces_a_file_and_shows_both() {
    let host = Fake::debian();
    let task = copy(json!({"content": "Hello.\n", "dest": "/etc/motd", "mode": "0600"}));
    let (before, after) = converge(&task, &host);
    assert_eq!(before["content"]["$content"]["text"], "Welcome.\n");
    assert_eq!(after["content"]["$content"]["text"], "Hello.\n");
    assert_eq!((&before["mode"], &after["mode"]), (&json!("0644"), &json!("0600")));
    assert_eq!(text(&host, "/etc/motd"), "Hello.\n");
    assert_eq!(host.stat(Path::new("/etc/motd")).unwrap().unwrap().mode, 0o600);
}

#[test]
fn a_check_says_the_same_and_writes_nothing() {
    let host = Fake::debian();
    let task = copy(json!({"content": "Hello.\n", "dest": "/etc/motd", "owner": "www-data"}));
    let rehearsal = Rehearsal::new(&host);
    let announced = converge(&task, &rehearsal.for_task(rectify_core::plan::TaskId(1)));
    assert_eq!(text(&host, "/etc/motd"), "Welcome.\n");
    assert_eq!(converge(&task, &host), announced);
}

#[test]
fn a_file_goes_into_a_folder_under_its_own_name() {
    let host = Fake::debian();
    let sha256 = host.add_blob(*b"x\n");
    let files = json!([{"below": "", "sha256": sha256, "size": 2, "mode": 0o755}]);
    for dest in ["/etc/cron.d", "/etc/new/deep/"] {
        let task = copy(json!({"src": "files/job", "dest": dest, "mode": "preserve", "_files": files}));
        converge(&task, &host);
        let made = host.stat(&Path::new(dest).join("job")).unwrap().unwrap();
        assert_eq!((made.mode, made.size), (0o755, 2));
    }
    let missing = copy(json!({"src": "files/job", "dest": "/nowhere/job", "_files": files}));
    let seen = ErasedResource::look(&missing, &host).unwrap();
    let error = ErasedResource::apply(&missing, &seen, &host).unwrap_err();
    assert!(error.to_string().contains("/nowhere"), "{error}");
}

#[test]
fn a_folder_brings_what_is_in_it_and_shows_only_what_differs() {
    let host = Fake::from_yaml("{base: debian, files: {/srv/site/a: same, /srv/site/extra: stays}}").unwrap();
    let (a, b) = (host.add_blob(*b"same"), host.add_blob(*b"new"));
    let files = json!([
        {"below": "", "sha256": null, "size": null, "mode": 0o755},
        {"below": "a", "sha256": a, "size": 4, "mode": 0o644},
        {"below": "sub", "sha256": null, "size": null, "mode": 0o755},
        {"below": "sub/b", "sha256": b, "size": 3, "mode": 0o644},
    ]);
    let task = json!({"src": "site", "dest": "/srv", "directory_mode": "0750", "_files": files});
    let (_, after) = converge(&copy(task), &host);
    let named: Vec<&String> = after["files"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["/srv/site/sub", "/srv/site/sub/b"]);
    assert_eq!(host.stat(Path::new("/srv/site/sub")).unwrap().unwrap().mode, 0o750);
    assert_eq!(text(&host, "/srv/site/extra"), "stays");
    converge(&copy(json!({"src": "site/", "dest": "/srv/flat", "_files": files})), &host);
    assert_eq!(text(&host, "/srv/flat/sub/b"), "new");
}

#[test]
fn a_folder_of_the_host_is_copied_with_its_links() {
    let host =
        Fake::from_yaml("{base: debian, files: {/srv/a/f: {content: x, mode: '0700'}, /srv/a/l: {link: f}}}").unwrap();
    let task = copy(json!({"src": "/srv/a/", "dest": "/srv/b", "remote_src": true, "mode": "preserve"}));
    converge(&task, &host);
    assert_eq!(host.read_link(Path::new("/srv/b/l")).unwrap(), Path::new("f"));
    assert_eq!(host.stat(Path::new("/srv/b/f")).unwrap().unwrap().mode, 0o700);
    let inside = copy(json!({"src": "/srv/a", "dest": "/srv/a/c", "remote_src": true}));
    assert!(ErasedResource::look(&inside, &host).unwrap_err().to_string().contains("into itself"));
}

#[test]
fn a_link_is_replaced_unless_it_is_followed() {
    let yaml = "{base: debian, files: {/etc/real: old, /etc/alias: {link: real}}}";
    for (follow, real) in [(false, "old"), (true, "new")] {
        let host = Fake::from_yaml(yaml).unwrap();
        converge(&copy(json!({"content": "new", "dest": "/etc/alias", "follow": follow})), &host);
        assert_eq!(text(&host, "/etc/alias"), "new");
        assert_eq!(text(&host, "/etc/real"), real);
    }
}

#[test]
fn without_force_what_is_there_stays() {
    let host = Fake::debian();
    converge(&copy(json!({"content": "new", "dest": "/etc/motd", "force": false, "mode": "0600"})), &host);
    assert_eq!(text(&host, "/etc/motd"), "Welcome.\n");
    converge(&copy(json!({"content": "new", "dest": "/etc/other", "force": false})), &host);
    assert_eq!(text(&host, "/etc/other"), "new");
}

#[test]
fn a_backup_keeps_content_and_attributes() {
    let host =
        Fake::from_yaml("{base: debian, files: {/etc/key: {content: old, mode: '0600', owner: www-data}}}").unwrap();
    let task = copy(json!({"content": "new", "dest": "/etc/key", "backup": true}));
    converge(&task, &host);
    let returned = ErasedResource::look(&task, &host).unwrap().returns;
    let kept = returned["backup_file"].as_str().unwrap();
    assert_eq!(text(&host, kept), "old");
    let meta = host.stat(Path::new(kept)).unwrap().unwrap();
    assert_eq!((meta.mode, meta.uid), (0o600, 33));
}

#[test]
fn a_validator_that_refuses_leaves_the_old_file() {
    let yaml =
        "{base: debian, commands: [{argv: [check, /etc/.motd.rectify-candidate], code: 1, stderr: 'bad line 3'}]}";
    let host = Fake::from_yaml(yaml).unwrap();
    let task = copy(json!({"content": "new", "dest": "/etc/motd", "validate": "check %s"}));
    let seen = ErasedResource::look(&task, &host).unwrap();
    let error = ErasedResource::apply(&task, &seen, &host).unwrap_err();
    assert!(error.to_string().contains("bad line 3"), "{error}");
    assert_eq!(text(&host, "/etc/motd"), "Welcome.\n");
    assert_eq!(host.lstat(Path::new("/etc/.motd.rectify-candidate")).unwrap(), None);
    let rehearsal = Rehearsal::new(&host);
    converge(&task, &rehearsal.for_task(rectify_core::plan::TaskId(1)));
}

#[test]
fn a_source_with_another_checksum_is_refused() {
    let host = Fake::debian();
    let right = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
    converge(&copy(json!({"content": "hello", "dest": "/etc/a", "checksum": right})), &host);
    let wrong = copy(json!({"content": "other", "dest": "/etc/a", "checksum": right}));
    assert!(ErasedResource::look(&wrong, &host).unwrap_err().to_string().contains(right));
}

#[test]
fn what_is_in_the_way_and_who_is_not_there_is_named() {
    let host = Fake::debian();
    let folder = copy(json!({"content": "x", "dest": "/etc"}));
    assert!(ErasedResource::look(&folder, &host).unwrap_err().to_string().contains("/etc is a folder"));
    let ghost = copy(json!({"content": "x", "dest": "/etc/x", "owner": "ghost"}));
    let seen = ErasedResource::look(&ghost, &host).unwrap();
    assert!(ErasedResource::apply(&ghost, &seen, &host).unwrap_err().to_string().contains("ghost"));
    assert!(Resource::validate(&from_arg::<Copy>(&Arg::from_value(&json!({"dest": "/x"}))).unwrap()).is_err());
    assert!(matches!(
        ErasedResource::look(
            &copy(json!({"src": "x", "dest": "/x", "_files": [{"below": "", "sha256": "00", "size": 1, "mode": 420}]})),
            &host
        ),
        Err(ModuleError::Host(HostError::Unsupported(_)))
    ));
}
