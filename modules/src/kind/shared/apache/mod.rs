//! The Apache server as its two packagings have it: where things are, how the whole configuration is tested, and how it is put
//! to use without ever leaving the server on a configuration that does not work.

mod activate;

use std::path::{Path, PathBuf};

use rectify_core::module::{Command, Entity, HostError, ModuleError, Observe};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use activate::{Activation, Use};

/// Which distribution's way of keeping Apache's configuration a host follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// `/etc/apache2` with `conf-available`, `conf-enabled` and `mods-enabled`; `apache2.service`.
    Debian,
    /// `/etc/httpd` with `conf.d` and `conf.modules.d`; `httpd.service`.
    Rhel,
}

/// Whether a thing is to be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Presence {
    /// It is to be there.
    #[default]
    Present,
    /// It is not to be there.
    Absent,
}

/// The longest configuration file that is read, in bytes.
pub(crate) const LONGEST: u64 = 4 << 20;

impl Layout {
    const ALL: [Layout; 2] = [Layout::Debian, Layout::Rhel];

    /// The folder of the configuration.
    pub(crate) fn root(self) -> &'static Path {
        Path::new(match self {
            Layout::Debian => "/etc/apache2",
            Layout::Rhel => "/etc/httpd",
        })
    }

    /// A path within the configuration.
    pub(crate) fn path(self, below: &str) -> PathBuf {
        self.root().join(below)
    }

    /// The service's unit.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Layout::Debian => "apache2.service",
            Layout::Rhel => "httpd.service",
        }
    }

    /// The package that brings the server.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Layout::Debian => "apache2",
            Layout::Rhel => "httpd",
        }
    }

    /// Where the server says why it ended.
    fn log(self) -> &'static str {
        match self {
            Layout::Debian => "/var/log/apache2/error.log",
            Layout::Rhel => "/var/log/httpd/error_log",
        }
    }

    /// What must be there for the server to be installed: its main file, and the program that tests it.
    fn signs(self) -> [&'static str; 2] {
        match self {
            Layout::Debian => ["/etc/apache2/apache2.conf", "/usr/sbin/apache2ctl"],
            Layout::Rhel => ["/etc/httpd/conf/httpd.conf", "/usr/sbin/httpd"],
        }
    }

    fn installed(self, host: &dyn Observe) -> Result<bool, HostError> {
        for sign in self.signs() {
            if host.stat(Path::new(sign))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks the server whether it would take the configuration as a whole; if not, what it complains of.
    fn complaint(self, host: &dyn Observe) -> Result<Option<String>, HostError> {
        let argv = match self {
            // It reads /etc/apache2/envvars first, without which the program takes no configuration.
            Layout::Debian => ["apache2ctl", "configtest"],
            Layout::Rhel => ["httpd", "-t"],
        };
        let output = host.probe(&Command::new(argv).reading([Entity::Tree(self.root().to_owned())]))?;
        if output.code == 0 {
            return Ok(None);
        }
        let said = if output.stderr.trim_ascii().is_empty() { &output.stdout } else { &output.stderr };
        let text = one_line(&String::from_utf8_lossy(said));
        Ok(Some(format!("`{}` ended with {}: {text}", argv.join(" "), output.code)))
    }

    /// Things to wait for: whoever installs the server comes first.
    pub(crate) fn needs(given: Option<Layout>) -> impl Iterator<Item = Entity> {
        Layout::candidates(given).map(|l| Entity::Package(l.package().into()))
    }

    /// The layouts that may turn out to be the host's.
    pub(crate) fn candidates(given: Option<Layout>) -> impl Iterator<Item = Layout> {
        Layout::ALL.into_iter().filter(move |l| given.is_none_or(|g| g == *l))
    }
}

/// The layout of this host's Apache; `None` if it has none.
///
/// # Errors
/// Both are there and none is named; or a rehearsal cannot tell, because an earlier task may bring one.
pub(crate) fn find(given: Option<Layout>, host: &dyn Observe) -> Result<Option<Layout>, ModuleError> {
    let (mut found, mut unknown) = (Vec::new(), None);
    for layout in Layout::candidates(given) {
        match layout.installed(host) {
            Ok(true) => found.push(layout),
            Ok(false) => {}
            // The other one may be there for certain.
            Err(HostError::Unknown(because)) => unknown = Some(because),
            Err(other) => return Err(other.into()),
        }
    }
    match (found.as_slice(), unknown) {
        ([], Some(because)) => Err(HostError::Unknown(because).into()),
        ([], None) => Ok(None),
        ([one], _) => Ok(Some(*one)),
        _ => Err(ModuleError::failed(
            "this host has both /etc/apache2 and /etc/httpd with a server each: say which with `layout: debian` or \
             `layout: rhel`",
        )),
    }
}

/// The error for a host without Apache.
pub(crate) fn not_installed(given: Option<Layout>) -> ModuleError {
    let signs: Vec<&str> = Layout::candidates(given).map(|l| l.signs()[0]).collect();
    ModuleError::failed(format!(
        "Apache is not installed on this host (no {}): install it in an earlier task, or leave hosts without it out with \
         `when:` on the result of `stat`",
        signs.join(", no ")
    ))
}

/// What a program said, on one line, without control characters, at most some 600 characters.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let joined = lines.collect::<Vec<_>>().join("; ");
    let clean: String = joined.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(600) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}
