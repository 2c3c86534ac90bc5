//! Units in the overlay: what systemctl(1) would do, and what unit files that tasks write mean.

use crate::host::UNIT_SUFFIXES;
use std::path::{Path, PathBuf};

use rectify_core::module::{FileKind, HostError, HostResult, Unit, UnitAction};

use super::{
    hand::Hand,
    notes::Scope,
    sight::{Sight, known},
    state::Put,
    unit_file::UnitFile,
};

/// Where units come from, the first wins (systemd.unit(5)).
pub(super) const UNIT_FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The longest unit file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Whether this is a unit's full name.
pub(super) fn is_unit_name(name: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|s| name.ends_with(s))
}

fn full_name(name: &str) -> String {
    if is_unit_name(name) { name.to_owned() } else { format!("{name}.service") }
}

/// `a@b.service` is made from `a@.service`.
fn template_of(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{suffix}"))
}

/// What the unit files say of a unit.
struct OnDisk {
    /// Where its file is.
    path: PathBuf,
    /// `None`: it is masked.
    file: Option<UnitFile>,
}

impl Sight<'_> {
    /// A unit.
    pub(super) fn unit(&self, name: &str) -> HostResult<Unit> {
        let name = full_name(name);
        let put = self.state.units.get(&name);
        let since = put.map_or(0, |p| p.stamp.seq);
        let mut unit = match put.and_then(|p| p.value.clone()) {
            Some(unit) => unit,
            None => self.world.base.unit(&name)?,
        };
        let written = self.files_written(&name);
        let absent = !unit.exists() && written == 0;
        known(self.state.notes.on(since.max(written), |scope| match scope {
            Scope::Unit(n) => *n == name,
            Scope::Units => true,
            Scope::NewUnits => absent,
            _ => false,
        }))?;
        if written > since {
            self.refresh(&mut unit, written)?;
        }
        Ok(unit)
    }

    /// When tasks last wrote, changed or removed a file of this unit; 0: never.
    fn files_written(&self, name: &str) -> u64 {
        let files = &self.state.files;
        if files.is_empty() {
            return 0;
        }
        let names = [Some(name.to_owned()), template_of(name)];
        let mut last = 0;
        for folder in UNIT_FOLDERS {
            for name in names.iter().flatten() {
                let path = Path::new(folder).join(name);
                let dropins = Path::new(folder).join(format!("{name}.d"));
                let own = files.get(&path).into_iter().map(|e| (e.stamp.seq, e.inode));
                let more = files.below(&dropins).map(|(_, e)| (e.stamp.seq, e.inode));
                for (seq, inode) in own.chain(more) {
                    let content = inode.map_or(seq, |id| self.inode(id).written.map_or(0, |s| s.seq));
                    last = last.max(content);
                }
            }
        }
        last
    }

    /// Brings what systemd said of a unit up to date with its files.
    fn refresh(&self, unit: &mut Unit, written: u64) -> HostResult<()> {
        let loaded = unit.exists() && (unit.active == "active" || unit.file == "enabled");
        match self.on_disk(&unit.name)? {
            Some(OnDisk { file: Some(file), .. }) => {
                unit.load = "loaded".into();
                unit.file = self.file_state(&unit.name, &file)?;
            }
            Some(OnDisk { file: None, .. }) => {
                unit.load = "masked".into();
                unit.file = "masked".into();
            }
            None if unit.exists() && !loaded => {
                unit.load = "not-found".into();
                unit.file = String::new();
            }
            None => {}
        }
        if unit.active.is_empty() {
            unit.active = "inactive".into();
            unit.sub = "dead".into();
        }
        unit.needs_reload = loaded && self.state.reloaded < written;
        Ok(())
    }

    /// The file of a unit, as systemd would find it.
    fn on_disk(&self, name: &str) -> HostResult<Option<OnDisk>> {
        for name in [Some(name.to_owned()), template_of(name)].into_iter().flatten() {
            for folder in UNIT_FOLDERS {
                let path = Path::new(folder).join(&name);
                let Some(node) = self.node(&path, false)? else { continue };
                let to_null = node.meta.kind == FileKind::Link && self.read_link(&path)? == Path::new("/dev/null");
                if to_null {
                    return Ok(Some(OnDisk { path, file: None }));
                }
                let Some(text) = self.read(&path, LONGEST)? else { continue };
                let file = (!text.is_empty()).then(|| UnitFile::parse(&String::from_utf8_lossy(&text)));
                return Ok(Some(OnDisk { path, file }));
            }
        }
        Ok(None)
    }

    /// `UnitFileState` as it follows from the file and the links to it.
    fn file_state(&self, name: &str, file: &UnitFile) -> HostResult<String> {
        let links = file.links(name);
        if links.is_empty() {
            let indirect = !file.also.is_empty();
            return Ok(if indirect { "indirect" } else { "static" }.into());
        }
        for link in links {
            if self.node(&link, false)?.is_some() {
                return Ok("enabled".into());
            }
        }
        Ok("disabled".into())
    }
}

impl Hand<'_> {
    /// See [`rectify_core::module::Operate::act_on_unit`].
    pub(super) fn act_on_unit(&mut self, name: &str, action: UnitAction) -> HostResult<()> {
        let name = full_name(name);
        let mut unit = self.sight().unit(&name)?;
        let verb = word(action);
        let fail = |status: i32, text: String| HostError::Program {
            program: format!("systemctl {verb} {name}"),
            status: format!("exit {status}"),
            stderr: text,
        };
        if self.world.base.uid() != 0 {
            return Err(fail(1, "access denied".into()));
        }
        let runs = matches!(action, UnitAction::Start | UnitAction::Restart | UnitAction::Reload);
        let looks_up = runs || matches!(action, UnitAction::Enable | UnitAction::Stop);
        if looks_up && !unit.exists() {
            return Err(fail(5, format!("Unit {name} not found.")));
        }
        if unit.load == "masked" && (runs || action == UnitAction::Enable) {
            return Err(fail(1, format!("Unit {name} is masked.")));
        }
        match action {
            UnitAction::Start | UnitAction::Restart => self.started(&mut unit)?,
            UnitAction::Reload if unit.active != "active" => {
                return Err(fail(1, format!("{name} is not active, cannot reload.")));
            }
            UnitAction::Reload => {}
            UnitAction::Stop => {
                if unit.active != "failed" {
                    (unit.active, unit.sub) = ("inactive".into(), "dead".into());
                }
            }
            UnitAction::Enable => self.enabled(&mut unit)?,
            UnitAction::Disable => self.disabled(&mut unit)?,
            UnitAction::Mask => self.masked(&mut unit)?,
            UnitAction::Unmask => self.unmasked(&mut unit)?,
        }
        self.next_seq();
        self.state.units.insert(name, Put { stamp: self.stamp, value: Some(unit) });
        Ok(())
    }

    /// See [`rectify_core::module::Operate::reload_units`].
    pub(super) fn reload_units(&mut self) {
        self.state.reloaded = self.stamp.seq;
        for put in self.state.units.values_mut() {
            if let Some(unit) = &mut put.value {
                unit.needs_reload = false;
            }
        }
    }

    fn started(&mut self, unit: &mut Unit) -> HostResult<()> {
        let file = self.file_of(&unit.name)?;
        let one_shot = file.as_ref().is_some_and(|f| f.one_shot);
        let stays = !one_shot || file.as_ref().is_some_and(|f| f.remains);
        let sub = match unit.name.rsplit('.').next() {
            _ if one_shot && !stays => "dead",
            _ if one_shot => "exited",
            Some("service" | "scope") => "running",
            Some("socket") => "listening",
            Some("timer" | "path" | "automount") => "waiting",
            Some("mount") => "mounted",
            _ => "active",
        };
        unit.active = if stays { "active" } else { "inactive" }.into();
        unit.sub = sub.into();
        Ok(())
    }

    fn enabled(&mut self, unit: &mut Unit) -> HostResult<()> {
        let Some(found) = self.sight().on_disk(&unit.name)? else {
            // Made by a generator, or kept where nobody looked: the links cannot be told.
            unit.file = "enabled".into();
            self.note(Scope::UnitLinks(unit.name.clone()));
            return Ok(());
        };
        let Some(file) = found.file else { return Ok(()) };
        let links = file.links(&unit.name);
        if links.is_empty() {
            return Ok(());
        }
        for link in links {
            self.link_unit(&found.path, &link)?;
        }
        unit.file = "enabled".into();
        for other in file.also.iter().filter(|n| **n != unit.name) {
            let Some(OnDisk { path, file: Some(file) }) = self.sight().on_disk(other)? else { continue };
            for link in file.links(other) {
                self.link_unit(&path, &link)?;
            }
            let mut also = self.sight().unit(other)?;
            also.file = "enabled".into();
            self.state.units.insert(other.clone(), Put { stamp: self.stamp, value: Some(also) });
        }
        if self.sight().node(&Path::new("/etc/init.d").join(service(&unit.name)), true)?.is_some() {
            self.note(Scope::UnitLinks(unit.name.clone()));
        }
        Ok(())
    }

    fn link_unit(&mut self, file: &Path, link: &Path) -> HostResult<()> {
        let folder = link.parent().unwrap_or(link);
        if self.sight().node(folder, true)?.is_none() {
            self.make_dir(folder, 0o755)?;
        }
        self.symlink(file, link)
    }

    fn disabled(&mut self, unit: &mut Unit) -> HostResult<()> {
        if unit.file != "enabled" {
            return Ok(());
        }
        unit.file = "disabled".into();
        let Some(OnDisk { file: Some(file), .. }) = self.sight().on_disk(&unit.name)? else {
            self.note(Scope::UnitLinks(unit.name.clone()));
            return Ok(());
        };
        for link in file.links(&unit.name) {
            self.remove(&link)?;
        }
        for other in file.also.iter().filter(|n| **n != unit.name) {
            let mut also = self.sight().unit(other)?;
            if also.file == "enabled" {
                self.disabled(&mut also)?;
                self.state.units.insert(other.clone(), Put { stamp: self.stamp, value: Some(also) });
            }
        }
        Ok(())
    }

    fn masked(&mut self, unit: &mut Unit) -> HostResult<()> {
        let path = Path::new(UNIT_FOLDERS[0]).join(&unit.name);
        if self.sight().node(&path, false)?.is_some_and(|n| n.meta.kind != FileKind::Link) {
            return Err(HostError::Program {
                program: format!("systemctl mask {}", unit.name),
                status: "exit 1".into(),
                stderr: format!("Failed to mask unit: File {} already exists.", path.display()),
            });
        }
        self.symlink(Path::new("/dev/null"), &path)?;
        (unit.load, unit.file) = ("masked".into(), "masked".into());
        Ok(())
    }

    fn unmasked(&mut self, unit: &mut Unit) -> HostResult<()> {
        if unit.file != "masked" {
            return Ok(());
        }
        for folder in &UNIT_FOLDERS[..2] {
            let path = Path::new(folder).join(&unit.name);
            let to_null = self.sight().node(&path, false)?.is_some_and(|n| n.meta.kind == FileKind::Link)
                && self.sight().read_link(&path)? == Path::new("/dev/null");
            if to_null {
                self.remove(&path)?;
            }
        }
        match self.sight().on_disk(&unit.name)? {
            Some(OnDisk { file: Some(file), .. }) => {
                unit.load = "loaded".into();
                unit.file = self.sight().file_state(&unit.name, &file)?;
            }
            _ => {
                // Nothing that can be seen; systemd may still generate it.
                (unit.load, unit.file) = ("not-found".into(), String::new());
                if self.sight().node(&Path::new("/etc/init.d").join(service(&unit.name)), true)?.is_some() {
                    (unit.load, unit.file) = ("loaded".into(), "generated".into());
                }
            }
        }
        Ok(())
    }

    fn file_of(&self, name: &str) -> HostResult<Option<UnitFile>> {
        match self.sight().on_disk(name) {
            Ok(found) => Ok(found.and_then(|f| f.file)),
            // How it ends up running is told well enough by its kind.
            Err(HostError::Unknown(_) | HostError::TooLarge { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

fn service(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

fn word(action: UnitAction) -> &'static str {
    match action {
        UnitAction::Start => "start",
        UnitAction::Stop => "stop",
        UnitAction::Restart => "restart",
        UnitAction::Reload => "reload",
        UnitAction::Enable => "enable",
        UnitAction::Disable => "disable",
        UnitAction::Mask => "mask",
        UnitAction::Unmask => "unmask",
    }
}
