//! Whether the host is a container or a virtual machine, in Ansible's words.

use rectify_core::module::ModuleError;

use super::{Facts, Look, put};

pub(super) fn gather(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let guest = match container(look)? {
        Some(kind) => Some(kind),
        None => machine(look)?,
    };
    let modules = look.text("/proc/modules")?.unwrap_or_default();
    let loaded = |name: &str| modules.lines().any(|l| l.split_whitespace().next() == Some(name));
    let host = if loaded("kvm") || look.exists("/sys/module/kvm")? {
        Some("kvm")
    } else if loaded("vboxdrv") {
        Some("virtualbox")
    } else {
        None
    };
    let (kind, role) = match (&guest, host) {
        (Some(kind), _) => (kind.as_str(), "guest"),
        (None, Some(kind)) => (kind, "host"),
        (None, None) => ("NA", "NA"),
    };
    put(facts, "virtualization_type", Some(kind));
    put(facts, "virtualization_role", Some(role));
    put(facts, "virtualization_tech_guest", Some(guest.clone().into_iter().collect::<Vec<_>>()));
    put(facts, "virtualization_tech_host", Some(host.into_iter().collect::<Vec<_>>()));
    Ok(())
}

fn container(look: Look<'_>) -> Result<Option<String>, ModuleError> {
    let manager = look.line("/run/systemd/container")?.filter(|kind| !kind.is_empty());
    let told = match manager {
        Some(kind) => Some(kind),
        None => look.text("/proc/1/environ")?.and_then(|env| {
            env.split('\0')
                .find_map(|pair| pair.strip_prefix("container="))
                .filter(|k| !k.is_empty())
                .map(str::to_owned)
        }),
    };
    if let Some(kind) = told {
        return Ok(Some(match kind.as_str() {
            "systemd-nspawn" => "systemd-nspawn".into(),
            "lxc-libvirt" => "lxc".into(),
            "oci" => "container".into(),
            other => other.to_owned(),
        }));
    }
    if look.exists("/run/.containerenv")? {
        return Ok(Some("podman".into()));
    }
    if look.exists("/.dockerenv")? || look.exists("/.dockerinit")? {
        return Ok(Some("docker".into()));
    }
    let groups = look.text("/proc/1/cgroup")?.unwrap_or_default();
    Ok([("/docker", "docker"), ("/lxc", "lxc"), ("/kubepods", "container"), ("/machine.slice/libpod", "podman")]
        .iter()
        .find(|(mark, _)| groups.lines().any(|line| line.contains(mark)))
        .map(|(_, kind)| (*kind).to_owned()))
}

fn machine(look: Look<'_>) -> Result<Option<String>, ModuleError> {
    let dmi = |file: &str| look.line(format!("/sys/class/dmi/id/{file}"));
    let (product, vendor, bios) = (dmi("product_name")?, dmi("sys_vendor")?, dmi("bios_vendor")?);
    let says = |text: &Option<String>, word: &str| text.as_deref().is_some_and(|t| t.contains(word));
    let known = [
        (says(&product, "VMware"), "VMware"),
        (says(&product, "VirtualBox") || says(&vendor, "innotek"), "virtualbox"),
        (says(&product, "RHEV Hypervisor") || says(&product, "RHV"), "RHEV"),
        (says(&product, "OpenStack"), "openstack"),
        (says(&product, "KVM") || says(&product, "Bochs") || says(&product, "Standard PC"), "kvm"),
        (says(&vendor, "QEMU") || says(&vendor, "Amazon EC2") || says(&vendor, "Google"), "kvm"),
        (says(&vendor, "DigitalOcean") || says(&vendor, "Hetzner") || says(&vendor, "Nutanix"), "kvm"),
        (says(&vendor, "Microsoft") && says(&product, "Virtual Machine"), "VirtualPC"),
        (says(&vendor, "Parallels"), "parallels"),
        (says(&vendor, "Xen") || says(&bios, "Xen") || says(&product, "HVM domU"), "xen"),
        (says(&bios, "SeaBIOS") || says(&bios, "Amazon EC2"), "kvm"),
    ];
    if let Some((_, kind)) = known.iter().find(|(fits, _)| *fits) {
        return Ok(Some((*kind).to_owned()));
    }
    if look.line("/sys/hypervisor/type")?.as_deref() == Some("xen") || look.exists("/proc/xen/capabilities")? {
        return Ok(Some("xen".into()));
    }
    let cpu = look.text("/proc/cpuinfo")?.unwrap_or_default();
    if cpu.contains("QEMU Virtual CPU") {
        return Ok(Some("kvm".into()));
    }
    let under = cpu.lines().any(|l| l.starts_with("flags") && l.split_whitespace().any(|f| f == "hypervisor"));
    Ok(under.then(|| "kvm".into()))
}
