//! Processors, memory, DMI, mounts.

use std::collections::BTreeSet;

use rectify_core::module::ModuleError;
use serde_json::{Value, json};

use super::{Facts, Look, lenient, put};

pub(super) fn gather(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    if let Some(text) = look.text("/proc/cpuinfo")? {
        processors(&text, facts);
    }
    if let Some(text) = look.text("/proc/meminfo")? {
        memory(&text, facts);
    }
    let uptime = look.line("/proc/uptime")?.and_then(|l| l.split('.').next()?.parse::<u64>().ok());
    put(facts, "uptime_seconds", uptime);
    if let Some(load) = look.line("/proc/loadavg")? {
        let values: Vec<f64> = load.split_whitespace().take(3).filter_map(|v| v.parse().ok()).collect();
        if let [one, five, fifteen] = values.as_slice() {
            facts.insert("loadavg".into(), json!({ "1m": one, "5m": five, "15m": fifteen }));
        }
    }
    dmi(look, facts)?;
    mounts(look, facts)
}

fn processors(text: &str, facts: &mut Facts) {
    let (mut list, mut sockets, mut cores, mut siblings, mut count) = (Vec::new(), BTreeSet::new(), 1u64, 1u64, 0u64);
    for (key, value) in text.lines().filter_map(|l| l.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "processor" if value.parse::<u64>().is_ok() => {
                count += 1;
                list.push(Value::from(value));
            }
            "vendor_id" | "model name" | "Processor" | "cpu" => list.push(Value::from(value)),
            "physical id" => drop(sockets.insert(value.to_owned())),
            "cpu cores" => cores = value.parse().unwrap_or(1).max(1),
            "siblings" => siblings = value.parse().unwrap_or(1).max(1),
            _ => {}
        }
    }
    if count == 0 {
        return;
    }
    // Machines that say nothing of sockets (ARM, some virtual ones) have as many as they have processors.
    let sockets = if sockets.is_empty() { count } else { sockets.len() as u64 };
    let threads = (siblings / cores).max(1);
    put(facts, "processor", Some(list));
    put(facts, "processor_count", Some(sockets));
    put(facts, "processor_cores", Some(cores));
    put(facts, "processor_threads_per_core", Some(threads));
    put(facts, "processor_vcpus", Some(sockets * cores * threads));
    put(facts, "processor_nproc", Some(count));
}

fn memory(text: &str, facts: &mut Facts) {
    let mb = |key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
    };
    let names = [
        ("memtotal_mb", "MemTotal"),
        ("memfree_mb", "MemFree"),
        ("swaptotal_mb", "SwapTotal"),
        ("swapfree_mb", "SwapFree"),
    ];
    for (name, key) in names {
        put(facts, name, mb(key));
    }
    let of = |key: &str| mb(key).unwrap_or(0);
    let (total, free) = (of("MemTotal"), of("MemFree"));
    let unused = free + of("Cached") + of("Buffers");
    facts.insert(
        "memory_mb".into(),
        json!({
            "real": { "total": total, "free": free, "used": total.saturating_sub(free) },
            "nocache": { "free": unused, "used": total.saturating_sub(unused) },
            "swap": {
                "total": of("SwapTotal"), "free": of("SwapFree"), "cached": of("SwapCached"),
                "used": of("SwapTotal").saturating_sub(of("SwapFree")),
            },
        }),
    );
}

/// The kinds of enclosure, as the DMI specification numbers them.
const FORMS: &[&str] = &[
    "Unknown",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosure",
    "Tablet",
    "Convertible",
    "Detachable",
    "IoT Gateway",
    "Embedded PC",
    "Mini PC",
    "Stick PC",
];

fn dmi(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    const FILES: &[(&str, &str)] = &[
        ("system_vendor", "sys_vendor"),
        ("product_name", "product_name"),
        ("product_version", "product_version"),
        ("product_serial", "product_serial"),
        ("product_uuid", "product_uuid"),
        ("bios_date", "bios_date"),
        ("bios_vendor", "bios_vendor"),
        ("bios_version", "bios_version"),
        ("board_name", "board_name"),
        ("board_vendor", "board_vendor"),
        ("chassis_vendor", "chassis_vendor"),
    ];
    for (name, file) in FILES {
        let value = look.line(format!("/sys/class/dmi/id/{file}"))?.filter(|v| !v.is_empty());
        put(facts, name, Some(value.unwrap_or_else(|| "NA".into())));
    }
    let form = look.line("/sys/class/dmi/id/chassis_type")?.and_then(|t| t.parse::<usize>().ok());
    put(facts, "form_factor", Some(form.and_then(|f| FORMS.get(f).copied()).unwrap_or("NA")));
    Ok(())
}

/// What is mounted from a device or another machine, as proc(5) lists it.
fn mounts(look: Look<'_>, facts: &mut Facts) -> Result<(), ModuleError> {
    let Some(text) = look.text("/proc/self/mounts")? else { return Ok(()) };
    let ids = "/dev/disk/by-uuid";
    let mut uuids = Vec::new();
    for uuid in look.names(ids)? {
        let target = lenient(look.0.read_link(format!("{ids}/{uuid}").as_ref()))?;
        let name = target.and_then(|t| Some(t.file_name()?.to_string_lossy().into_owned()));
        uuids.extend(name.map(|name| (name, uuid)));
    }
    let mut list = Vec::new();
    for line in text.lines() {
        let fields: Vec<String> = line.split(' ').map(unescaped).collect();
        let [device, mount, fstype, options, ..] = fields.as_slice() else { continue };
        if !device.starts_with('/') && !device.contains(":/") || fstype == "none" {
            continue;
        }
        let uuid =
            uuids.iter().find(|(name, _)| device.rsplit('/').next() == Some(name)).map(|(_, uuid)| uuid.as_str());
        list.push(json!({
            "device": device, "mount": mount, "fstype": fstype, "options": options,
            "uuid": uuid.unwrap_or("N/A"), "dump": 0, "passno": 0,
        }));
    }
    put(facts, "mounts", Some(list));
    Ok(())
}

/// A field in which blanks stand as `\040`.
fn unescaped(field: &str) -> String {
    let mut out = Vec::with_capacity(field.len());
    let bytes = field.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\').then(|| field.get(at + 1..at + 4)).flatten();
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
