//! `check` and `apply`: from the command line to the exit code.

mod ask;
mod execute;
mod reach;
mod stream;

use std::io::Write;

use rectify_core::{
    compile::{CompileOptions, Compiled, Job as Compiler, Selection},
    diag::Diagnostics,
    plan::{Mode, Options as PlanOptions},
};

pub(crate) use ask::passwords;
pub(crate) use execute::{Execution, screen};
pub(crate) use reach::{Passwords, Reach};

use crate::{
    args::{Common, Connection, Run, Tasks},
    config::Config,
    display::{Options, Output},
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
    let options = compile_options(mode, args, &project);
    let compiler = Compiler::new(&project.playbook, &project.inventory, options, &mut found);
    if found.has_errors() {
        return Err(project.expected(&found).into());
    }
    if args.list_hosts || args.list_tasks || args.list_tags {
        warn(&project, &found, &[])?;
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
    let output = if args.json { Output::Json } else { Output::Report };
    let screen = screen(output == Output::Report);
    let reach = Reach::new(args.connection.clone(), passwords, &project, screen.clone())?;
    let locked = reach.locked(&project.inventory, compiled.iter().map(|c| c.plan.host.as_str()));
    if locked.has_errors() {
        return Err(project.expected(&locked).into());
    }
    let display = Options {
        output,
        verbose: args.verbosity.verbose,
        diff: !args.no_diff,
        inventory: args.hosts.chosen(),
        screen,
        width: crate::width(),
        stdout: out_theme,
        stderr: err_theme,
    };
    let names = playbooks.iter().map(|p| p.display().to_string()).collect();
    let run = Execution { mode, forks: args.connection.forks, names, display };
    Ok(run.execute(project, reach, compiled)?.exit_code())
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

/// What the command line says of hosts and of the way to them.
pub(crate) fn chosen(mode: Mode, connection: &Connection, project: &Project) -> CompileOptions {
    let mut options = CompileOptions::new(run_id(), mode);
    options.extra_vars.clone_from(&project.extra_vars);
    options.limit.clone_from(&project.limit);
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
fn run_id() -> String {
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
