//! Systems that published roles know and that hosts of rectify are not: what is for them alone is not read.

use crate::plan::Expr;

/// Families and distributions without `apt` or `dnf`, as the facts of Ansible and names of files have them, in lower case.
const FOREIGN: &[&str] = &[
    "aix",
    "alpine",
    "altlinux",
    "archlinux",
    "clearlinux",
    "darwin",
    "dragonfly",
    "freebsd",
    "gentoo",
    "hpux",
    "macos",
    "macosx",
    "mageia",
    "netbsd",
    "nixos",
    "openbsd",
    "opensuse",
    "slackware",
    "sles",
    "smartos",
    "solaris",
    "sunos",
    "suse",
    "void",
    "windows",
];

/// Whether the name of a file says that it is for such a system.
pub(crate) fn is_file(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    file.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| FOREIGN.contains(&word))
}

/// The first condition that holds on such a system only: a fact that names the system, compared with its name.
pub(crate) fn condition(when: &[Expr]) -> Option<&Expr> {
    when.iter().find(|expr| {
        let Some((fact, system)) = expr.text.split_once("==") else { return false };
        let name = system.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
        let names_system = ["os_family", "distribution", "ansible_system", "facts.system"];
        let plain = !expr.text.contains(" or ") && !expr.text.contains(" not ");
        plain && names_system.iter().any(|part| fact.contains(part)) && FOREIGN.contains(&name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_conditions_for_other_systems_are_told_by_their_names() {
        for name in ["setup-Solaris.yml", "tasks/FreeBSD.yml", "install_suse_15.yml"] {
            assert!(is_file(name), "{name}");
        }
        for name in ["setup-Debian.yml", "void.d/main.yml", "suseconnect.yml", "main.yml"] {
            assert!(!is_file(name), "{name}");
        }
        let origin = crate::plan::Origin { file: "x".into(), line: 1, column: 1 };
        let holds = |text: &str| condition(&[Expr { text: text.into(), origin: origin.clone() }]).is_some();
        assert!(holds("ansible_os_family == 'Archlinux'") && holds("ansible_facts['os_family'] == \"Suse\""));
        assert!(!holds("ansible_os_family == 'Debian'") && !holds("x == 'Suse'"));
        assert!(!holds("ansible_os_family == 'Suse' or other") && !holds("ansible_os_family != 'Suse'"));
    }
}
