//! `cron`: an entry of a crontab.

mod table;
#[cfg(all(test, feature = "fake"))]
mod tests;

use std::path::{Path, PathBuf};

use rectify_core::module::{Change, Entity, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    lineinfile::Presence,
    shared::{
        attrs::{self, Wanted},
        edit::{Missing, Target, TextFile},
        kept::Kept,
        mode::Mode,
    },
};

/// The words that stand for a whole schedule (crontab(5)).
const SPECIAL: &[&str] = &["annually", "daily", "hourly", "midnight", "monthly", "reboot", "weekly", "yearly"];

/// Makes sure that an entry is in an account's crontab or in a file of `/etc/cron.d`, or that it is not.
///
/// An entry is found by the comment line `#Ansible: NAME` before it, so entries that Ansible made are recognised.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cron {
    /// What the entry is called; with `env: true`, the variable.
    name: Option<String>,
    /// The command line; with `env: true`, the variable's value.
    job: Option<String>,
    /// Whether the entry is to be there. With `cron_file` and without `name`, the whole file goes. Default: present.
    #[serde(default)]
    state: Presence,
    /// Minute: 0-59, `*`, `*/5` … Default: `*`.
    minute: Option<String>,
    /// Hour: 0-23, `*`, `*/2` … Default: `*`.
    hour: Option<String>,
    /// Day of the month: 1-31, `*` … Default: `*`.
    day: Option<String>,
    /// Month: 1-12, `*` … Default: `*`.
    month: Option<String>,
    /// Day of the week: 0-6 with 0 for Sunday, `*` … Default: `*`.
    weekday: Option<String>,
    /// A schedule in one word in place of the five fields: annually, daily, hourly, monthly, reboot, weekly, yearly.
    special_time: Option<String>,
    /// Whose crontab, or as whom an entry of `cron_file` runs. Default: the account that the task runs as.
    user: Option<String>,
    /// A file in place of a crontab: an absolute path, or a name in `/etc/cron.d`.
    cron_file: Option<String>,
    /// Whether the entry is commented out.
    #[serde(default)]
    disabled: bool,
    /// Whether this is a variable of the crontab and not an entry.
    #[serde(default)]
    env: bool,
    /// Whether the old file is kept under a name with its date.
    #[serde(default)]
    backup: bool,
    #[serde(skip)]
    found: Kept<Place>,
}

/// Where the entry is, as a look at the host tells.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    owner: Option<String>,
    group: Option<String>,
}

impl Resource for Cron {
    const KIND: &'static str = "cron";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("dom", "day"), ("dow", "weekday"), ("value", "job")];
    const EXAMPLE: &'static str =
        "cron:\n  name: renew certificates\n  minute: '17'\n  hour: '3'\n  job: certbot renew --quiet\n";
    type State = TextFile;

    fn observe(&self, host: &dyn Observe) -> Result<Option<TextFile>, ModuleError> {
        let place = self.place(host)?;
        self.found.set(place.clone());
        self.with(&place, |target| target.observe(&|text| Ok(self.edit(text)), host))
    }

    fn desired(&self, seen: Option<&TextFile>) -> Option<TextFile> {
        if self.takes_file() {
            return None;
        }
        let place = self.found.get()?;
        self.with(&place, |target| target.desired(&|text| Ok(self.edit(text)), seen))
    }

    fn apply(&self, change: &Change<TextFile>, host: &dyn Operate) -> Result<(), ModuleError> {
        let place = self.place(host)?;
        self.with(&place, |target| target.apply(change, host))
    }

    fn validate(&self) -> Result<(), String> {
        match (&self.name, self.takes_file()) {
            (None, true) => {}
            (None, false) => return Err("`name` is missing: by it the entry is found again".into()),
            (Some(name), _) if name.trim().is_empty() => return Err("`name` is empty".into()),
            _ => {}
        }
        let fields = self.fields();
        if self.state == Presence::Present {
            if self.job.is_none() {
                return Err("`job` is missing: the command line to run".into());
            }
            if self.cron_file.is_some() && self.user.is_none() && !self.env {
                return Err("`user` is missing: an entry of `cron_file` says as whom it runs".into());
            }
        }
        if let Some(special) = &self.special_time {
            if !SPECIAL.contains(&special.as_str()) {
                return Err(format!("special_time: {special:?} is none of {}", SPECIAL.join(", ")));
            }
            if fields.iter().any(Option::is_some) {
                return Err("give `special_time` or the five fields, not both".into());
            }
        }
        if let Some(field) = fields.iter().flatten().find(|f| f.is_empty() || f.contains(char::is_whitespace)) {
            return Err(format!("{field:?} is no field of a schedule: it has no spaces, and is not empty"));
        }
        if [&self.name, &self.job, &self.user].into_iter().flatten().any(|t| t.contains('\n')) {
            return Err("name, job, user: each is one line".into());
        }
        match &self.cron_file {
            Some(file) if !file.starts_with('/') && file.contains('/') => {
                Err(format!("cron_file: {file:?} is neither an absolute path nor a name in /etc/cron.d"))
            }
            _ => Ok(()),
        }
    }

    fn relations(&self) -> Relations {
        let user = self.user.as_deref().map(attrs::owner);
        let needs = user.and_then(|o| match o {
            rectify_core::module::Owner::Name(name) => Some(Entity::User(name)),
            rectify_core::module::Owner::Id(_) => None,
        });
        match self.file() {
            Some(path) => Relations::file(&path).needing(needs),
            None => Relations::writes([Entity::Tree("/var/spool/cron".into())]).needing(needs),
        }
    }

    fn subject(&self) -> String {
        let place = self.file().map(|p| p.display().to_string()).or_else(|| self.user.clone());
        [place, self.name.clone()].into_iter().flatten().collect::<Vec<_>>().join(": ")
    }
}

impl Cron {
    /// Whether the whole file is to go.
    fn takes_file(&self) -> bool {
        self.state == Presence::Absent && self.name.is_none() && self.cron_file.is_some()
    }

    fn fields(&self) -> [Option<&str>; 5] {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday].map(Option::as_deref)
    }

    fn file(&self) -> Option<PathBuf> {
        self.cron_file.as_ref().map(|file| Path::new("/etc/cron.d").join(file))
    }

    fn place(&self, host: &dyn Observe) -> Result<Place, ModuleError> {
        if let Some(path) = self.file() {
            return Ok(Place { path, owner: None, group: None });
        }
        let user = match &self.user {
            Some(name) => host.user(name)?,
            None => host.user_by_id(host.uid())?,
        };
        let Some(user) = user else {
            let name = self.user.clone().unwrap_or_else(|| host.uid().to_string());
            return Err(ModuleError::failed(format!("there is no account {name:?} whose crontab it could be")));
        };
        // Debian keeps them a folder deeper, for a group of their own.
        let debian = Path::new("/var/spool/cron/crontabs");
        let (folder, group) = match host.stat(debian)? {
            Some(_) => (debian, host.group("crontab")?.map(|g| g.name)),
            None => (Path::new("/var/spool/cron"), None),
        };
        Ok(Place { path: folder.join(&user.name), owner: Some(user.name), group })
    }

    fn with<T>(&self, place: &Place, act: impl FnOnce(Target<'_>) -> T) -> T {
        let new = Mode::Bits(0o600);
        act(Target {
            path: &place.path,
            missing: if self.state == Presence::Present { Missing::Create } else { Missing::Leave },
            wanted: Wanted { owner: place.owner.as_deref(), group: place.group.as_deref(), mode: Some(&new) },
            backup: self.backup,
            validate: None,
        })
    }
}
