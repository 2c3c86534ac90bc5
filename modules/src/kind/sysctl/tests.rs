use std::sync::Arc;

use rectify_core::{module::ErasedResource, plan::TaskId};
use serde_json::{Value, json};

use super::*;
use crate::{
    host::{fake::Fake, rehearsal::Rehearsal},
    kind::shared::trial,
};

const FILE: &str = "/etc/sysctl.d/60-web.conf";

fn text(host: &Fake, path: &str) -> String {
    String::from_utf8(host.read(Path::new(path), LONGEST).unwrap().unwrap().to_vec()).unwrap()
}

fn converge(host: &dyn Operate, args: &Value) -> (Value, Value) {
    trial::converge::<Sysctl>(host, args)
}

fn host(more: &str) -> Fake {
    Fake::from_yaml(&format!("{{base: debian, files: {{/etc/sysctl.d: {{dir: true}}{more}}}}}")).unwrap()
}

#[test]
fn a_value_is_set_in_the_file_and_in_the_kernel() {
    let host = host("");
    let args = json!({"name": "vm.swappiness", "value": 10, "sysctl_file": FILE});
    let (before, after) = converge(&host, &args);
    assert_eq!((before, after), (json!({"file": null, "live": "60"}), json!({"file": "10", "live": "10"})));
    assert_eq!(text(&host, FILE), "vm.swappiness=10\n");
    assert_eq!(host.sysctl("vm.swappiness").unwrap().as_deref(), Some("10"));
    let (before, after) = converge(&host, &args);
    assert_eq!(before, after);
}

#[test]
fn one_line_is_replaced_and_the_rest_stays_as_it_was() {
    let old = "# swap\nvm.swappiness = 60 \n\n-vm/swappiness=70\nkernel.kptr_restrict=1";
    let host = host(&format!(", {FILE}: {}", json!(old)));
    converge(&host, &json!({"name": "vm.swappiness", "value": "10", "sysctl_file": FILE}));
    assert_eq!(text(&host, FILE), "# swap\nvm.swappiness=10\n\nkernel.kptr_restrict=1\n");
    converge(&host, &json!({"name": "vm.swappiness", "state": "absent", "sysctl_file": FILE}));
    assert_eq!(text(&host, FILE), "# swap\n\nkernel.kptr_restrict=1\n");
    assert_eq!(host.sysctl("vm.swappiness").unwrap().as_deref(), Some("10"));
}

#[test]
fn several_numbers_are_the_same_with_tabs_and_blanks() {
    let args = json!({"name": "net.ipv4.tcp_rmem", "value": "4096 131072  6291456", "reload": false, "sysctl_set": true, "sysctl_file": FILE});
    let (before, after) = converge(&host(""), &args);
    assert_eq!(before["live"], after["live"]);
}

#[test]
fn without_reload_the_kernel_is_left_alone() {
    let host = host("");
    let (_, after) =
        converge(&host, &json!({"name": "net.ipv4.ip_forward", "value": true, "reload": false, "sysctl_file": FILE}));
    assert_eq!(after, json!({"file": "1"}));
    assert_eq!(host.sysctl("net.ipv4.ip_forward").unwrap().as_deref(), Some("0"));
}

#[test]
fn a_parameter_that_the_kernel_lacks_is_an_error_unless_ignored() {
    let args = json!({"name": "net.nothing", "value": "1", "sysctl_file": FILE});
    assert!(trial::fails::<Sysctl>(&host(""), &args).contains("no parameter net.nothing"));
    converge(&host(""), &json!({"name": "net.nothing", "value": "1", "sysctl_file": FILE, "ignoreerrors": true}));
}

#[test]
fn what_will_not_hold_after_a_boot_is_a_finding() {
    let said = |more: &str, file: &str| {
        let more = format!(", /lib/systemd/systemd-sysctl: '', {FILE}: ''{more}");
        let args = json!({"name": "vm.swappiness", "value": "10", "sysctl_file": file});
        let seen = trial::module::<Sysctl>(&args).look(&host(&more)).unwrap();
        seen.findings.first().map(|f| f.message.clone()).unwrap_or_default()
    };
    assert_eq!(said("", FILE), "");
    assert!(said("", "/etc/sysctl.conf").contains("not read when this host boots"));
    assert_eq!(said(", /etc/sysctl.d/99-sysctl.conf: {link: ../sysctl.conf}", "/etc/sysctl.conf"), "");
    let later = said(", /usr/lib/sysctl.d/70-x.conf: 'vm.swappiness=5'", FILE);
    assert!(later.contains("/usr/lib/sysctl.d/70-x.conf is read later") && later.contains("sets it to 5"), "{later}");
}

#[test]
fn a_check_announces_what_an_apply_does() {
    let args = json!({"name": "vm/swappiness", "value": "10", "sysctl_file": FILE});
    let rehearsal = Rehearsal::shared(Arc::new(host("")));
    assert_eq!(converge(&rehearsal.for_task(TaskId(1)), &args), converge(&host(""), &args));
}

#[test]
fn names_and_values_that_make_no_sense_are_refused() {
    for args in [
        json!({"name": "vm.swappiness"}),
        json!({"name": "a b", "value": "1"}),
        json!({"name": "a..b", "value": "1"}),
        json!({"name": "a.b", "value": "1\n2"}),
        json!({"name": "a.b", "value": "1", "sysctl_file": "x.conf"}),
    ] {
        trial::refused::<Sysctl>(&args);
    }
    let early = trial::refused::<Sysctl>(&json!({"name": "kernel/modules_disabled", "value": "1"}));
    assert!(early.contains("kernel_module"), "{early}");
}
