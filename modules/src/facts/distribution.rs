//! The distribution, by os-release(5).

use rectify_core::module::ModuleError;
use serde_json::json;

use super::{Facts, Look, assignments, put};

/// `ID` of os-release, Ansible's name, Ansible's family.
const KNOWN: &[(&str, &str, &str)] = &[
    ("debian", "Debian", "Debian"),
    ("raspbian", "Debian", "Debian"),
    ("ubuntu", "Ubuntu", "Debian"),
    ("linuxmint", "Linux Mint", "Debian"),
    ("kali", "Kali", "Debian"),
    ("devuan", "Devuan", "Debian"),
    ("rhel", "RedHat", "RedHat"),
    ("rocky", "Rocky", "RedHat"),
    ("almalinux", "AlmaLinux", "RedHat"),
    ("centos", "CentOS", "RedHat"),
    ("fedora", "Fedora", "RedHat"),
    ("ol", "OracleLinux", "RedHat"),
    ("amzn", "Amazon", "RedHat"),
    ("cloudlinux", "CloudLinux", "RedHat"),
    ("opensuse-leap", "openSUSE Leap", "Suse"),
    ("opensuse-tumbleweed", "openSUSE Tumbleweed", "Suse"),
    ("sles", "SLES", "Suse"),
    ("arch", "Archlinux", "Archlinux"),
    ("alpine", "Alpine", "Alpine"),
];

pub(super) fn gather(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let (mut path, mut text) = ("/etc/os-release", look.text("/etc/os-release")?);
    if text.is_none() {
        path = "/usr/lib/os-release";
        text = look.text(path)?;
    }
    let Some(text) = text else { return Ok(()) };
    let release = assignments(&text);
    let get = |key: &str| release.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    let id = get("ID").unwrap_or_default();
    let like = get("ID_LIKE").unwrap_or_default();
    let known = KNOWN.iter().find(|(known, ..)| *known == id);
    let relative = || like.split_whitespace().find_map(|l| KNOWN.iter().find(|(known, ..)| *known == l));
    let name = known.map(|(_, name, _)| (*name).to_owned()).or_else(|| get("NAME")).unwrap_or_else(|| id.clone());
    let family = known.or_else(relative).map_or(name.clone(), |(.., family)| (*family).to_owned());
    let mut version = get("VERSION_ID");
    // Debian's point release stands in a file of its own.
    if matches!(id.as_str(), "debian" | "raspbian")
        && let Some(point) = look.line("/etc/debian_version")?.filter(|v| v.starts_with(|c: char| c.is_ascii_digit()))
    {
        version = Some(point);
    }
    let version = version.unwrap_or_else(|| "NA".into());
    let named = get("VERSION").and_then(|v| Some(v.split_once('(')?.1.split_once(')')?.0.to_owned()));
    let codename = get("VERSION_CODENAME").or(named);
    put(facts, "distribution", Some(name.clone()));
    put(facts, "distribution_major_version", version.split('.').next());
    put(facts, "distribution_version", Some(version.clone()));
    put(facts, "distribution_release", Some(codename.clone().unwrap_or_else(|| "NA".into())));
    let (variety, file) = match family.as_str() {
        "RedHat" => ("RedHat", "/etc/redhat-release"),
        "Debian" => ("Debian", path),
        _ => ("NA", path),
    };
    put(facts, "distribution_file_variety", Some(variety));
    put(facts, "distribution_file_path", Some(file));
    put(facts, "distribution_file_parsed", Some(true));
    put(facts, "os_family", Some(family));
    let lsb = assignments(&look.text("/etc/lsb-release")?.unwrap_or_default());
    let lsb = |key: &str| lsb.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let release = lsb("DISTRIB_RELEASE").or_else(|| get("VERSION_ID")).unwrap_or(version);
    facts.insert(
        "lsb".into(),
        json!({
            "id": lsb("DISTRIB_ID").unwrap_or(name),
            "release": release,
            "major_release": release.split('.').next(),
            "codename": lsb("DISTRIB_CODENAME").or(codename),
            "description": lsb("DISTRIB_DESCRIPTION").or_else(|| get("PRETTY_NAME")),
        }),
    );
    Ok(())
}
