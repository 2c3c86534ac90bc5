//! The virtual machine, as far as tests rely on it.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use rectify_tests::law;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{output, run};
use serde_json::Value;

#[test]
fn it_has_a_kernel_and_an_audit_of_its_own() {
    let lease = pool::vm().unwrap();
    let host = lease.host();
    assert_eq!(host.sh("hostname; systemctl is-system-running --wait").unwrap(), format!("{}\nrunning\n", host.name()));
    let output = lease.ssh(host, "deploy").arg("sudo id -u").output().unwrap();
    assert_eq!(output.stdout, b"0\n");

    // Modules load until loading is turned off for good.
    host.sh("modprobe dummy && grep -q ^dummy /proc/modules && modprobe -r dummy").unwrap();
    host.sh("sysctl -w vm.swappiness=13 && grep -qx 13 /proc/sys/vm/swappiness").unwrap();
    host.sh(
        "systemctl is-active auditd && auditctl -w /etc/passwd -p wa -k accounts && auditctl -l | grep -q accounts",
    )
    .unwrap();
    the_audit_log_names_the_account_and_the_program(&lease);
    host.sh("sysctl -w kernel.modules_disabled=1").unwrap();
    assert!(!host.exec(&["modprobe", "dummy"]).unwrap().success());

    // A reboot is a real one and keeps the disk.
    host.write("/etc/kept", "yes").unwrap();
    let boot = host.read("/proc/sys/kernel/random/boot_id").unwrap();
    host.reboot().unwrap();
    assert_ne!(host.read("/proc/sys/kernel/random/boot_id").unwrap(), boot);
    assert_eq!(host.read("/etc/kept").unwrap(), "yes");
    host.sh("modprobe dummy").unwrap();
}

/// What the shipped playbook does to a machine with a kernel of its own, loading of modules turned off for good included.
#[test]
fn the_shipped_playbook_turns_the_loading_of_modules_off_for_good() {
    let lease = pool::vm().unwrap();
    let host = lease.host();
    let groups = lease
        .write("web.ini", &format!("[webservers]\n{}\n[webservers:vars]\nrollout_opt_in=all\n", host.name()))
        .unwrap();
    let playbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks/webserver.yml");
    let vars = "{web_lock_kernel_modules: true, web_lock_kernel_modules_now: true, web_fetch_tools: [wget], \
                web_allowed_packages: [nothing-at-all]}";
    let args = ["-i", &groups.to_string_lossy(), "-e", vars, playbook];
    let off = || host.read("/proc/sys/kernel/modules_disabled").unwrap() == "1\n";
    host.sh("modprobe dummy && modprobe -r dummy").unwrap();

    let held = law::hold(&lease, &args).unwrap();
    assert_eq!(held.apply.with("failed").into_keys().collect::<Vec<_>>(), [], "{:#?}", held.apply.reports());
    let announced = held.check.with("would_change");
    let lock =
        announced.iter().find(|(place, _)| place.1.ends_with("Load no more kernel modules once the machine is up"));
    let lock = lock.map(|(_, changes)| changes.to_string()).unwrap_or_default();
    assert!(
        lock.contains("loading.at_boot") && lock.contains("loading.now") && lock.contains("loading.preloaded"),
        "{lock}"
    );
    // The kernel, its initramfs and what audits are not what a list could take away.
    let report = held
        .check
        .reports()
        .into_iter()
        .find(|(place, _)| place.1.ends_with("Keep to the packages that this host is for"));
    let said = report.unwrap().1["findings"].to_string();
    assert!(
        said.contains("\"php-cli\"") && !said.contains("linux-image") && !said.contains("initramfs-tools"),
        "{said}"
    );

    // At once, and after a boot: no module is loaded any more.
    let refused = || {
        for module in ["dummy", "sctp"] {
            assert!(!host.exec(&["modprobe", module]).unwrap().success(), "{module}");
        }
        assert!(off());
    };
    refused();
    host.reboot().unwrap();
    assert_eq!(host.sh("systemctl is-system-running --wait").unwrap(), "running\n", "nothing that is needed is lost");
    refused();
    // What loads on demand was loaded early: the limit of connections stands, and a firewall can still be written.
    assert!(host.sh("nft list table inet rectify_web").unwrap().contains("ct count over 50"));
    host.sh("nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c ct state new limit rate 9/second log accept'").unwrap();
    assert_eq!(host.sh("systemctl is-active apache2 auditd ssh").unwrap(), "active\n".repeat(3));
    let again = run(&lease, "check", &args).unwrap();
    for outcome in ["would_change", "may_change", "failed"] {
        assert_eq!(again.with(outcome).into_keys().collect::<Vec<_>>(), [], "{outcome} after the boot");
    }
}

/// Who changed a file behind the tool's back, from what a real auditd writes.
fn the_audit_log_names_the_account_and_the_program(lease: &Lease) {
    let host = lease.host();
    let task = "{name: motd, copy: {dest: /etc/motd, content: \"keep out\\n\", mode: '0644'}}";
    let playbook =
        lease.write("motd.yml", &format!("- hosts: all\n  gather_facts: false\n  tasks: [{task}]\n")).unwrap();
    let says = |verb: &str, more: &[&str], code: i32| {
        let said = output(lease, verb, &[&[&*playbook.to_string_lossy()], more].concat()).unwrap();
        assert_eq!(said.code, Some(code), "{verb}: {}\n{}", said.stdout, said.stderr);
        said.stdout
    };
    says("apply", &[], 0);
    host.sh("auditctl -w /etc/motd -p wa -k motd").unwrap();
    let login = lease.ssh(host, "deploy").arg("sudo chmod 666 /etc/motd").output().unwrap();
    assert!(login.status.success(), "{login:?}");

    let found: Value = serde_json::from_str(&says("drift", &["--json"], 2)).unwrap();
    let open = found["open"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{found:#}");
    assert_eq!((&open[0]["cause"], &open[0]["property"]), (&"drift".into(), &"mode".into()), "{found:#}");
    let by = |trace: &&Value| trace["account"] == "deploy" && trace["program"] == "/usr/bin/chmod";
    let audit = open[0]["traces"].as_array().unwrap().iter().filter(by).find(|trace| trace["source"] == "audit");
    assert!(audit.is_some(), "{found:#}");
}
