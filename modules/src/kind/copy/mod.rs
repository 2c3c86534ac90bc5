//! `copy`: files and folders from the controller, from text, or from elsewhere on the host.

mod content;
mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rectify_core::module::{Change, Entity, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::{content::Text, source::Sent};
use super::shared::{
    attrs::Wanted,
    kept::Kept,
    mode::Mode,
    paths::{self, Shown},
    place::{self, Job, Placed, Rules, Sight},
    validate,
};

/// How many differing files of a folder are held and shown at a time. More are counted, and repaired in rounds.
const HELD: usize = 10_000;

/// How many bytes of text are held for the differences that are shown of a folder.
const SHOWN: u64 = 4 << 20;

/// Puts a file, or a folder with all that is in it, in place.
///
/// The content comes from the controller (`src`), from the task (`content`), or from elsewhere on the host (`src` with
/// `remote_src`). A file is replaced as a whole: there is the old one or the new one, never a part. What a folder has on the
/// host and not in its source stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    /// The file or folder to copy, on the controller. A folder is copied into `dest` under its own name; written with a `/` at its
    /// end, what is in it is copied. Give this or `content`.
    src: Option<PathBuf>,
    /// The file's text. A mapping or list is written as JSON.
    content: Option<Text>,
    /// Whether `src` is a path on the host. Links in a folder are then copied as links. Default: false.
    #[serde(default)]
    remote_src: bool,
    /// Where it goes. If it ends in `/` or is a folder, a file goes into it under the name that it has in `src`.
    dest: PathBuf,
    /// Permission bits of the files, as text: `'0644'`, `u=rw,go=r`, or `preserve` for those of the source. Default: those that a
    /// file has; 0644 for a new one.
    mode: Option<Mode>,
    /// Permission bits of folders that are made. Default: 0755.
    directory_mode: Option<Mode>,
    /// The owner, by name or number. Default: as it is; the account that does the work for what is new.
    owner: Option<String>,
    /// The group, by name or number. Default: as it is.
    group: Option<String>,
    /// Whether a file that is replaced is kept beside the new one, under a name with the time in it. Default: false.
    #[serde(default)]
    backup: bool,
    /// Whether a file that is there is replaced. With `false` one that is there stays as it is. Default: true.
    force: Option<bool>,
    /// Whether a link at `dest` is followed. With `false` it is replaced by a file. Default: false.
    #[serde(default)]
    follow: bool,
    /// A command that looks at the new file before it takes its place; `%s` stands for its path. It is run without a shell, and
    /// not in a check. Example: `visudo -cf %s`.
    validate: Option<String>,
    /// Whether a source that is encrypted with Ansible Vault is decrypted on its way. Default: true.
    #[expect(dead_code, reason = "the controller reads the source")]
    decrypt: Option<bool>,
    /// The checksum that the source must have, in hexadecimal: SHA-1, or another that its length tells.
    checksum: Option<String>,
    /// The controller's files, from the engine.
    #[serde(rename = "_files")]
    // In the schema, so that the compiler sends what `src` names.
    #[schemars(with = "Option<Value>")]
    files: Option<Vec<Sent>>,
    #[serde(skip)]
    kept: Kept<Survey>,
    #[serde(skip)]
    backup_file: Kept<PathBuf>,
}

/// A file, or the files of a folder that are not as they should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum State {
    /// A single file.
    One(Placed),
    /// A folder.
    Many {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        files: BTreeMap<Shown, Placed>,
        /// How many more there are.
        #[serde(skip_serializing_if = "is_zero")]
        more: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a look found.
#[derive(Debug, Clone)]
struct Survey {
    /// What differs; for a single file, the file in any case.
    found: Vec<(Job, Sight)>,
    /// How much more differs.
    more: u64,
    single: bool,
}

impl Survey {
    fn state(&self, after: bool) -> Option<State> {
        let side = |sight: &Sight| if after { Some(sight.after.clone()) } else { sight.before.clone() };
        if self.single {
            return self.found.first().and_then(|(_, sight)| side(sight)).map(State::One);
        }
        let files = self.found.iter().filter_map(|(job, sight)| Some((Shown(job.path.clone()), side(sight)?)));
        Some(State::Many { files: rectify_core::small::gather(files), more: if after { 0 } else { self.more } })
    }
}

impl Copy {
    fn rules(&self) -> Rules<'_> {
        Rules {
            owner: self.owner.as_deref(),
            group: self.group.as_deref(),
            follow: self.follow,
            force: self.force.unwrap_or(true),
            backup: self.backup,
            validate: self.validate.as_deref(),
            directory_mode: self.directory_mode.as_ref(),
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() }
    }

    /// The destination with the source's own name.
    fn inside(&self) -> Option<PathBuf> {
        Some(self.dest.join(self.src.as_deref()?.file_name()?))
    }

    fn survey(&self, host: &dyn Observe) -> Result<Survey, ModuleError> {
        let rules = self.rules();
        if let Some(job) = self.single(host)? {
            let sight = job.look(&rules, true, host)?;
            return Ok(Survey { found: vec![(job, sight)], more: 0, single: true });
        }
        let mut survey = Survey { found: Vec::new(), more: 0, single: false };
        let mut left = SHOWN;
        self.each(host, &mut |job| {
            let sight = job.look(&rules, left > 0, host)?;
            if sight.differs() && survey.found.len() < HELD {
                let sides = [sight.before.as_ref(), Some(&sight.after)].into_iter().flatten();
                let held = sides.filter_map(|p| p.content.as_ref()?.bytes().map(|b| b.len() as u64)).sum();
                left = left.saturating_sub(held);
                survey.found.push((job, sight));
            } else if sight.differs() {
                survey.more += 1;
            }
            Ok(())
        })?;
        rectify_core::small::sort_by(&mut survey.found, |(a, _), (b, _)| a.path.cmp(&b.path));
        Ok(survey)
    }
}

impl Resource for Copy {
    const KIND: &'static str = "copy";
    const EXAMPLE: &'static str = "copy:\n  content: \"Authorized use only.\\n\"\n  dest: /etc/issue\n  mode: '0644'\n";
    type State = State;

    fn observe(&self, host: &dyn Observe) -> Result<Option<State>, ModuleError> {
        let survey = self.survey(host)?;
        self.kept.set(survey.clone());
        Ok(survey.state(false))
    }

    fn desired(&self, seen: Option<&State>) -> Option<State> {
        self.kept.get().map_or_else(|| seen.cloned(), |survey| survey.state(true))
    }

    fn apply(&self, _change: &Change<State>, host: &dyn Operate) -> Result<(), ModuleError> {
        let mut survey = self.kept.get().expect("a change follows a look");
        loop {
            for (job, sight) in &survey.found {
                if let Some(kept) = job.apply(sight, &self.rules(), host)? {
                    self.backup_file.set(kept);
                }
            }
            if survey.more == 0 {
                return Ok(());
            }
            let left = survey.more;
            survey = self.survey(host)?;
            // What does not get less will not come to an end: the engine's own second look says what is left.
            if survey.found.len() as u64 + survey.more > left {
                return Ok(());
            }
        }
    }

    fn validate(&self) -> Result<(), String> {
        paths::absolute("dest", &self.dest)?;
        match (&self.src, &self.content) {
            (Some(_), Some(_)) => return Err("give `src` or `content`, not both".into()),
            (None, None) => return Err("give what is to be copied: `src` or `content`".into()),
            (None, Some(_)) if self.remote_src => return Err("`remote_src` goes with `src`, not with `content`".into()),
            (None, Some(_)) if paths::ends_in_slash(&self.dest) => {
                return Err("dest: `content` needs the path of a file, and this ends in /".into());
            }
            (None, Some(_)) if matches!(self.mode, Some(Mode::Preserve)) => {
                return Err("mode: `preserve` needs a file to copy, and `content` is none".into());
            }
            (Some(src), None) if self.remote_src => paths::absolute("src", src)?,
            _ => {}
        }
        if matches!(self.directory_mode, Some(Mode::Preserve)) {
            return Err("directory_mode: write the bits, such as '0755'".into());
        }
        validate::check(self.validate.as_deref())
    }

    fn relations(&self) -> Relations {
        let mut relations = Relations::file(&self.dest);
        relations.writes.extend(self.inside().map(Entity::Tree));
        if self.src.as_deref().is_some_and(paths::ends_in_slash) {
            relations.writes.push(Entity::Tree(self.dest.clone()));
        }
        let from = self.src.as_deref().filter(|_| self.remote_src).map(Path::to_owned);
        self.wanted().relations(relations.needing(from.map(Entity::Tree)))
    }

    fn manages(&self) -> Option<Entity> {
        let survey = self.kept.get()?;
        let single = survey.found.first().filter(|_| survey.single);
        Some(single.map_or_else(|| Entity::Tree(self.dest.clone()), |(job, _)| Entity::Path(job.path.clone())))
    }

    fn subject(&self) -> String {
        self.dest.display().to_string()
    }

    fn returns(&self, _seen: Option<&State>) -> Map<String, Value> {
        let mut data = Map::new();
        let Some(survey) = self.kept.get() else { return data };
        match survey.found.first() {
            Some((job, sight)) if survey.single => {
                data = place::returns(&job.path, sight.before.as_ref().unwrap_or(&sight.after), sight.meta.as_ref());
            }
            _ => {
                data.insert("dest".into(), self.dest.to_string_lossy().into());
            }
        }
        if let Some(src) = &self.src {
            data.insert("src".into(), src.to_string_lossy().into());
        }
        if let Some(Text(text)) = &self.content {
            let checksum = super::shared::digest::Algorithm::Sha1.of(text.as_bytes());
            data.insert("checksum".into(), checksum.into());
        }
        if let Some(kept) = self.backup_file.get() {
            data.insert("backup_file".into(), kept.to_string_lossy().into());
        }
        data
    }
}
