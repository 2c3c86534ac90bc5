//! Kernel parameters and modules in the overlay.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rectify_core::module::HostResult;
use rustix::io::Errno;

use super::{
    hand::Hand,
    notes::Scope,
    sight::{Sight, known},
    state::Put,
    walk::refuse,
};

/// The one form of a key, dots between its parts: whichever of `.` and `/` comes first separates (sysctl(8)).
fn dotted(key: &str) -> String {
    if key.find(['.', '/']).is_some_and(|i| key.as_bytes().get(i) == Some(&b'/')) {
        swapped(key)
    } else {
        key.to_owned()
    }
}

fn swapped(key: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    key.chars().map(swap).collect()
}

/// Where a parameter is in the file system.
fn file_of(key: &str) -> PathBuf {
    Path::new("/proc/sys").join(swapped(key))
}

impl Sight<'_> {
    /// The live value of a parameter.
    pub(super) fn sysctl(&self, key: &str) -> HostResult<Option<String>> {
        let key = &*dotted(key);
        let (since, value) = match self.state.sysctls.get(key) {
            Some(put) => (put.stamp.seq, put.value.clone()),
            None => (0, self.world.base.sysctl(key)?),
        };
        let absent = value.is_none();
        known(self.state.notes.on(since, |scope| match scope {
            Scope::Sysctl(pattern) => names(pattern, key),
            Scope::NewSysctls => absent,
            _ => false,
        }))?;
        Ok(value)
    }

    /// The loaded modules with their use counts.
    pub(super) fn kernel_modules(&self) -> HostResult<IndexMap<String, u32>> {
        known(self.state.notes.on(0, |scope| matches!(scope, Scope::KernelModules)))?;
        let mut modules = self.world.base.kernel_modules()?;
        for (name, put) in &self.state.kernel_modules {
            if put.value.is_none() {
                modules.shift_remove(name);
            } else {
                modules.entry(name.clone()).or_insert(0);
            }
        }
        Ok(modules)
    }
}

impl Hand<'_> {
    /// See [`rectify_core::module::Operate::set_sysctl`].
    pub(super) fn set_sysctl(&mut self, key: &str, value: &str) -> HostResult<()> {
        const DOING: &str = "setting";
        let key = &*dotted(key);
        let object = Path::new(key);
        let Some(old) = self.sight().sysctl(key)? else { return Err(refuse(DOING, object, Errno::NOENT)) };
        let file = file_of(key);
        if self.world.mounts().is_read_only(&file) {
            return Err(refuse(DOING, object, Errno::ROFS));
        }
        let read_only = self.world.base.lstat(&file)?.is_some_and(|m| m.mode & 0o222 == 0);
        if read_only || self.world.base.uid() != 0 {
            return Err(refuse(DOING, object, Errno::ACCESS));
        }
        // These two only ever go up (Documentation/admin-guide/sysctl/kernel.rst).
        let one_way = ["kernel.modules_disabled", "kernel.kexec_load_disabled"].contains(&key);
        if one_way && old.trim() == "1" && value.trim() != "1" {
            return Err(refuse(DOING, object, Errno::INVAL));
        }
        // The kernel prints several numbers with tabs between them, however they were written.
        let value = if old.contains('\t') {
            value.split_whitespace().collect::<Vec<_>>().join("\t")
        } else {
            value.trim().to_owned()
        };
        for other in followers(key) {
            self.note(Scope::Sysctl(other));
        }
        self.state.sysctls.insert(key.to_owned(), Put { stamp: self.stamp, value: Some(value) });
        Ok(())
    }

    /// See [`rectify_core::module::Operate::set_kernel_module`].
    pub(super) fn set_kernel_module(&mut self, name: &str, loaded: bool) -> HostResult<()> {
        let doing = if loaded { "loading" } else { "unloading" };
        let name = name.replace('-', "_");
        let object = Path::new(&name);
        let modules = self.sight().kernel_modules()?;
        if modules.contains_key(&name) == loaded {
            return Ok(());
        }
        let locked = self.sight().sysctl("kernel.modules_disabled")?.is_some_and(|v| v.trim() == "1");
        if locked || self.world.base.uid() != 0 {
            return Err(refuse(doing, object, Errno::PERM));
        }
        if modules.get(&name).is_some_and(|uses| *uses > 0) {
            return Err(refuse(doing, object, Errno::AGAIN));
        }
        let value = loaded.then_some(());
        self.state.kernel_modules.insert(name, Put { stamp: self.stamp, value });
        if loaded {
            self.note(Scope::NewSysctls);
        }
        Ok(())
    }
}

/// Parameters that the kernel sets along with this one (Documentation/networking/ip-sysctl.rst).
fn followers(key: &str) -> Vec<String> {
    let names: &[&str] = match key {
        "net.ipv4.ip_forward" => &["net.ipv4.conf.*.forwarding"],
        "net.ipv4.conf.all.forwarding" => &["net.ipv4.ip_forward", "net.ipv4.conf.*.forwarding"],
        "net.ipv6.conf.all.forwarding" => &["net.ipv6.conf.*.forwarding"],
        "net.ipv6.conf.all.disable_ipv6" => &["net.ipv6.conf.*.disable_ipv6"],
        _ => &[],
    };
    names.iter().map(|n| (*n).to_owned()).collect()
}

/// Whether a key is the one that is named, `*` standing for one interface.
fn names(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => key.len() > head.len() + tail.len() && key.starts_with(head) && key.ends_with(tail),
        None => pattern == key,
    }
}
