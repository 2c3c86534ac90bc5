//! Kernel, names, managers, security modules, the account that looks.

use rectify_core::module::ModuleError;
use serde_json::{Map, Value, json};

use super::{Facts, Look, assignments, lenient, put};

pub(super) fn gather(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    put(facts, "system", Some("Linux"));
    put(facts, "kernel", look.line("/proc/sys/kernel/osrelease")?);
    put(facts, "kernel_version", look.line("/proc/sys/kernel/version")?);
    machine(look, facts)?;
    names(look, facts)?;
    managers(look, facts)?;
    security(look, facts)?;
    account(look, facts)?;
    put(facts, "machine_id", look.line("/etc/machine-id")?);
    for kind in ["rsa", "ecdsa", "ed25519"] {
        if let Some(key) = look.line(format!("/etc/ssh/ssh_host_{kind}_key.pub"))? {
            let mut words = key.split_whitespace();
            put(facts, &format!("ssh_host_key_{kind}_public_keytype"), words.next());
            put(facts, &format!("ssh_host_key_{kind}_public"), words.next());
        }
    }
    if let Some(line) = look.line("/proc/cmdline")? {
        let (mut last, mut all): (Map<String, Value>, Map<String, Value>) = Default::default();
        for word in shlex::split(&line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect()) {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key.to_owned(), Value::from(value)),
                None => (word, Value::Bool(true)),
            };
            last.insert(key.clone(), value.clone());
            match all.get_mut(&key) {
                Some(Value::Array(list)) => list.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
                None => drop(all.insert(key, value)),
            }
        }
        put(facts, "cmdline", Some(last));
        put(facts, "proc_cmdline", Some(all));
    }
    Ok(())
}

fn machine(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    // Kernels before 6.1 do not say it in a file; a helper runs only on the machine that it was built for.
    let machine = look.line("/proc/sys/kernel/arch")?.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let architecture = match machine.as_str() {
        "i486" | "i586" | "i686" | "x86" => "i386".to_owned(),
        other => other.to_owned(),
    };
    put(facts, "userspace_bits", Some(if cfg!(target_pointer_width = "64") { "64" } else { "32" }));
    put(facts, "userspace_architecture", Some(architecture.clone()));
    put(facts, "architecture", Some(architecture));
    put(facts, "machine", Some(machine));
    Ok(())
}

fn names(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let node = match look.line("/proc/sys/kernel/hostname")? {
        Some(name) => Some(name),
        None => look.line("/etc/hostname")?,
    };
    let Some(node) = node.filter(|n| !n.is_empty()) else { return Ok(()) };
    let hosts = look.text("/etc/hosts")?.unwrap_or_default();
    let fqdn = if node.contains('.') { node.clone() } else { full_name(&node, &hosts).unwrap_or_else(|| node.clone()) };
    put(facts, "hostname", node.split('.').next());
    put(facts, "domain", Some(fqdn.split_once('.').map_or("", |(_, domain)| domain)));
    put(facts, "fqdn", Some(fqdn));
    put(facts, "nodename", Some(node));
    Ok(())
}

/// The name with its domain, as hosts(5) has it.
fn full_name(node: &str, hosts: &str) -> Option<String> {
    hosts.lines().find_map(|line| {
        let names: Vec<&str> = line.split('#').next()?.split_whitespace().skip(1).collect();
        if !names.contains(&node) {
            return None;
        }
        names.iter().find(|n| n.split_once('.').is_some_and(|(host, _)| host == node)).map(|n| (*n).to_owned())
    })
}

fn managers(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let debian = facts.get("os_family").is_some_and(|f| f == "Debian");
    let rpm =
        [("/usr/bin/dnf5", "dnf5"), ("/usr/bin/dnf", "dnf"), ("/usr/bin/yum", "yum"), ("/usr/bin/zypper", "zypper")];
    let other = [("/usr/bin/apt-get", "apt"), ("/usr/bin/pacman", "pacman"), ("/sbin/apk", "apk")];
    let candidates: Vec<_> =
        if debian { other.iter().chain(&rpm).collect() } else { rpm.iter().chain(&other).collect() };
    for (path, name) in candidates {
        if look.exists(path)? {
            put(facts, "pkg_mgr", Some(*name));
            break;
        }
    }
    if !facts.contains_key("pkg_mgr")
        && let Some(db) = lenient(look.0.packages())?
    {
        let manager = match db.manager {
            rectify_core::module::Manager::Apt => "apt",
            rectify_core::module::Manager::Dnf => "dnf",
        };
        put(facts, "pkg_mgr", Some(manager));
    }
    let first = look.line("/proc/1/comm")?;
    let service = match first.as_deref() {
        _ if look.exists("/run/systemd/system")? => "systemd",
        Some("systemd") => "systemd",
        Some("runit-init" | "runit") => "runit",
        Some("init") if look.exists("/sbin/openrc")? => "openrc",
        Some("init") => "sysvinit",
        _ if look.exists("/etc/systemd/system")? && first.is_none() => "systemd",
        _ => "service",
    };
    put(facts, "service_mgr", Some(service));
    if service == "systemd"
        && let Some(version) = systemd_version(look)?
    {
        facts.insert("systemd".into(), json!({ "version": version }));
    }
    Ok(())
}

/// The number that systemd's own library carries in its name.
fn systemd_version(look: Look<'_>) -> Result<Option<u64>, ModuleError> {
    let arch = std::env::consts::ARCH;
    for folder in [format!("/usr/lib/{arch}-linux-gnu/systemd"), "/usr/lib/systemd".into(), "/usr/lib64/systemd".into()]
    {
        for name in look.names(folder)? {
            let digits = name.strip_prefix("libsystemd-shared-").map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                rest[..end].to_owned()
            });
            if let Some(version) = digits.and_then(|d| d.parse().ok()) {
                return Ok(Some(version));
            }
        }
    }
    Ok(None)
}

fn security(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let mut selinux = Map::new();
    match look.line("/sys/fs/selinux/enforce")? {
        None => drop(selinux.insert("status".into(), "disabled".into())),
        Some(enforce) => {
            let config = assignments(&look.text("/etc/selinux/config")?.unwrap_or_default());
            let said = |key: &str| config.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
            selinux.insert("status".into(), "enabled".into());
            selinux.insert("mode".into(), if enforce == "1" { "enforcing" } else { "permissive" }.into());
            selinux.insert("config_mode".into(), said("SELINUX").unwrap_or_else(|| "unknown".into()).into());
            selinux.insert("type".into(), said("SELINUXTYPE").unwrap_or_else(|| "unknown".into()).into());
            let version = look.line("/sys/fs/selinux/policyvers")?.and_then(|v| v.parse::<u64>().ok());
            put(&mut selinux, "policyvers", version);
        }
    }
    put(facts, "selinux", Some(selinux));
    put(facts, "selinux_python_present", Some(true));
    let apparmor = look.exists("/sys/kernel/security/apparmor")?
        || look.line("/sys/module/apparmor/parameters/enabled")?.as_deref() == Some("Y");
    facts.insert("apparmor".into(), json!({ "status": if apparmor { "enabled" } else { "disabled" } }));
    put(facts, "fips", Some(look.line("/proc/sys/crypto/fips_enabled")?.as_deref() == Some("1")));
    let own = lenient(look.0.stat("/".as_ref()))?.flatten();
    let init = lenient(look.0.stat("/proc/1/root/.".as_ref()))?.flatten();
    let chroot = matches!((own, init), (Some(a), Some(b)) if (a.dev, a.ino) != (b.dev, b.ino));
    put(facts, "is_chroot", Some(chroot));
    Ok(())
}

fn account(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let uid = look.0.uid();
    put(facts, "user_uid", Some(uid));
    put(facts, "real_user_id", Some(uid));
    put(facts, "effective_user_id", Some(uid));
    if let Some(user) = lenient(look.0.user_by_id(uid))?.flatten() {
        put(facts, "user_id", Some(user.name));
        put(facts, "user_gid", Some(user.gid));
        put(facts, "real_group_id", Some(user.gid));
        put(facts, "effective_group_id", Some(user.gid));
        put(facts, "user_gecos", Some(user.comment));
        put(facts, "user_dir", Some(user.home.to_string_lossy().into_owned()));
        put(facts, "user_shell", Some(user.shell));
    }
    let mut env = Map::new();
    for pair in look.text("/proc/self/environ")?.unwrap_or_default().split('\0') {
        if let Some((key, value)) = pair.split_once('=') {
            env.insert(key.to_owned(), value.into());
        }
    }
    put(facts, "env", Some(env));
    Ok(())
}
