use std::sync::Arc;

use rectify_core::{module::ErasedResource, plan::TaskId};
use serde_json::{Value, json};

use super::*;
use crate::{
    host::{fake::Fake, rehearsal::Rehearsal},
    kind::shared::trial,
};

fn host() -> Fake {
    Fake::from_yaml(
        "{base: debian, kernel_modules: {ext4: 1, dccp: 0, sctp: 2}, sysctls: {kernel.osrelease: 6.1.0}, files: {
            /etc/fstab: \"/dev/sda1 /boot/efi vfat umask=0077 0 1\\n\",
            /lib/modules/6.1.0/modules.builtin: \"kernel/fs/configfs/configfs.ko\\n\",
            /lib/modules/6.1.0/modules.dep: \"kernel/net/nf_tables.ko.xz: a.ko\\nkernel/fs/fat/vfat.ko:\\nkernel/x/cifs.ko:\\n\"}}",
    )
    .unwrap()
}

fn converge(host: &dyn Operate, args: Value) -> (Value, Value) {
    trial::converge::<KernelModule>(host, &args)
}

fn read(host: &Fake, path: &str) -> String {
    text(Path::new(path), host).unwrap().unwrap_or_default()
}

#[test]
fn a_module_is_loaded_unloaded_and_kept_for_the_next_boot() {
    let host = host();
    converge(&host, json!({"name": "cifs", "state": "present", "persistent": "present"}));
    assert!(host.kernel_modules().unwrap().contains_key("cifs"));
    assert_eq!(read(&host, "/etc/modules-load.d/cifs.conf"), "cifs\n");
    let (before, after) = converge(&host, json!({"name": "cifs", "persistent": "present"}));
    assert_eq!(before, after);
    converge(&host, json!({"name": "cifs", "state": "absent", "persistent": "absent"}));
    assert!(!host.kernel_modules().unwrap().contains_key("cifs"));
    assert_eq!(read(&host, "/etc/modules-load.d/cifs.conf"), "");
    let (before, after) = converge(&host, json!({"name": "configfs"}));
    assert_eq!(before, after, "what is built in is loaded");
}

#[test]
fn what_is_forbidden_is_unloaded_unless_it_is_in_use() {
    let host = host();
    let args = json!({"name": ["dccp", "sctp", "firewire-core", "configfs"], "state": "forbidden"});
    let seen = trial::module::<KernelModule>(&args).look(&host).unwrap();
    let said: Vec<String> = seen.findings.iter().map(|f| format!("{} {}", f.subject, f.message)).collect();
    assert!(said.iter().any(|s| s.starts_with("sctp is in use (2 times)")), "{said:?}");
    assert!(said.iter().any(|s| s.starts_with("configfs is part of this kernel")), "{said:?}");
    converge(&host, args.clone());
    let loaded = host.kernel_modules().unwrap();
    assert!(!loaded.contains_key("dccp") && loaded.contains_key("sctp"));
    let file = read(&host, "/etc/modprobe.d/rectify-firewire_core.conf");
    assert!(file.contains("install firewire_core /bin/false\n") && file.contains("blacklist firewire_core\n"));
    let (before, after) = converge(&host, args);
    assert_eq!(before, after);
    converge(&host, json!({"name": "dccp", "state": "allowed"}));
    assert_eq!(read(&host, "/etc/modprobe.d/rectify-dccp.conf"), "");
}

#[test]
fn what_a_file_system_needs_cannot_be_forbidden() {
    for name in ["vfat", "nls-ascii"] {
        let error = trial::fails::<KernelModule>(&host(), &json!({"name": ["dccp", name], "state": "forbidden"}));
        assert!(error.contains("/boot/efi") && error.contains("may not boot"), "{error}");
    }
}

#[test]
fn loading_ends_late_in_the_boot_and_never_by_a_sysctl_file() {
    let host = host();
    converge(&host, json!({"name": "dccp", "state": "forbidden"}));
    let args = json!({"loading": "off", "preload": ["cifs"]});
    let (before, after) = converge(&host, args.clone());
    assert_eq!((&before["loading"]["at_boot"], &after["loading"]["at_boot"]), (&json!("on"), &json!("off")));
    assert_eq!(after["loading"]["now"], "on");
    let preload = read(&host, "/etc/modules-load.d/rectify-modlock.conf");
    let names: Vec<&str> = preload.lines().skip(1).collect();
    assert_eq!(names, ["cifs", "ext4", "nf_tables", "overlay", "sctp", "vfat"]);
    let unit = read(&host, "/etc/systemd/system/rectify-modlock.service");
    assert!(unit.contains("ConditionKernelCommandLine=!rectify.nomodlock"));
    assert_eq!(host.unit("rectify-modlock.service").unwrap().file, "enabled");
    assert_eq!(host.sysctl("kernel.modules_disabled").unwrap().as_deref(), Some("0"));
    let (before, after) = converge(&host, args);
    assert_eq!(before, after);
    converge(&host, json!({"loading": "on"}));
    assert_eq!(read(&host, "/etc/systemd/system/rectify-modlock.service"), "");
    assert!(!host.unit("rectify-modlock.service").unwrap().exists());
}

#[test]
fn loading_may_end_at_once_after_all_that_is_needed_was_loaded() {
    let host = host();
    converge(&host, json!({"loading": false, "now": true}));
    assert_eq!(host.sysctl("kernel.modules_disabled").unwrap().as_deref(), Some("1"));
    assert!(host.kernel_modules().unwrap().contains_key("vfat"));
    let seen = trial::module::<KernelModule>(&json!({"loading": "on"})).look(&host).unwrap();
    assert!(seen.findings[0].message.contains("until this host boots again"));
    assert!(trial::fails::<KernelModule>(&host, &json!({"name": "cifs"})).contains("cifs"));
}

#[test]
fn a_module_that_the_kernel_lacks_is_not_preloaded() {
    let error = trial::fails::<KernelModule>(&host(), &json!({"loading": "off", "preload": ["no_such"]}));
    assert!(error.contains("no module no_such"), "{error}");
}

#[test]
fn what_a_check_announces_is_what_an_apply_announces() {
    for args in [
        json!({"name": "dccp", "state": "forbidden"}),
        json!({"name": "cifs", "persistent": "present"}),
        json!({"loading": "off", "now": true}),
    ] {
        let rehearsal = Rehearsal::shared(Arc::new(host()));
        assert_eq!(converge(&rehearsal.for_task(TaskId(1)), args.clone()), converge(&host(), args));
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for args in [
        json!({}),
        json!({"state": "forbidden"}),
        json!({"name": "../x"}),
        json!({"name": "x", "now": true}),
        json!({"name": "x", "state": "forbidden", "persistent": "present"}),
        json!({"loading": "on", "preload": ["x"]}),
    ] {
        trial::refused::<KernelModule>(&args);
    }
}

#[test]
fn what_listed_modules_bring_with_them_is_not_added_once_nothing_can_be_loaded() {
    let fixture = |disabled: u8| {
        Fake::from_yaml(&format!(
            "{{base: debian, kernel_modules: {{nf_tables: 0, libcrc32c: 1}}, sysctls: {{kernel.modules_disabled: {disabled}}}, files: {{
                /etc/modules-load.d/rectify-modlock.conf: \"nf_tables\\n\"}}}}"
        ))
        .unwrap()
    };
    let preloaded = |host: &Fake| {
        let seen = trial::module::<KernelModule>(&json!({"loading": "off"})).look(host).unwrap();
        (seen.before["loading"]["preloaded"].clone(), seen.after["loading"]["preloaded"].clone())
    };
    let (before, after) = preloaded(&fixture(1));
    assert_eq!(before, after);
    // Before that, whatever is loaded may have been loaded late.
    let (before, after) = preloaded(&fixture(0));
    assert!(before != after && after.to_string().contains("libcrc32c"), "{after}");
}
