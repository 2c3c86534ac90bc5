//! An end to loading modules, late in the boot.

use std::{collections::BTreeSet, path::Path};

use rectify_core::module::{Entity, ModuleError, Observe, Operate, UnitAction};
use serde::Serialize;

use super::{forbidding, guard, put, text};

const UNIT: &str = "rectify-modlock.service";
const UNIT_FILE: &str = "/etc/systemd/system/rectify-modlock.service";
const PRELOAD: &str = "/etc/modules-load.d/rectify-modlock.conf";
const KEY: &str = "kernel.modules_disabled";

/// Ordered after the target that wants it: systemd then leaves out its own ordering before the target.
const UNIT_TEXT: &str = "\
# Written by rectify.
[Unit]
Description=No more kernel modules until the next boot
Documentation=man:proc_sys_kernel(5)
After=multi-user.target network-online.target
ConditionKernelCommandLine=!rectify.nomodlock
ConditionPathIsReadWrite=/proc/sys/kernel/modules_disabled

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo 1 > /proc/sys/kernel/modules_disabled'

[Install]
WantedBy=multi-user.target
";

const HEAD: &str = "# Written by rectify: loaded early, since nothing can be loaded late.\n";

/// What firewalls and file systems load on demand, where this kernel has it: after the lock nothing could.
const ON_DEMAND: &[&str] = &[
    "nf_tables",
    "nf_conntrack",
    "nft_ct",
    "nft_limit",
    "nft_log",
    "nf_log_syslog",
    "nft_reject_inet",
    "nft_connlimit",
    "nft_chain_nat",
    "nft_masq",
    "nft_compat",
    "vfat",
    "nls_ascii",
    "nls_cp437",
    "nls_iso8859_1",
    "nls_utf8",
];

/// What there is of the lock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Lock {
    /// Whether it closes at every boot.
    at_boot: &'static str,
    /// Whether it is closed.
    now: &'static str,
    /// What is loaded early in the boot.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    preloaded: BTreeSet<String>,
    /// Whether the unit's file is ours to the letter.
    #[serde(skip)]
    unit_file: bool,
    /// What is to be loaded early.
    #[serde(skip)]
    needed: BTreeSet<String>,
    /// Those of `needed` that are not loaded yet.
    #[serde(skip)]
    missing: BTreeSet<String>,
}

const ON: &str = "on";
const OFF: &str = "off";

impl Lock {
    /// Looks.
    pub(super) fn observe(wanted: bool, preload: &[String], host: &dyn Observe) -> Result<Self, ModuleError> {
        let unit_text = text(Path::new(UNIT_FILE), host)?;
        let unit = host.unit(UNIT)?;
        let closes = unit.exists() && unit.file == "enabled";
        let file = text(Path::new(PRELOAD), host)?.unwrap_or_default();
        let preloaded: BTreeSet<String> =
            file.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect();
        let closed = host.sysctl(KEY)?.is_some_and(|v| v.trim() == "1");
        let (mut needed, mut missing) = (BTreeSet::new(), BTreeSet::new());
        if wanted {
            let loaded = host.kernel_modules()?;
            // Once nothing can be loaded, what is there came with the list: only what its modules need themselves is not on it.
            let counts = !closed || preloaded.is_empty();
            needed = needs(preload, &preloaded, loaded.keys().filter(|_| counts), host)?;
            let built_in = guard::listed("modules.builtin", host)?.unwrap_or_default();
            missing = needed.iter().filter(|n| !loaded.contains_key(*n) && !built_in.contains(n)).cloned().collect();
        }
        Ok(Lock {
            at_boot: if closes { OFF } else { ON },
            now: if closed { OFF } else { ON },
            preloaded,
            unit_file: unit_text.as_deref() == Some(UNIT_TEXT),
            needed,
            missing,
        })
    }

    /// Whether nothing can be loaded now.
    pub(super) fn is_in_force(&self) -> bool {
        self.now == OFF
    }

    /// The lock as it is to be.
    pub(super) fn desired(self, wanted: bool, now: bool) -> Self {
        if !wanted {
            return Lock { at_boot: ON, preloaded: BTreeSet::new(), unit_file: false, ..self };
        }
        let at_once = now && self.now == ON;
        Lock {
            at_boot: OFF,
            now: if now { OFF } else { self.now },
            preloaded: self.needed.clone(),
            unit_file: true,
            missing: if at_once { BTreeSet::new() } else { self.missing },
            needed: self.needed,
        }
    }

    /// Makes one into the other.
    pub(super) fn turn_into(&self, want: &Lock, host: &dyn Operate) -> Result<(), ModuleError> {
        if want.at_boot == ON {
            if host.unit(UNIT)?.file == "enabled" {
                host.act_on_unit(UNIT, UnitAction::Disable)?;
            }
            put(Path::new(UNIT_FILE), None, host)?;
            put(Path::new(PRELOAD), None, host)?;
            return Ok(host.reload_units()?);
        }
        // What has to be loaded early comes first: a boot between two steps must find the lock complete, or none.
        if self.preloaded != want.preloaded {
            let lines: String = want.preloaded.iter().map(|n| format!("{n}\n")).collect();
            put(Path::new(PRELOAD), Some(format!("{HEAD}{lines}")), host)?;
        }
        if !self.unit_file {
            put(Path::new(UNIT_FILE), Some(UNIT_TEXT.to_owned()), host)?;
            host.reload_units()?;
        }
        if self.at_boot != OFF {
            host.act_on_unit(UNIT, UnitAction::Enable)?;
        }
        if self.now == ON && want.now == OFF {
            for name in &self.missing {
                host.set_kernel_module(name, true)?;
            }
            host.set_sysctl(KEY, "1")?;
        }
        Ok(())
    }
}

/// What it writes.
pub(super) fn entities() -> Vec<Entity> {
    vec![
        Entity::Path(UNIT_FILE.into()),
        Entity::Path(PRELOAD.into()),
        Entity::Unit(UNIT.into()),
        Entity::Sysctl(KEY.into()),
    ]
}

/// What is loaded now, what was asked for, what was needed before, and what is loaded on demand; none that is forbidden, and
/// none that this kernel does not have: a name that cannot be loaded makes systemd-modules-load fail.
fn needs<'a>(
    preload: &[String],
    before: &'a BTreeSet<String>,
    loaded: impl Iterator<Item = &'a String>,
    host: &dyn Observe,
) -> Result<BTreeSet<String>, ModuleError> {
    let mut needed: BTreeSet<String> = rectify_core::small::gather(loaded.chain(before).cloned());
    needed.extend(preload.iter().map(|n| n.trim().replace('-', "_")));
    if let Some(available) = guard::listed("modules.dep", host)? {
        needed.extend(ON_DEMAND.iter().map(|n| (*n).to_owned()).filter(|n| available.contains(n)));
        let unknown: Vec<&String> =
            preload.iter().filter(|n| !available.contains(&n.trim().replace('-', "_"))).collect();
        let built_in = guard::listed("modules.builtin", host)?.unwrap_or_default();
        if let Some(name) = unknown.into_iter().find(|n| !built_in.contains(&n.trim().replace('-', "_"))) {
            return Err(ModuleError::failed(format!("preload: this kernel has no module {name}")));
        }
    }
    let mut allowed = BTreeSet::new();
    for name in needed {
        if host.lstat(&forbidding(&name))?.is_none() {
            allowed.insert(name);
        }
    }
    Ok(allowed)
}
