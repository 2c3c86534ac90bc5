//! `apache_skips`: skips that a host's own people have written into its Apache configuration.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fancy_regex::Regex;
use rectify_core::module::{
    Action, Entity, FileKind, Finding, HostResult, ModuleError, Observe, Operate, Relations, Report, Severity,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shared::{
    apache::{self, LONGEST, Layout},
    continued::continued,
    paths,
};

/// How many files are read.
const FILES: usize = 2000;

/// Finds `Define RECTIFY_SKIP_…` in Apache's configuration, and reports those that nobody has documented. It changes nothing.
///
/// A fragment leaves itself out where such a name is defined, so whoever runs a site can skip it on the spot. That is to be known: the
/// inventory's `rollout_skip` says who skips what, why and until when. `Define RECTIFY_SKIP_FRAME_OPTIONS` skips the setting
/// `frame-options`.
///
/// It reads the files that the server reads (`conf-enabled` and not `conf-available`), and the options that it is started with
/// (`-D`, in `/etc/apache2/envvars` and `/etc/sysconfig/httpd`). Conditions around a line (`<IfDefine>`, `<If>`) are not judged: the line
/// counts. The registered result has all of them, documented or not, as `skips`: `name`, `setting`, `documented` and `places`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApacheSkips {
    /// The settings whose skips are documented. Usually `"{{ rollout_skip | default({}) | list }}"`.
    #[serde(default)]
    documented: Vec<String>,
    /// The settings that names stand for, where they are not called alike: `{RECTIFY_SKIP_IDENTITY: no-versions}`.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// Which layout the configuration has, `debian` or `rhel`. Default: the one that is there; without Apache there are no skips.
    layout: Option<Layout>,
}

impl Action for ApacheSkips {
    const KIND: &'static str = "apache_skips";
    const PURE: bool = true;
    const EXAMPLE: &'static str = "apache_skips:\n  documented: \"{{ rollout_skip | default({}) | list }}\"\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if let Some(layout) = apache::find(self.layout, host)? {
            for (path, pattern) in sources(layout, host)? {
                for (name, line) in names(&path, &pattern, host)? {
                    found.entry(name).or_default().push(format!("{}:{line}", paths::shown(&path)));
                }
            }
        }
        let (mut findings, mut skips) = (Vec::new(), Vec::new());
        for (name, places) in found {
            let plain = |text: &str| text.to_lowercase().replace('_', "-");
            let alike = plain(&name);
            let name = format!("RECTIFY_SKIP_{name}");
            let setting = self.settings.get(&name).cloned().unwrap_or(alike);
            let documented = self.documented.iter().any(|d| plain(d) == plain(&setting));
            if !documented {
                let message = format!("{} defines it, and the inventory has no skip of `{setting}`", places.join(", "));
                findings.push(Finding { severity: Severity::Warning, subject: name.clone(), message });
            }
            skips.push(json!({"name": name, "setting": setting, "documented": documented, "places": places}));
        }
        let data = Map::from_iter([("skips".to_owned(), Value::Array(skips))]);
        Ok(Report { findings, ..Report::looked(data) })
    }

    fn relations(&self) -> Relations {
        Relations::default()
            .needing(Layout::needs(self.layout))
            .needing(Layout::candidates(self.layout).map(|layout| Entity::Tree(layout.root().to_owned())))
    }

    fn subject(&self) -> String {
        String::new()
    }
}

/// The files that the server reads, each with what defines a name in it.
fn sources(layout: Layout, host: &dyn Observe) -> HostResult<Vec<(PathBuf, Regex)>> {
    let (single, folders, options): (&[&str], &[&str], &str) = match layout {
        Layout::Debian => (
            &["apache2.conf", "ports.conf"],
            &["mods-enabled", "conf-enabled", "sites-enabled"],
            "/etc/apache2/envvars",
        ),
        Layout::Rhel => (&[], &["conf", "conf.modules.d", "conf.d"], "/etc/sysconfig/httpd"),
    };
    let directive =
        Regex::new(r#"(?i)^\s*Define\s+"?RECTIFY_SKIP_([A-Z0-9_]{1,100})["\s]*"#).expect("invariant: it compiles");
    let option = Regex::new(r"-D\s*RECTIFY_SKIP_([A-Za-z0-9_]{1,100})").expect("invariant: it compiles");
    let mut files: Vec<(PathBuf, Regex)> = single.iter().map(|name| (layout.path(name), directive.clone())).collect();
    for folder in folders.iter().map(|name| layout.path(name)) {
        if host.stat(&folder)?.is_none_or(|m| m.kind != FileKind::Directory) {
            continue;
        }
        let mut inside = Vec::new();
        host.list(&folder, &mut |entry| {
            let read = entry.kind != FileKind::Directory && entry.name.as_encoded_bytes().ends_with(b".conf");
            inside.extend(read.then(|| folder.join(&entry.name)));
            inside.len() < FILES
        })?;
        rectify_core::small::sort(&mut inside);
        files.extend(inside.into_iter().map(|path| (path, directive.clone())));
    }
    files.push((options.into(), option));
    files.truncate(FILES);
    Ok(files)
}

/// The names that a file defines, in capitals, with their lines.
fn names(path: &Path, pattern: &Regex, host: &dyn Observe) -> HostResult<Vec<(String, usize)>> {
    // A link that leads nowhere is read by nobody; Apache itself refuses what is no file.
    if host.stat(path)?.is_none_or(|m| m.kind != FileKind::File) {
        return Ok(Vec::new());
    }
    let Some(bytes) = host.read(path, LONGEST)? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&bytes);
    let mut found = Vec::new();
    // A comment goes on too.
    for (number, line) in continued(&text, &|_| true) {
        if !line.trim_start().starts_with('#') {
            found.extend(
                pattern.captures_iter(line.as_str()).map_while(Result::ok).map(|c| (c[1].to_uppercase(), number)),
            );
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rectify_core::arg::{Arg, from_arg};

    use super::*;
    use crate::host::fake::Fake;

    fn run(yaml: &str, args: &Value) -> Report {
        let module: ApacheSkips = from_arg(&Arg::from_value(args)).unwrap();
        module.run(&Fake::from_yaml(yaml).unwrap()).unwrap()
    }

    fn found(report: &Report) -> Vec<String> {
        report.findings.iter().map(|f| format!("{}: {}", f.subject, f.message)).collect()
    }

    const DEBIAN: &str = r#"
base: debian
files:
  /etc/apache2/conf-available/00-rectify-site.conf: |
    # Define RECTIFY_SKIP_TRACE
    Define RECTIFY_SKIP_FRAME_OPTIONS
      define "rectify_skip_identity" 1
    Define \
      RECTIFY_SKIP_UPLOADS yes
    Define RECTIFY_BODY_LIMIT 1
    # RECTIFY \
    Define RECTIFY_SKIP_COMMENTED
  /etc/apache2/conf-enabled/00-rectify-site.conf: {link: ../conf-available/00-rectify-site.conf}
  /etc/apache2/conf-enabled/gone.conf: {link: ../conf-available/gone.conf}
  /etc/apache2/conf-enabled/readme.txt: "Define RECTIFY_SKIP_TXT"
  /etc/apache2/conf-available/off.conf: "Define RECTIFY_SKIP_OFF"
  /etc/apache2/sites-enabled/a.conf: "<IfDefine X>\nDefine RECTIFY_SKIP_FRAME_OPTIONS\n</IfDefine>\nUnDefine RECTIFY_SKIP_NO\n"
  /etc/apache2/envvars: "export APACHE_ARGUMENTS='-DRECTIFY_SKIP_TRACE -D RECTIFY_SKIP_NO_LISTINGS'\n# -D RECTIFY_SKIP_NOT\n"
"#;

    #[test]
    fn what_the_server_reads_is_found_and_what_is_documented_is_not_told() {
        let settings = json!({"RECTIFY_SKIP_UPLOADS": "no-exec-uploads"});
        let report = run(DEBIAN, &json!({"documented": ["no-exec-uploads", "no_listings"], "settings": settings}));
        let site = "/etc/apache2/conf-enabled/00-rectify-site.conf";
        assert_eq!(
            found(&report),
            [
                format!(
                    "RECTIFY_SKIP_FRAME_OPTIONS: {site}:2, /etc/apache2/sites-enabled/a.conf:2 defines it, and the inventory has no skip of `frame-options`"
                ),
                format!("RECTIFY_SKIP_IDENTITY: {site}:3 defines it, and the inventory has no skip of `identity`"),
                "RECTIFY_SKIP_TRACE: /etc/apache2/envvars:1 defines it, and the inventory has no skip of `trace`"
                    .to_owned(),
            ]
        );
        let names: Vec<&str> =
            report.data["skips"].as_array().unwrap().iter().filter_map(|s| s["setting"].as_str()).collect();
        assert_eq!(names, ["frame-options", "identity", "no-listings", "trace", "no-exec-uploads"]);
    }

    #[test]
    fn on_rhel_and_without_apache() {
        let yaml = "
base: rocky
files:
  /etc/httpd/conf/httpd.conf: 'Define RECTIFY_SKIP_TRACE'
  /etc/httpd/conf.d/x.conf: 'Define RECTIFY_SKIP_IDENTITY'
  /etc/httpd/conf.d/x.conf.disabled: 'Define RECTIFY_SKIP_OFF'
  /etc/sysconfig/httpd: 'OPTIONS=\"-D RECTIFY_SKIP_UPLOADS\"'
";
        let subjects: Vec<String> =
            run(yaml, &json!({"layout": "rhel"})).findings.into_iter().map(|f| f.subject).collect();
        assert_eq!(subjects, ["RECTIFY_SKIP_IDENTITY", "RECTIFY_SKIP_TRACE", "RECTIFY_SKIP_UPLOADS"]);
        assert!(run("{}", &json!({})).findings.is_empty());
        assert!(run(DEBIAN, &json!({"layout": "rhel"})).findings.is_empty(), "that layout is not there");
    }
}
