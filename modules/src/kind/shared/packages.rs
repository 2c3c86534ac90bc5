//! What the modules for packages have in common: patterns, and the packages that a host cannot do without.

use rectify_core::module::PackageDb;

/// Patterns of packages that hold up the machine, or the way into it. Nothing takes one of these along; each family's names
/// stand beside the other's.
pub(crate) const FLOOR: &[(&str, &[&str])] = &[
    (
        "the way in",
        &[
            "openssh-server",
            "openssh-sftp-server",
            "dropbear*",
            "sudo",
            "opendoas",
            "doas",
            "shadow-utils",
            "passwd",
            "login",
            "libpam-*",
            "pam",
            "authselect",
            "sssd*",
            "libnss-*",
        ],
    ),
    (
        "the init system",
        &["systemd", "systemd-sysv", "init", "dbus", "dbus-broker", "udev", "systemd-udev", "sysvinit-core"],
    ),
    ("the C library", &["libc6", "libc-bin", "glibc", "glibc-common", "musl"]),
    (
        "the package manager",
        &[
            "apt",
            "dpkg",
            "gpgv",
            "debian-archive-keyring",
            "ubuntu-keyring",
            "dnf",
            "yum",
            "rpm",
            "*-release",
            "*-repos",
            "*-gpg-keys",
            "ca-certificates",
        ],
    ),
    (
        "the kernel",
        &[
            "linux-image-*",
            "linux-modules-*",
            "kernel",
            "kernel-core",
            "kernel-modules*",
            "linux-firmware",
            "firmware-*",
            "*-microcode",
            "microcode_ctl",
            "kmod",
            "initramfs-tools*",
            "dracut*",
        ],
    ),
    ("the boot loader", &["grub*", "shim*", "efibootmgr", "systemd-boot*", "os-prober", "grubby"]),
    (
        "the network",
        &[
            "ifupdown*",
            "iproute*",
            "isc-dhcp-client",
            "dhcpcd*",
            "dhcp-client",
            "dhclient",
            "NetworkManager*",
            "network-manager*",
            "netplan*",
            "systemd-networkd",
            "systemd-resolved",
            "netbase",
            "iputils*",
            "wpasupplicant",
        ],
    ),
    (
        "the disks",
        &[
            "e2fsprogs",
            "xfsprogs",
            "btrfs-progs",
            "dosfstools",
            "lvm2",
            "cryptsetup*",
            "mdadm",
            "multipath-tools",
            "device-mapper*",
            "dmsetup",
            "mount",
            "util-linux*",
            "fdisk",
        ],
    ),
    (
        "the machine's host",
        &[
            "cloud-init",
            "open-vm-tools",
            "qemu-guest-agent",
            "waagent",
            "walinuxagent",
            "google-guest-agent",
            "amazon-ssm-agent",
        ],
    ),
    ("a safe firewall", &["nftables", "iptables*", "firewalld", "ufw"]),
    ("the clock", &["chrony", "ntp", "ntpsec", "systemd-timesyncd", "tzdata"]),
    (
        "the basic tools",
        &[
            "bash",
            "dash",
            "coreutils",
            "base-files",
            "base-passwd",
            "filesystem",
            "setup",
            "procps*",
            "cron",
            "cronie*",
            "rsyslog",
        ],
    ),
];

/// Why a host cannot do without this package, if it cannot.
pub(crate) fn floor(db: &PackageDb, name: &str) -> Option<&'static str> {
    if db.installed(name).is_some_and(|p| p.essential) {
        return Some("what the distribution calls essential");
    }
    let stem = name.split(':').next().unwrap_or(name);
    FLOOR.iter().find(|(_, patterns)| patterns.iter().any(|p| matches(p, stem))).map(|(why, _)| *why)
}

/// Whether a name has a shell pattern's letters in it.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// A shell pattern with `*` and `?`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (&[u8], &[u8]) = (pattern.as_bytes(), name.as_bytes());
    // Where the last star stands, and how much of the name it has taken so far: no more than that has to be gone back.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_shell_patterns() {
        for (pattern, name, expected) in [
            ("php*", "php8.2", true),
            ("php*", "libphp", false),
            ("*php*", "libphp8", true),
            ("lib?ssl*3", "libxssl1.3", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", true),
            ("*", "", true),
            ("*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
