//! RHEL's layout: `LoadModule` lines in `conf.modules.d`.

use std::collections::BTreeSet;

use rectify_core::module::{ModuleError, Observe, Operate, WriteAttrs};

use super::ApacheModule;
use crate::kind::shared::apache::{LONGEST, Layout};

/// The file that loads a module which no other file loads.
pub(super) fn own_file(name: &str) -> String {
    format!("conf.modules.d/90-{name}.conf")
}

/// The files that load the module, and those that are to.
pub(super) fn look(
    task: &ApacheModule,
    host: &dyn Observe,
) -> Result<(BTreeSet<String>, BTreeSet<String>), ModuleError> {
    let mut files = Vec::new();
    let folder = Layout::Rhel.path("conf.modules.d");
    if host.stat(&folder)?.is_some() {
        host.list(&folder, &mut |entry| {
            files.extend(entry.name.to_str().filter(|n| n.ends_with(".conf")).map(|n| format!("conf.modules.d/{n}")));
            files.len() < 10_000
        })?;
    }
    let identifier = task.identifier();
    let mut by = BTreeSet::new();
    for file in files {
        let text = host.read(&Layout::Rhel.path(&file), LONGEST)?.unwrap_or_default();
        if String::from_utf8_lossy(&text).lines().any(|line| loads(line, &identifier)) {
            by.insert(file);
        }
    }
    let wanted = match task.present() {
        false => BTreeSet::new(),
        true if by.is_empty() => {
            program(task, host)?;
            rectify_core::small::gather([own_file(&task.name)])
        }
        true => by.clone(),
    };
    Ok((by, wanted))
}

/// Makes the own file, or takes the module out of all files.
pub(super) fn set(task: &ApacheModule, files: &[String], host: &dyn Operate) -> Result<(), ModuleError> {
    let identifier = task.identifier();
    for file in files {
        let path = Layout::Rhel.path(file);
        if task.present() {
            let line = format!("LoadModule {identifier} {}\n", program(task, host)?);
            host.write(&path, line.as_bytes(), &WriteAttrs { mode: Some(0o644), uid: Some(0), gid: Some(0) })?;
        } else if *file == own_file(&task.name) {
            host.remove(&path)?;
        } else {
            let Some(bytes) = host.read(&path, LONGEST)? else { continue };
            host.write(&path, &commented(&bytes, &identifier), &WriteAttrs::default())?;
        }
    }
    Ok(())
}

/// The module's program, as `LoadModule` names it.
fn program(task: &ApacheModule, host: &dyn Observe) -> Result<String, ModuleError> {
    for file in [format!("modules/mod_{}.so", task.name), format!("modules/lib{}.so", task.name)] {
        if host.stat(&Layout::Rhel.path(&file))?.is_some() {
            return Ok(file);
        }
    }
    Err(ModuleError::failed(format!(
        "this host has no module {0} (no /etc/httpd/modules/mod_{0}.so): install the package that brings it",
        task.name
    )))
}

/// Whether a line loads it. Names of directives are read without regard to case (httpd's configuration syntax).
fn loads(line: &str, identifier: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(|w| w.eq_ignore_ascii_case("LoadModule")) && words.next() == Some(identifier)
}

/// The same with the lines that load it commented out; every other byte stays.
fn commented(bytes: &[u8], identifier: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if loads(&String::from_utf8_lossy(line), identifier) {
            out.push(b'#');
        }
        out.extend_from_slice(line);
    }
    out
}
