//! `template`: a file from a template.

use std::path::{Path, PathBuf};

use rectify_core::module::{Change, Entity, ModuleError, Observe, Operate, Relations, Resource};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::shared::{
    attrs::Wanted,
    digest::Algorithm,
    kept::Kept,
    mode::Mode,
    paths,
    place::{self, Job, Placed, Rules, Sight, Source},
    validate,
};

/// Puts a file in place whose text is made from a template of the controller.
///
/// The template is rendered on the host, with its facts and variables. The file is replaced as a whole: there is the old one
/// or the new one, never a part.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    /// The template, relative to the role's or playbook's `templates` folder.
    src: String,
    /// The file's path. If it ends in `/` or is a folder, the file goes into it under the template's name.
    dest: PathBuf,
    /// Permission bits, as text: `'0644'` or `u=rw,go=r`. Default: those that the file has; 0644 for a new one.
    mode: Option<Mode>,
    /// The account that owns the file, by name or number. Default: as it is; the account that does the work for a new one.
    owner: Option<String>,
    /// The group of the file, by name or number. Default: as it is.
    group: Option<String>,
    /// Whether the file that is replaced is kept beside the new one, under a name with the time in it. Default: false.
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
    /// What ends a line in the result: `\n`, `\r` or `\r\n`. Default: `\n`.
    #[expect(dead_code, reason = "the engine renders the template")]
    newline_sequence: Option<String>,
    /// Whether the line end after a block is left out. Default: true.
    #[expect(dead_code, reason = "the engine renders the template")]
    trim_blocks: Option<bool>,
    /// Whether blanks before a block are left out. Default: false.
    #[expect(dead_code, reason = "the engine renders the template")]
    lstrip_blocks: Option<bool>,
    /// What begins an expression. Default: `{{`.
    #[expect(dead_code, reason = "the engine renders the template")]
    variable_start_string: Option<String>,
    /// What ends an expression. Default: `}}`.
    #[expect(dead_code, reason = "the engine renders the template")]
    variable_end_string: Option<String>,
    /// What begins a block. Default: `{%`.
    #[expect(dead_code, reason = "the engine renders the template")]
    block_start_string: Option<String>,
    /// What ends a block. Default: `%}`.
    #[expect(dead_code, reason = "the engine renders the template")]
    block_end_string: Option<String>,
    /// What begins a comment. Default: `{#`.
    #[expect(dead_code, reason = "the engine renders the template")]
    comment_start_string: Option<String>,
    /// What ends a comment. Default: `#}`.
    #[expect(dead_code, reason = "the engine renders the template")]
    comment_end_string: Option<String>,
    /// The rendered text, from the engine.
    #[serde(rename = "_content")]
    // In the schema, so that the compiler sends the template and checks it.
    content: Option<String>,
    #[serde(skip)]
    kept: Kept<(PathBuf, Sight)>,
    #[serde(skip)]
    backup_file: Kept<PathBuf>,
}

impl Template {
    fn rules(&self) -> Rules<'_> {
        Rules {
            owner: self.owner.as_deref(),
            group: self.group.as_deref(),
            follow: self.follow,
            force: self.force.unwrap_or(true),
            backup: self.backup,
            validate: self.validate.as_deref(),
            directory_mode: None,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { owner: self.owner.as_deref(), group: self.group.as_deref(), mode: self.mode.as_ref() }
    }

    fn inside(&self) -> PathBuf {
        self.dest.join(Path::new(&self.src).file_name().unwrap_or_default())
    }

    fn job(&self, path: PathBuf) -> Result<Job, ModuleError> {
        let Some(content) = &self.content else {
            return Err(ModuleError::Invalid(format!("the template {} did not come with the plan", self.src)));
        };
        Ok(Job {
            path,
            source: Source::Bytes(content.as_bytes().into()),
            mode: self.mode.clone(),
            with_parents: paths::ends_in_slash(&self.dest),
        })
    }
}

impl Resource for Template {
    const KIND: &'static str = "template";
    const EXAMPLE: &'static str = "template:\n  src: vhost.conf.j2\n  dest: /etc/apache2/sites-available/site.conf\n  owner: root\n  mode: '0644'\n";
    type State = Placed;

    fn observe(&self, host: &dyn Observe) -> Result<Option<Placed>, ModuleError> {
        let path = if is_folder(&self.dest, host)? { self.inside() } else { self.dest.clone() };
        let sight = self.job(path.clone())?.look(&self.rules(), true, host)?;
        self.kept.set((path, sight.clone()));
        Ok(sight.before)
    }

    fn desired(&self, seen: Option<&Placed>) -> Option<Placed> {
        self.kept.get().map(|(_, sight)| sight.after).or_else(|| seen.cloned())
    }

    fn apply(&self, _change: &Change<Placed>, host: &dyn Operate) -> Result<(), ModuleError> {
        let (path, sight) = self.kept.get().expect("a change follows a look");
        if let Some(kept) = self.job(path)?.apply(&sight, &self.rules(), host)? {
            self.backup_file.set(kept);
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        paths::absolute("dest", &self.dest)?;
        if matches!(self.mode, Some(Mode::Preserve)) {
            return Err("mode: `preserve` makes no sense for a template: write the bits, such as '0644'".into());
        }
        validate::check(self.validate.as_deref())
    }

    fn relations(&self) -> Relations {
        let mut relations = Relations::file(&self.dest);
        relations.writes.push(Entity::Path(self.inside()));
        self.wanted().relations(relations)
    }

    fn manages(&self) -> Option<Entity> {
        self.kept.get().map(|(path, _)| Entity::Path(path))
    }

    fn subject(&self) -> String {
        self.dest.display().to_string()
    }

    fn returns(&self, seen: Option<&Placed>) -> Map<String, Value> {
        let (Some((path, sight)), Some(seen)) = (self.kept.get(), seen) else { return Map::new() };
        let mut data = place::returns(&path, seen, sight.meta.as_ref());
        data.insert("src".into(), self.src.clone().into());
        if let Some(content) = &self.content {
            data.insert("checksum".into(), Algorithm::Sha1.of(content.as_bytes()).into());
        }
        if let Some(kept) = self.backup_file.get() {
            data.insert("backup_file".into(), kept.to_string_lossy().into());
        }
        data
    }
}

/// Whether a destination stands for a folder that the file goes into: it ends in `/`, or is one.
pub(crate) fn is_folder(dest: &Path, host: &dyn Observe) -> Result<bool, ModuleError> {
    Ok(paths::ends_in_slash(dest)
        || host.stat(dest)?.is_some_and(|meta| meta.kind == rectify_core::module::FileKind::Directory))
}
