//! `command` and `shell`: run a program.

use std::path::{Path, PathBuf};

use rectify_core::module::{
    Action, Command as Program, Declared, DirEntry, Effects, Entity, Extent, HostResult, ModuleError, Observe, Operate,
    Output, Relations, Report,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The arguments that both modules have. They stand in each struct, not in one of their own: serde reads a flattened struct
/// without its types, and `yes` would be no boolean.
macro_rules! module {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $example:literal, { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $type {
            $($own)*
            /// The folder to run in, an absolute path. Default: `/`.
            chdir: Option<PathBuf>,
            /// A path, perhaps with `*` and `?` in its last part: if it is there, the command is not run.
            creates: Option<PathBuf>,
            /// A path, perhaps with `*` and `?` in its last part: if it is not there, the command is not run.
            removes: Option<PathBuf>,
            /// What the command reads from its standard input.
            stdin: Option<String>,
            /// Whether a line end is added to `stdin`. Default: true.
            stdin_add_newline: Option<bool>,
            /// Whether empty lines at the end of the outputs are cut off. Default: true.
            strip_empty_ends: Option<bool>,
            /// What the command may change: absolute paths (with all below them), `package:NAME`, `user:NAME`, `group:NAME`,
            /// `unit:NAME`, `sysctl:NAME`, `packages`, `accounts`, `units`. Default: anything, so that a check knows nothing
            /// for certain of what comes after it.
            touches: Option<Vec<String>>,
            #[serde(skip)]
            declared: Declared,
        }

        impl Action for $type {
            const KIND: &'static str = $kind;
            const FREE_FORM: Option<&'static str> = Some("cmd");
            const EXAMPLE: &'static str = $example;

            fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
                self.common().run(self.program()?, &self.declared, host)
            }

            fn validate(&self) -> Result<(), String> {
                self.program().map_err(|e| e.to_string())?;
                self.common().extents(&self.declared).map(|_| ())
            }

            fn relations(&self) -> Relations {
                self.common().relations(&self.declared)
            }

            fn subject(&self) -> String {
                self.program().map(|p| p.argv.join(" ")).unwrap_or_default()
            }

            fn declare(&mut self, declared: &Declared) {
                self.declared = declared.clone();
            }
        }

        impl $type {
            fn common(&self) -> Common<'_> {
                Common {
                    chdir: self.chdir.as_deref(),
                    creates: self.creates.as_deref(),
                    removes: self.removes.as_deref(),
                    stdin: self.stdin.as_deref(),
                    stdin_add_newline: self.stdin_add_newline.unwrap_or(true),
                    strip_empty_ends: self.strip_empty_ends.unwrap_or(true),
                    touches: self.touches.as_deref(),
                }
            }
        }
    };
}

module!(
    /// Runs a program, without a shell: no pipes, no redirections, no variables.
    ///
    /// A check does not run it, unless the task says `check_mode: false`, which declares that it only looks. It counts as a
    /// change unless `changed_when` says otherwise; `changed_when: false` also declares that nothing depends on what it does.
    Command, "command", "command: systemctl is-system-running\nchanged_when: false\n", {
        /// The program and its arguments, split as a shell would split them.
        cmd: Option<String>,
        /// The program and its arguments as a list. Not together with `cmd`.
        argv: Option<Vec<String>>,
    }
);

module!(
    /// Runs a command line in a shell.
    ///
    /// A check does not run it, unless the task says `check_mode: false`, which declares that it only looks. It counts as a
    /// change unless `changed_when` says otherwise; `changed_when: false` also declares that nothing depends on what it does.
    Shell, "shell", "shell: getent passwd | wc -l\nargs:\n  touches: []\n", {
        /// The command line.
        cmd: String,
        /// The shell's path. Default: `/bin/sh`.
        executable: Option<String>,
    }
);

/// What both have in common.
#[derive(Clone, Copy)]
struct Common<'a> {
    chdir: Option<&'a Path>,
    creates: Option<&'a Path>,
    removes: Option<&'a Path>,
    stdin: Option<&'a str>,
    stdin_add_newline: bool,
    strip_empty_ends: bool,
    touches: Option<&'a [String]>,
}

impl Command {
    fn program(&self) -> Result<Program, ModuleError> {
        let invalid = |words: &str| Err(ModuleError::Invalid(words.into()));
        match (&self.cmd, &self.argv) {
            (Some(_), Some(_)) => invalid("give `cmd` or `argv`, not both"),
            (None, None) => invalid("give the command, as `cmd` or as `argv`"),
            (None, Some(argv)) if argv.is_empty() => invalid("`argv` is empty"),
            (None, Some(argv)) => Ok(Program::new(argv.iter().cloned())),
            (Some(line), None) => match shlex::split(line) {
                Some(argv) if !argv.is_empty() => Ok(Program::new(argv)),
                Some(_) => invalid("the command is empty"),
                None => invalid("the command has a quote that is not closed"),
            },
        }
    }
}

impl Shell {
    fn program(&self) -> Result<Program, ModuleError> {
        if self.cmd.trim().is_empty() {
            return Err(ModuleError::Invalid("the command is empty".into()));
        }
        let shell = self.executable.clone().unwrap_or_else(|| "/bin/sh".into());
        Ok(Program::new([shell, "-c".into(), self.cmd.clone()]))
    }
}

impl Common<'_> {
    fn run(&self, program: Program, declared: &Declared, host: &dyn Operate) -> Result<Report, ModuleError> {
        if let Some(path) = self.creates
            && exists(path, host)?
        {
            return Ok(self.guarded(&program, format!("{} exists", path.display())));
        }
        if let Some(path) = self.removes
            && !exists(path, host)?
        {
            return Ok(self.guarded(&program, format!("{} does not exist", path.display())));
        }
        let mut stdin = self.stdin.unwrap_or_default().to_owned();
        if self.stdin.is_some() && self.stdin_add_newline {
            stdin.push('\n');
        }
        let program = Program {
            stdin: stdin.into_bytes(),
            env: declared.environment.clone(),
            cwd: self.chdir.map(Path::to_owned),
            ..program
        };
        let output = if declared.probe {
            host.probe(&program)?
        } else {
            let extents = self.extents(declared).map_err(ModuleError::Invalid)?;
            host.run(&program, &Effects { extents })?
        };
        self.report(&program, &output)
    }

    fn report(&self, program: &Program, output: &Output) -> Result<Report, ModuleError> {
        let mut data = Map::new();
        data.insert("cmd".into(), program.argv.clone().into());
        data.insert("rc".into(), output.code.into());
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let text = String::from_utf8_lossy(bytes);
            let text = if self.strip_empty_ends { text.trim_end_matches(['\n', '\r']) } else { &text };
            let lines: Vec<Value> = text.lines().map(Value::from).collect();
            data.insert(name.into(), text.into());
            data.insert(format!("{name}_lines"), lines.into());
        }
        if output.truncated {
            data.insert("truncated".into(), true.into());
        }
        if output.code == 0 {
            return Ok(Report::acted(data));
        }
        let said = [&output.stderr, &output.stdout].into_iter().find(|b| !b.trim_ascii().is_empty());
        let said = said.map(|b| String::from_utf8_lossy(b).trim().lines().next_back().unwrap_or_default().to_owned());
        let message = match said {
            Some(last) => format!("`{}` ended with {}: {last}", program.argv.join(" "), output.code),
            None => format!("`{}` ended with {} and said nothing", program.argv.join(" "), output.code),
        };
        Err(ModuleError::Failed { message, data })
    }

    fn guarded(&self, program: &Program, found: String) -> Report {
        let mut report = Report::guarded(found.clone());
        report.data.insert("cmd".into(), program.argv.clone().into());
        report.data.insert("rc".into(), 0.into());
        for (key, value) in [("stdout", format!("skipped, since {found}")), ("stderr", String::new())] {
            report.data.insert(format!("{key}_lines"), value.lines().map(Value::from).collect::<Vec<_>>().into());
            report.data.insert(key.into(), value.into());
        }
        report
    }

    fn extents(&self, declared: &Declared) -> Result<Vec<Extent>, String> {
        if declared.changes_nothing {
            return Ok(Vec::new());
        }
        let Some(touches) = self.touches else { return Ok(vec![Extent::Anything]) };
        touches.iter().map(|word| extent(word)).collect()
    }

    fn relations(&self, declared: &Declared) -> Relations {
        let extents = self.extents(declared).unwrap_or_default();
        Relations::writes(extents.into_iter().map(|extent| match extent {
            Extent::Entity(entity) => entity,
            _ => Entity::Tree("/".into()),
        }))
        .needing(self.chdir.map(|p| Entity::Path(p.to_owned())))
    }
}

fn extent(word: &str) -> Result<Extent, String> {
    if word.starts_with('/') {
        return Ok(Extent::Entity(Entity::Tree(word.into())));
    }
    Ok(match (word, word.split_once(':')) {
        ("packages", _) => Extent::Packages,
        ("accounts", _) => Extent::Accounts,
        ("units", _) => Extent::Units,
        (_, Some(("package", name))) => Extent::Entity(Entity::Package(name.into())),
        (_, Some(("user", name))) => Extent::Entity(Entity::User(name.into())),
        (_, Some(("group", name))) => Extent::Entity(Entity::Group(name.into())),
        (_, Some(("unit", name))) => Extent::Entity(Entity::Unit(name.into())),
        (_, Some(("sysctl", name))) => Extent::Entity(Entity::Sysctl(name.into())),
        _ => {
            return Err(format!(
                "touches: {word:?} is neither an absolute path nor one of the words that the reference lists"
            ));
        }
    })
}

/// Whether something is at the path, whose last part may hold `*` and `?`.
fn exists(path: &Path, host: &dyn Observe) -> HostResult<bool> {
    let pattern = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (true, Some(folder)) = (pattern.contains(['*', '?']), path.parent()) else {
        return Ok(host.stat(path)?.is_some());
    };
    if host.stat(folder)?.is_none() {
        return Ok(false);
    }
    let mut found = false;
    host.list(folder, &mut |entry: DirEntry| {
        found = matches(pattern.as_bytes(), entry.name.as_encoded_bytes());
        !found
    })?;
    Ok(found)
}

/// `*` and `?` as glob(7) has them, for one path component.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => matches(rest, name) || name.split_first().is_some_and(|(_, n)| matches(pattern, n)),
        (Some((b'?', rest)), Some((_, n))) => matches(rest, n),
        (Some((p, rest)), Some((c, n))) => p == c && matches(rest, n),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_one_component() {
        for (pattern, name, expected) in
            [("*.conf", "a.conf", true), ("?b*", "abc", true), ("a", "ab", false), ("*", "", true)]
        {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_undeclared_command_may_touch_anything_and_a_pure_one_nothing() {
        let command: Command = serde_json::from_value(serde_json::json!({"cmd": "true"})).unwrap();
        let common = command.common();
        assert_eq!(common.extents(&Declared::default()), Ok(vec![Extent::Anything]));
        let pure = Declared { changes_nothing: true, ..Declared::default() };
        assert_eq!(common.extents(&pure), Ok(vec![]));
        assert!(extent("relative/path").is_err());
    }
}
