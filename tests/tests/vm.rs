//! The virtual machine, as far as tests rely on it.

use rectify_tests::pool;

#[test]
fn it_has_a_kernel_of_its_own() {
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
