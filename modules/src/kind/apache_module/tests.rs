use std::path::Path;

use rectify_core::arg::{Arg, from_arg};
use serde_json::{Value, json};

use super::*;
use crate::host::fake::Fake;

const TESTS: &str = "
probes:
  - {argv: [apache2ctl, configtest], code: 1, stderr: 'rewrite breaks it', if_exists: /etc/apache2/mods-enabled/rewrite.load}
  - {argv: [apache2ctl, configtest], stderr: \"Syntax OK\\n\"}
  - {argv: [httpd, -t], stderr: \"Syntax OK\\n\"}
";

const FILES: &str = "files:
  /etc/apache2/mods-available/ssl.load: \"# Depends: setenvif mime socache_shmcb\\nLoadModule ssl_module x.so\\n\"
  /etc/apache2/mods-available/ssl.conf: \"SSLProtocol all\\n\"
  /etc/apache2/mods-available/setenvif.load: \"LoadModule setenvif_module x.so\\n\"
  /etc/apache2/mods-available/mime.load: \"LoadModule mime_module x.so\\n\"
  /etc/apache2/mods-available/socache_shmcb.load: \"LoadModule socache_shmcb_module x.so\\n\"
  /etc/apache2/mods-available/mpm_event.load: \"# Conflicts: mpm_worker status\\nLoadModule mpm_event_module x.so\\n\"
  /var/lib/apache2/module/enabled_by_maint/ssl: ''
  /var/lib/apache2/module/enabled_by_admin: {dir: true}
  /var/lib/apache2/module/disabled_by_admin: {dir: true}
";

fn debian() -> Fake {
    Fake::from_yaml(&format!("base: debian\n{FILES}{TESTS}")).unwrap()
}

fn rocky(more: &str) -> Fake {
    Fake::from_yaml(&format!("base: rocky\n{more}{TESTS}")).unwrap()
}

fn run(args: Value, host: &Fake) -> Result<bool, ModuleError> {
    let task: ApacheModule = from_arg(&Arg::from_value(&args)).unwrap();
    task.validate().unwrap();
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

fn there(path: &str, host: &Fake) -> bool {
    host.lstat(path.as_ref()).unwrap().is_some()
}

fn text(path: &str, host: &Fake) -> String {
    String::from_utf8(host.read(path.as_ref(), 1 << 20).unwrap().unwrap().to_vec()).unwrap()
}

#[test]
fn a_module_comes_with_its_configuration_and_what_it_depends_on() {
    let host = debian();
    assert!(run(json!({"name": "ssl"}), &host).unwrap());
    for link in ["ssl.load", "ssl.conf", "setenvif.load", "mime.load", "socache_shmcb.load"] {
        let path = format!("/etc/apache2/mods-enabled/{link}");
        assert_eq!(host.read_link(path.as_ref()).unwrap(), Path::new("../mods-available").join(link));
    }
    assert!(there("/var/lib/apache2/module/enabled_by_admin/ssl", &host));
    assert!(!there("/var/lib/apache2/module/enabled_by_maint/ssl", &host));
    assert!(!run(json!({"name": "ssl"}), &host).unwrap());
}

#[test]
fn what_others_depend_on_stays_unless_forced() {
    let host = debian();
    run(json!({"name": "ssl"}), &host).unwrap();
    let off = json!({"name": "mime", "state": "absent"});
    assert!(run(off, &host).unwrap_err().to_string().contains("module ssl, which is on, depends on mime"));
    assert!(run(json!({"name": "mime", "state": "absent", "force": true}), &host).unwrap());
    assert!(!there("/etc/apache2/mods-enabled/mime.load", &host));
    assert!(there("/var/lib/apache2/module/disabled_by_admin/mime", &host));
    assert!(run(json!({"name": "ssl", "state": "absent"}), &host).unwrap());
    assert!(
        !there("/etc/apache2/mods-enabled/ssl.load", &host) && there("/etc/apache2/mods-enabled/setenvif.load", &host)
    );
}

#[test]
fn a_conflict_and_a_module_that_is_not_there_are_said() {
    let host = debian();
    assert!(run(json!({"name": "mpm_event"}), &host).unwrap_err().to_string().contains("conflicts with status"));
    assert!(run(json!({"name": "qos"}), &host).unwrap_err().to_string().contains("install the package that brings it"));
    assert!(!run(json!({"name": "qos", "state": "absent"}), &host).unwrap());
    assert!(run(json!({"name": "qos"}), &rocky("")).unwrap_err().to_string().contains("mod_qos.so"));
    let bare = Fake::from_yaml("files: {/etc/hostname: x}").unwrap();
    assert!(run(json!({"name": "ssl"}), &bare).unwrap_err().to_string().contains("not installed"));
    assert!(!run(json!({"name": "ssl", "state": "absent"}), &bare).unwrap());
}

#[test]
fn a_module_with_which_the_configuration_breaks_is_off_again() {
    let host = debian();
    let error = run(json!({"name": "rewrite"}), &host).unwrap_err().to_string();
    assert!(error.contains("rewrite breaks it") && error.contains("everything is as before"), "{error}");
    assert!(!there("/etc/apache2/mods-enabled/rewrite.load", &host));
    assert!(!there("/var/lib/apache2/module/enabled_by_admin/rewrite", &host));
    assert!(run(json!({"name": "rewrite", "ignore_configcheck": true}), &host).unwrap());
}

#[test]
fn on_rhel_a_file_loads_it_and_other_files_do_not_any_more() {
    let host = rocky("files: {/etc/httpd/modules/mod_headers.so: x}\n");
    assert!(run(json!({"name": "headers"}), &host).unwrap());
    let own = "/etc/httpd/conf.modules.d/90-headers.conf";
    assert_eq!(text(own, &host), "LoadModule headers_module modules/mod_headers.so\n");
    assert!(!run(json!({"name": "headers"}), &host).unwrap());
    assert!(run(json!({"name": "headers", "state": "absent"}), &host).unwrap());
    assert!(!there(own, &host));
    // One that the distribution loads, and one that it has commented out.
    assert!(!run(json!({"name": "rewrite"}), &host).unwrap());
    assert!(!run(json!({"name": "status", "state": "absent"}), &host).unwrap());
    assert!(run(json!({"name": "rewrite", "state": "absent"}), &host).unwrap());
    assert_eq!(
        text("/etc/httpd/conf.modules.d/00-base.conf", &host),
        "#LoadModule rewrite_module modules/mod_rewrite.so\n#LoadModule status_module modules/mod_status.so\n"
    );
}
