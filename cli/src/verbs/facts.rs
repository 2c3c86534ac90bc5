//! `rectify facts`: what hosts are, host beside host.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use rectify_core::{
    compile::Job as Compiler,
    diag::Diagnostics,
    event::RunState,
    plan::{Mode, Options as PlanOptions},
    playbook::{FileInfo, FileKind, Files},
    vault::Keyring,
    yaml,
};
use serde_json::{Map, Value, json};

use crate::{
    args::{Common, Facts as Args},
    config::Config,
    display::{
        Options, Output,
        page::{Page, Span, meant, plain},
        text::{count, names},
    },
    files::Disk,
    project::Project,
    run::{Execution, Reach, chosen, passwords, screen, warn},
    theme::Meaning,
};

/// The name under which the one task is known in errors.
const PLAYBOOK: &str = "rectify facts";

/// Collects and prints.
///
/// # Errors
/// What is wrong with the input, or with the program.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let (out_theme, err_theme) = (crate::theme(common, true), crate::theme(common, false));
    let reader = |disk| -> Arc<dyn Files> { Arc::new(Given(playbook(args), disk)) };
    let project = Project::load_by(&config, &args.hosts, &[PLAYBOOK.into()], reader, err_theme.is_coloured())?;
    project.hosts(&args.pattern)?;
    let mut found = Diagnostics::new();
    let mut options = chosen(Mode::Check, &args.connection, &project);
    // Results come with verbose runs only, and here they are all there is.
    options.options = PlanOptions { verbose: 1, ..PlanOptions::default() };
    let compiler = Compiler::new(&project.playbook, &project.inventory, options, &mut found);
    if found.has_errors() {
        return Err(project.expected(&found).into());
    }
    let compiled = compiler.compile_all().map_err(|wrong| project.expected(&wrong))?;
    warn(&project, &found, &compiled)?;
    let screen = screen(true);
    let passwords = passwords(&args.connection)?;
    let reach = Reach::new(args.connection.clone(), passwords, &project, screen.clone())?;
    let display = Options {
        output: Output::Nothing,
        verbose: 0,
        diff: false,
        inventory: args.hosts.sources.chosen(),
        again: String::new(),
        screen,
        width: crate::width(),
        stdout: out_theme,
        stderr: err_theme,
    };
    let run = Execution {
        mode: Mode::Check,
        forks: args.connection.forks,
        names: vec![PLAYBOOK.into()],
        display,
        keep: None,
    };
    let (state, _) = run.execute(&Arc::new((project, reach)), compiled)?;
    let facts = facts(&state);
    let text = match (args.json, args.yaml) {
        (true, _) => format!("{:#}\n", nested(&facts)),
        (_, true) => yaml::emit(&nested(&facts)),
        _ => {
            let mut page = Page::new(crate::width(), out_theme);
            show(&mut page, &facts);
            page.into_text()
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(state.exit_code())
}

/// One play with one task. It is text like any other, so that what is wrong with a pattern is told as anywhere else.
fn playbook(args: &Args) -> String {
    let mut setup = Map::new();
    for (name, list) in [("filter", &args.filter), ("gather_subset", &args.subset)] {
        if !list.is_empty() {
            setup.insert(name.to_owned(), json!(list));
        }
    }
    let task = json!({ "name": "Collect facts", "setup": setup });
    let play = json!({ "name": "Facts", "hosts": args.pattern, "gather_facts": false, "tasks": [task] });
    json!([play]).to_string()
}

type Facts = Map<String, Value>;

/// The facts of every host that gave any.
fn facts(state: &RunState) -> IndexMap<&str, &Facts> {
    state
        .hosts
        .iter()
        .filter_map(|(name, host)| {
            let result = host.reports.values().next()?.result.as_ref()?;
            Some((name.as_str(), result.get("ansible_facts")?.as_object()?))
        })
        .collect()
}

/// `{host: {ansible_facts: …}}`.
fn nested(facts: &IndexMap<&str, &Facts>) -> Value {
    let host = |(name, facts): (&&str, &&Facts)| ((*name).to_owned(), json!({ "ansible_facts": facts }));
    Value::Object(facts.iter().map(host).collect())
}

/// The values of a fact, as JSON, and which hosts have it.
type Values<'a> = IndexMap<String, (Vec<&'a str>, &'a Value)>;

/// For a person: first what is the same everywhere, then, fact by fact, which hosts have what.
fn show(page: &mut Page, facts: &IndexMap<&str, &Facts>) {
    let mut all: IndexMap<&str, Values<'_>> = IndexMap::new();
    for (host, facts) in facts {
        for (name, value) in *facts {
            let same = all.entry(name).or_default().entry(value.to_string()).or_insert_with(|| (Vec::new(), value));
            same.0.push(host);
        }
    }
    all.sort_keys();
    let everywhere = |values: &Values<'_>| values.values().next().is_some_and(|(hosts, _)| hosts.len() == facts.len());
    if facts.len() > 1 && all.values().any(everywhere) {
        page.line(0, &[meant(Meaning::Host, format!("all {}", count(facts.len(), "host")))]);
    } else if let (1, Some(only)) = (facts.len(), facts.keys().next()) {
        page.line(0, &[meant(Meaning::Host, *only)]);
    }
    for (name, values) in all.iter().filter(|(_, values)| everywhere(values)) {
        values.values().for_each(|(_, value)| fact(page, 2, plain(*name), value));
    }
    for (name, values) in all.iter().filter(|(_, values)| !everywhere(values)) {
        page.gap();
        page.line(0, &[meant(Meaning::Heading, *name)]);
        for (hosts, value) in values.values() {
            fact(page, 2, meant(Meaning::Host, names(hosts, usize::MAX)), value);
        }
    }
}

/// `name: value`, or the name and the value below it.
fn fact(page: &mut Page, indent: usize, name: Span<'_>, value: &Value) {
    let text = value.as_str().map_or_else(|| yaml::emit(value), str::to_owned);
    let block = matches!(value, Value::Object(fields) if !fields.is_empty())
        || matches!(value, Value::Array(items) if !items.is_empty());
    if block {
        page.line(indent, &[name, plain(":")]);
        text.lines().for_each(|line| page.line(indent + 2, &[plain(line)]));
    } else {
        page.line(indent, &[name, plain(format!(": {}", text.trim()))]);
    }
}

/// Files with one playbook among them that is in no folder.
struct Given(String, Disk);

impl Files for Given {
    fn keyring(&self) -> &Keyring {
        Files::keyring(&self.1)
    }

    fn info(&self, path: &Path) -> Option<FileInfo> {
        match self.is(path) {
            true => Some(FileInfo { kind: FileKind::File, mode: 0o644, size: self.0.len() as u64 }),
            false => self.1.info(path),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if self.is(path) { Ok(self.0.clone().into_bytes()) } else { Files::read(&self.1, path) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        Files::list(&self.1, folder)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        Files::absolute(&self.1, path)
    }

    fn digest(&self, path: &Path) -> io::Result<(String, u64)> {
        Files::digest(&self.1, path)
    }
}

impl Given {
    fn is(&self, path: &Path) -> bool {
        path.ends_with(PLAYBOOK)
    }
}
