//! `check` and `apply`: from the command line to the exit code.

mod ask;
mod reach;
mod stream;

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex},
};

use rectify_core::{
    compile::{CompileOptions, Compiled, Job as Compiler, Selection},
    diag::Diagnostics,
    event::{Failure, RunEvent},
    plan::{Mode, Options as PlanOptions},
};
use rectify_remote::run::{BlobSource, Order};

pub(crate) use ask::passwords;
pub(crate) use reach::{Passwords, Reach};
use stream::{Job, Prepared, Stream};

use crate::{
    args::{Common, Run, Tasks},
    config::Config,
    display::{Display, Options, Painter, Screen},
    exit::{self, Expected},
    project::Project,
};

/// Runs a playbook and says how the program ends.
///
/// # Errors
/// What is wrong with the input, or with the program.
pub(crate) fn run(mode: Mode, args: &Run, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let playbooks = config.playbooks(&args.playbooks)?;
    let (out_theme, err_theme) = (crate::theme(common, true), crate::theme(common, false));
    let project = Project::load(&config, &args.hosts, &playbooks, err_theme.is_coloured())?;
    let mut found = Diagnostics::new();
    let options = compile_options(mode, args, common, &project);
    let compiler = Compiler::new(&project.playbook, &project.inventory, options, &mut found);
    if found.has_errors() {
        return Err(project.expected(&found).into());
    }
    if args.list_hosts || args.list_tasks || args.list_tags {
        return list(args, &compiler);
    }
    // Everything is compiled before any host is contacted: what is wrong for one host is known before another is changed.
    let compiled = compiler.compile_all().map_err(|wrong| project.expected(&wrong))?;
    warn(&project, &found, &compiled)?;
    if compiled.is_empty() {
        return Err(
            Expected::usage("no host is left to run on: check `hosts` of the plays, -l and the inventory").into()
        );
    }
    let passwords = passwords(&args.connection)?;
    let screen = screen(args.json);
    let reach = Reach::new(args.connection.clone(), passwords, &project.extra_vars, screen.clone())?;
    let display = Options {
        json: args.json,
        verbose: common.verbose,
        diff: !args.no_diff,
        screen,
        width: crate::width(),
        stdout: out_theme,
        stderr: err_theme,
    };
    let names = playbooks.iter().map(|p| p.display().to_string()).collect();
    let run = Execution { mode, args, names, display };
    run.execute(project, reach, compiled)
}

/// The terminal behind stderr, to paint on. One that cannot move its cursor is none, nor is one that JSON scrolls over.
fn screen(json: bool) -> Option<Screen> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let able = std::io::stderr().is_terminal() && !dumb && !(json && std::io::stdout().is_terminal());
    able.then(|| Arc::new(Mutex::new(Painter::new(Box::new(console::Term::buffered_stderr())))))
}

struct Execution<'a> {
    mode: Mode,
    args: &'a Run,
    names: Vec<String>,
    display: Options,
}

impl Execution<'_> {
    fn execute(self, project: Project, reach: Reach, compiled: Vec<Compiled>) -> anyhow::Result<u8> {
        let (mut stdout, mut stderr) = (std::io::stdout().lock(), std::io::stderr());
        let hosts: Vec<String> = compiled.iter().map(|c| c.plan.host.clone()).collect();
        let run = compiled.first().map(|c| c.plan.run.clone()).unwrap_or_default();
        let shared = Arc::new((project, reach));
        let jobs = compiled.into_iter().map(|compiled| job(&shared, compiled)).collect();
        let mut display = Display::new(self.display, &mut stdout, &mut stderr);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut stream = Stream::new(&mut display);
            stream.put(RunEvent::Started {
                run,
                mode: self.mode,
                playbooks: self.names,
                hosts,
                version: env!("CARGO_PKG_VERSION").into(),
            })?;
            stream.run(jobs, self.args.connection.forks).await?;
            stream.put(RunEvent::Finished)
        })?;
        runtime.shutdown_background();
        Ok(display.finish()?.exit_code())
    }
}

fn job(shared: &Arc<(Project, Reach)>, compiled: Compiled) -> Job {
    let shared = Arc::clone(shared);
    let host = compiled.plan.host.clone();
    let prepare = Box::new(move || {
        let (project, reach) = &*shared;
        let (way, start) = reach.host(&project.inventory, &compiled.plan.host, &compiled.access)?;
        let blobs = compiled.blobs;
        let order = Order::new(compiled.plan, |sha256| blobs.get(sha256).map(|b| BlobSource::File(b.path.clone())))
            .map_err(|e| Failure::from_error(&e))?;
        Ok(Prepared { way, start, order, notes: reach.notes() })
    });
    Job { host, prepare }
}

fn compile_options(mode: Mode, args: &Run, common: &Common, project: &Project) -> CompileOptions {
    let mut options = CompileOptions::new(run_id(), mode);
    options.extra_vars.clone_from(&project.extra_vars);
    options.selection = selection(&args.tasks);
    options.limit.clone_from(&project.limit);
    options.r#become = args.connection.r#become;
    options.become_user.clone_from(&args.connection.become_user);
    options.become_method.clone_from(&args.connection.become_method);
    options.remote_user.clone_from(&args.connection.user);
    options.options = PlanOptions {
        parallel: args.parallel.get(),
        diff: !args.no_diff,
        verbose: common.verbose,
        ..PlanOptions::default()
    };
    options
}

pub(crate) fn selection(tasks: &Tasks) -> Selection {
    Selection { tags: tasks.tags.clone(), skip_tags: tasks.skip_tags.clone(), start_at: tasks.start_at_task.clone() }
}

/// Sorts by time, and differs between two runs of the same moment.
fn run_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    format!("{now}-{:05}", std::process::id() % 100_000)
}

fn warn(project: &Project, found: &Diagnostics, compiled: &[Compiled]) -> std::io::Result<()> {
    let mut stderr = std::io::stderr();
    let mut seen = std::collections::BTreeSet::new();
    let all = [&project.found, found].into_iter().chain(compiled.iter().map(|c| &c.warnings));
    for text in all.map(|d| project.render(d)).filter(|t| !t.trim().is_empty()) {
        if seen.insert(text.clone()) {
            writeln!(stderr, "{}", text.trim_end())?;
        }
    }
    Ok(())
}

fn list(args: &Run, compiler: &Compiler<'_>) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    for listed in compiler.list() {
        writeln!(out, "play {}  (hosts: {})", listed.play, listed.hosts)?;
        if args.list_hosts {
            writeln!(out, "  {}", crate::display::text::count(listed.targets.len(), "host"))?;
            for host in &listed.targets {
                writeln!(out, "    {host}")?;
            }
        }
        if args.list_tasks {
            for (role, name, tags) in &listed.tasks {
                let role = role.as_ref().map(|r| format!("{r} : ")).unwrap_or_default();
                let tags = if tags.is_empty() { String::new() } else { format!("  [{}]", tags.join(", ")) };
                writeln!(out, "    {role}{name}{tags}")?;
            }
        }
        if args.list_tags {
            writeln!(out, "    tags: {}", listed.task_tags.join(", "))?;
        }
    }
    Ok(exit::OK)
}
