use rectify_core::arg::{Arg, from_arg};
use serde_json::{Value, json};

use super::*;
use crate::host::{fake::Fake, rehearsal::Rehearsal};

const TESTS: &str = "
probes:
  - {argv: [apache2ctl, configtest], code: 1, stderr: \"AH00526: Syntax error on line 1 of site.conf:\\nInvalid command 'Broken'\\n\", if_contains: [/etc/apache2/conf-available/site.conf, Broken]}
  - {argv: [apache2ctl, configtest], stderr: \"Syntax OK\\n\"}
  - {argv: [httpd, -t], code: 1, stderr: \"Invalid command 'Broken'\\n\", if_contains: [/etc/httpd/conf.d/site.conf, Broken]}
  - {argv: [httpd, -t], stderr: \"Syntax OK\\n\"}
";

const AVAILABLE: &str = "/etc/apache2/conf-available/site.conf";
const ENABLED: &str = "/etc/apache2/conf-enabled/site.conf";

fn host(more: &str) -> Fake {
    Fake::from_yaml(&format!("base: debian\n{more}{TESTS}")).unwrap()
}

fn rocky(more: &str) -> Fake {
    Fake::from_yaml(&format!("base: rocky\n{more}{TESTS}")).unwrap()
}

fn task(args: Value) -> ApacheFragment {
    let task: ApacheFragment = from_arg(&Arg::from_value(&args)).unwrap();
    task.validate().unwrap();
    task
}

/// Observe, compare, apply, observe again; whether it changed anything.
fn run(args: Value, host: &dyn Operate) -> Result<bool, ModuleError> {
    let task = task(args);
    let before = task.observe(host)?;
    let after = task.desired(before.as_ref());
    if before == after {
        return Ok(false);
    }
    task.apply(&Change { before, after }, host)?;
    let second = task.observe(host)?;
    assert_eq!(second, task.desired(second.as_ref()), "it converges");
    Ok(true)
}

fn text(path: &str, host: &dyn Observe) -> Option<String> {
    host.read(path.as_ref(), 1 << 20).unwrap().map(|b| String::from_utf8_lossy(&b).into_owned())
}

fn there(path: &str, host: &dyn Observe) -> bool {
    host.lstat(path.as_ref()).unwrap().is_some()
}

#[test]
fn on_debian_it_is_a_file_and_a_link_and_a_second_run_finds_both() {
    let host = host("");
    let args = json!({"name": "site", "content": "TraceEnable Off"});
    assert!(run(args.clone(), &host).unwrap());
    assert_eq!(text(AVAILABLE, &host).as_deref(), Some("TraceEnable Off\n"));
    assert_eq!(host.read_link(ENABLED.as_ref()).unwrap(), Path::new("../conf-available/site.conf"));
    assert!(!run(args, &host).unwrap());
    assert!(run(json!({"name": "site.conf", "content": "TraceEnable Off", "enabled": false}), &host).unwrap());
    assert!(there(AVAILABLE, &host) && !there(ENABLED, &host));
    assert!(!run(json!({"name": "site", "content": "TraceEnable Off"}), &host).unwrap(), "enabled is left as it is");
    assert!(run(json!({"name": "site", "state": "absent"}), &host).unwrap());
    assert!(!there(AVAILABLE, &host) && !run(json!({"name": "site", "state": "absent"}), &host).unwrap());
}

#[test]
fn on_rhel_a_disabled_fragment_has_a_name_that_httpd_does_not_read() {
    let host = rocky("");
    let (file, parked) = ("/etc/httpd/conf.d/site.conf", "/etc/httpd/conf.d/site.conf.disabled");
    assert!(run(json!({"name": "site", "content": "A"}), &host).unwrap());
    assert!(there(file, &host) && !there(parked, &host));
    assert!(run(json!({"name": "site", "content": "A", "enabled": false}), &host).unwrap());
    assert!(!there(file, &host) && there(parked, &host));
    assert!(run(json!({"name": "site", "content": "A", "enabled": true}), &host).unwrap());
    assert!(there(file, &host) && !there(parked, &host));
}

#[test]
fn what_the_test_refuses_leaves_everything_as_it_was() {
    let host = host(
        "files:
  /etc/apache2/conf-available/site.conf: {content: \"Old\\n\", mode: '0640', owner: deploy, group: adm, mtime: 1000000}
  /etc/apache2/conf-enabled/site.conf: {link: ../conf-available/other.conf}\n",
    );
    let meta = |path: &str| {
        let m = host.lstat(path.as_ref()).unwrap().unwrap();
        (m.mode, m.uid, m.gid, m.kind)
    };
    let before = (meta(AVAILABLE), meta(ENABLED), host.lstat(AVAILABLE.as_ref()).unwrap().unwrap().mtime);
    let error = run(json!({"name": "site", "content": "Broken\n"}), &host).unwrap_err().to_string();
    assert!(error.contains("Invalid command 'Broken'") && error.contains("everything is as before"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    assert_eq!(text(AVAILABLE, &host).as_deref(), Some("Old\n"));
    assert_eq!((meta(AVAILABLE), meta(ENABLED), host.lstat(AVAILABLE.as_ref()).unwrap().unwrap().mtime), before);
    assert_eq!(host.read_link(ENABLED.as_ref()).unwrap(), Path::new("../conf-available/other.conf"));
    // A new one goes again.
    let rocky = rocky("");
    run(json!({"name": "site", "content": "Broken\n"}), &rocky).unwrap_err();
    assert!(!there("/etc/httpd/conf.d/site.conf", &rocky));
}

#[test]
fn a_configuration_that_was_broken_before_is_said_to_be() {
    let host = Fake::from_yaml(
        "base: debian\nprobes: [{argv: [apache2ctl, configtest], code: 1, stderr: 'sites-enabled/x.conf: bad'}]",
    );
    let error = run(json!({"name": "site", "content": "A"}), &host.unwrap()).unwrap_err().to_string();
    assert!(error.contains("was broken before") && error.contains("x.conf: bad"), "{error}");
}

#[test]
fn a_fault_while_writing_takes_back_what_was_written() {
    let host = host("faults: [{path: /etc/apache2/conf-enabled/site.conf, on: write, errno: ENOSPC}]\n");
    assert!(run(json!({"name": "site", "content": "A"}), &host).is_err());
    assert!(!there(AVAILABLE, &host));
}

#[test]
fn wrong_owner_and_mode_are_a_change_and_an_owned_link_elsewhere_too() {
    let host = host(
        "files:
  /etc/apache2/conf-available/site.conf: {content: \"A\\n\", mode: '0666', owner: www-data}
  /etc/apache2/conf-enabled/site.conf: {link: /srv/app/evil.conf}\n",
    );
    let task = task(json!({"name": "site", "content": "A", "enabled": true}));
    let seen = task.observe(&host).unwrap().unwrap();
    assert_eq!((seen.owner.as_str(), seen.mode.as_str(), seen.enabled), ("www-data", "0666", false));
    assert_eq!(seen.instead, Some("/srv/app/evil.conf".into()));
    assert!(run(json!({"name": "site", "content": "A", "enabled": true}), &host).unwrap());
    let meta = host.lstat(AVAILABLE.as_ref()).unwrap().unwrap();
    assert_eq!((meta.mode, meta.uid), (0o644, 0));
}

#[test]
fn a_host_without_apache_is_a_clear_error_and_absent_is_absent_there() {
    let host = Fake::from_yaml("files: {/etc/hostname: x}").unwrap();
    let error = run(json!({"name": "site", "content": "A"}), &host).unwrap_err().to_string();
    assert!(error.contains("Apache is not installed") && error.contains("when:"), "{error}");
    assert!(!run(json!({"name": "site", "state": "absent"}), &host).unwrap());
    let other = task(json!({"name": "site", "content": "A", "layout": "rhel"}));
    assert!(other.observe(&self::host("")).unwrap_err().to_string().contains("/etc/httpd/conf/httpd.conf"));
}

#[test]
fn a_check_shows_the_change_and_does_not_pretend_to_have_tested_it() {
    let machine = std::sync::Arc::new(host(""));
    let check = Rehearsal::shared(machine.clone());
    let task_host = check.for_task(rectify_core::plan::TaskId(1));
    assert!(run(json!({"name": "site", "content": "Broken"}), &task_host).unwrap());
    assert!(there(ENABLED, &task_host) && !there(ENABLED, &*machine));
}

#[test]
fn a_file_of_the_controller_is_taken_as_it_is() {
    let host = host("");
    let sha256 = host.add_blob(b"From the controller\n".to_vec());
    let args = json!({"name": "site", "src": "site.conf", "_files": [{"below": "", "sha256": sha256, "mode": 420}]});
    assert!(run(args, &host).unwrap());
    assert_eq!(text(AVAILABLE, &host).as_deref(), Some("From the controller\n"));
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    for name in ["../x", "a/b", "", ".hidden", "a b"] {
        let task: ApacheFragment = from_arg(&Arg::from_value(&json!({"name": name, "content": "x"}))).unwrap();
        assert!(task.validate().is_err(), "{name:?}");
    }
    let both: ApacheFragment = from_arg(&Arg::from_value(&json!({"name": "a", "content": "x", "src": "y"}))).unwrap();
    assert!(both.validate().unwrap_err().contains("not both"));
}
