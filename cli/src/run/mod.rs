//! `check` and `apply`: from the command line to the exit code.

mod ask;
mod execute;
mod reach;
mod stream;

use std::{io::Write, sync::Arc};

use rectify_core::{
    compile::{CompileOptions, Compiled, Job as Compiler, Selection},
    diag::Diagnostics,
    event::RunState,
    plan::{Mode, Options as PlanOptions},
    rollout::Assume,
};
use rectify_server::store::RecordSettings;

pub(crate) use ask::passwords;
pub(crate) use execute::{Execution, What, screen};
pub(crate) use reach::{Passwords, Reach};
pub(crate) use stream::{Halt, Interrupts, Taker, now};

use crate::{
    args::{Common, Connection, Run, Tasks, again},
    config::Config,
    display::{
        Options, Output,
        text::{line, names},
    },
    exit::{self, Expected},
    project::Project,
    record::Keep,
    rollouts::{self, Desk, Printed, Standing},
    theme::{Meaning, Theme},
};

/// What is asked of a run beside its arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// What goes to stdout.
    pub(crate) output: Output,
    /// Whether hosts say what they know of when and by whom something was changed.
    pub(crate) traces: bool,
}

/// What became of it.
pub(crate) enum Then {
    /// Something was listed, and no host was contacted.
    Listed,
    /// It ran.
    Ran(Box<Ran>),
}

/// A run that is over.
pub(crate) struct Ran {
    /// How the program ends.
    pub(crate) code: u8,
    /// The run's id.
    pub(crate) run: String,
    /// What is known of it.
    pub(crate) state: RunState,
    /// Where it is recorded, if it is.
    pub(crate) record: Option<RecordSettings>,
}

/// Runs a playbook and says how the program ends.
///
/// # Errors
/// What is wrong with the input, or with the program.
pub(crate) fn run(mode: Mode, args: &Run, common: &Common) -> anyhow::Result<u8> {
    let output = if args.json { Output::Json } else { Output::Report };
    Ok(match perform(mode, args, common, Asked { output, traces: false })? {
        Then::Listed => exit::OK,
        Then::Ran(ran) => ran.code,
    })
}

/// Runs a playbook.
///
/// # Errors
/// What is wrong with the input, or with the program.
pub(crate) fn perform(mode: Mode, args: &Run, common: &Common, asked: Asked) -> anyhow::Result<Then> {
    let config = Config::load()?;
    let playbooks = config.playbooks(&args.playbooks)?;
    let (out_theme, err_theme) = (crate::theme(common, true), crate::theme(common, false));
    let mut project = Project::load(&config, &args.hosts, &playbooks, err_theme.is_coloured())?;
    let desk = Desk::load(&config, &args.rollouts.described, &args.rollouts.clock, &playbooks, &mut project)?;
    if mode == Mode::Apply && desk.as_ref().is_some_and(|d| d.assume != Assume::default()) {
        return Err(Expected::usage("--as-of and --stage show what would happen then: use them with check").into());
    }
    let mut found = Diagnostics::new();
    let mut options = compile_options(mode, args, &project);
    options.options.traces = asked.traces;
    let compiler = Compiler::new(&project.playbook, &project.inventory, options.clone(), &mut found);
    if found.has_errors() {
        return Err(project.expected(&found).into());
    }
    if args.list_hosts || args.list_tasks || args.list_tags {
        warn(&project, &found, &[])?;
        list(args, &compiler)?;
        return Ok(Then::Listed);
    }
    // Everything is compiled before any host is contacted: what is wrong for one host is known before another is changed.
    let mut compiled = compiler.compile_all().map_err(|wrong| project.expected(&wrong))?;
    let standing = match &desk {
        None => Standing::default(),
        Some(desk) => {
            let printed = printed(desk, options, &compiled, &project)?;
            desk.attend(&project, &printed, &mut compiled)?
        }
    };
    warn(&project, &found, &compiled)?;
    let finds = remark(&standing, err_theme)?;
    if let Some(day) = args.rollouts.clock.as_of.filter(|_| desk.is_some()) {
        writeln!(std::io::stderr(), "supposing it is the end of {day}, and every dated step was announced and taken")?;
    }
    if compiled.is_empty() {
        return Err(
            Expected::usage("no host is left to run on: check `hosts` of the plays, -l and the inventory").into()
        );
    }
    let passwords = passwords(&args.connection)?;
    let output = asked.output;
    let screen = screen(output != Output::Json);
    let reach = Reach::new(args.connection.clone(), passwords, &project, screen.clone())?;
    let locked = reach.locked(&project.inventory, compiled.iter().map(|c| c.plan.host.as_str()));
    if locked.has_errors() {
        return Err(project.expected(&locked).into());
    }
    let display = Options {
        output,
        verbose: args.verbosity.verbose,
        diff: !args.no_diff,
        inventory: args.hosts.sources.chosen(),
        again: again(&args.playbooks, &args.rollouts.described, &args.hosts),
        screen,
        width: crate::width(),
        stdout: out_theme,
        stderr: err_theme,
    };
    let keep = keep(&config, args, desk.as_ref())?;
    let names = playbooks.iter().map(|p| p.display().to_string()).collect();
    let run = Execution { mode, forks: args.connection.forks, names, display, keep };
    let shared = Arc::new((project, reach));
    let record = run.keep.as_ref().map(|keep| keep.index.settings().clone());
    let (state, gather) = run.execute(&shared, compiled)?;
    // A part of the tasks shows a part of what a setting changes.
    let desk = desk.filter(|_| selection(&args.tasks) == Selection::default());
    if let Some(Err(problem)) = desk.map(|desk| rollouts::evidence::keep(&desk, &standing, &gather)) {
        writeln!(std::io::stderr(), "warning: {problem}")?;
    }
    let code = match state.exit_code() {
        exit::OK if finds => exit::PENDING,
        code => code,
    };
    let run = state.run.as_ref().map(|(run, _)| run.clone()).unwrap_or_default();
    Ok(Then::Ran(Box::new(Ran { code, run, state, record })))
}

/// How the run is recorded. One that supposes another day says nothing of how hosts are, and leaves no record.
///
/// # Errors
/// If stderr cannot be written.
fn keep(config: &Config, args: &Run, desk: Option<&Desk>) -> std::io::Result<Option<Keep>> {
    if desk.is_some_and(|desk| desk.assume != Assume::default()) {
        return Ok(None);
    }
    match Keep::typed(config, args.hosts.sources.chosen()) {
        Ok(keep) => Ok(Some(Keep { partial: selection(&args.tasks) != Selection::default(), ..keep })),
        Err(why) => writeln!(std::io::stderr(), "warning: {why}").map(|()| None),
    }
}

/// What the tasks of settings say on each host, those included that this run leaves out. `compiled` was made by these `options`.
///
/// # Errors
/// What is wrong with tasks that this run leaves out.
pub(crate) fn printed(
    desk: &Desk,
    options: CompileOptions,
    compiled: &[Compiled],
    project: &Project,
) -> Result<Printed, Expected> {
    if options.selection == Selection::default() {
        return Ok(desk.prints(compiled));
    }
    let options = CompileOptions { selection: Selection::default(), ..options };
    let compiler = Compiler::new(&project.playbook, &project.inventory, options, &mut Diagnostics::new());
    Ok(desk.prints(&compiler.compile_all().map_err(|wrong| project.expected(&wrong))?))
}

/// Says on stderr what is odd about skips; whether any of it is a finding.
///
/// # Errors
/// If stderr cannot be written.
fn remark(standing: &Standing, theme: Theme) -> std::io::Result<bool> {
    let remarks = standing.remarks();
    for ((finding, text), hosts) in &remarks {
        let (meaning, word) = if *finding { (Meaning::Finding, "finding:") } else { (Meaning::Unsure, "warning:") };
        let hosts = names(hosts, 5);
        writeln!(std::io::stderr(), "{} {hosts}: {}", theme.paint(meaning, word), line(text))?;
    }
    Ok(remarks.keys().any(|(finding, _)| *finding))
}

fn compile_options(mode: Mode, args: &Run, project: &Project) -> CompileOptions {
    let mut options = chosen(mode, &args.connection, project);
    options.selection = selection(&args.tasks);
    options.options = PlanOptions {
        parallel: args.parallel.get(),
        diff: !args.no_diff,
        verbose: args.verbosity.verbose,
        ..PlanOptions::default()
    };
    options
}

/// What the command line says of hosts, where none is contacted.
pub(crate) fn nowhere(project: &Project) -> CompileOptions {
    let mut options = CompileOptions::new(run_id(), Mode::Check);
    options.extra_vars.clone_from(&project.extra_vars);
    options.limit.clone_from(&project.limit);
    options
}

/// What the command line says of hosts and of the way to them.
pub(crate) fn chosen(mode: Mode, connection: &Connection, project: &Project) -> CompileOptions {
    let mut options = CompileOptions { mode, ..nowhere(project) };
    options.r#become = connection.r#become;
    options.become_user.clone_from(&connection.become_user);
    options.become_method.clone_from(&connection.become_method);
    options.remote_user.clone_from(&connection.user);
    options
}

pub(crate) fn selection(tasks: &Tasks) -> Selection {
    Selection { tags: tasks.tags.clone(), skip_tags: tasks.skip_tags.clone(), start_at: tasks.start_at_task.clone() }
}

/// Sorts by time, and differs between two runs of the same moment.
pub(crate) fn run_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    format!("{now}-{:05}", std::process::id() % 100_000)
}

/// Says on stderr what is odd and stops nothing.
///
/// # Errors
/// If stderr cannot be written.
pub(crate) fn warn(project: &Project, found: &Diagnostics, compiled: &[Compiled]) -> std::io::Result<()> {
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

fn list(args: &Run, compiler: &Compiler<'_>) -> std::io::Result<()> {
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
    Ok(())
}
