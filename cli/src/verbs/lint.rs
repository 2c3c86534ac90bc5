//! `rectify lint`: everything that is wrong, without contacting any host.

use std::{collections::BTreeSet, io::Write, sync::Arc};

use rectify_core::{
    compile::{CompileOptions, Compiled, Job},
    diag::{Diagnostic, Diagnostics, to_json},
    plan::Mode,
};

use crate::{
    args::{Clock, Common, Lint as Args},
    config::Config,
    exit::{self, Expected},
    project::Project,
    rollouts::{Desk, contacts},
};

/// Checks inventory and playbooks for every host that they are for.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let playbooks = config.playbooks(&args.playbooks)?;
    let colour = crate::theme(common, false).is_coloured();
    let (mut project, mut found) = Project::read(&config, &args.hosts, &playbooks, |disk| Arc::new(disk), colour)?;
    let clock = Clock::default();
    let desk = Desk::read(&config, &args.described, &clock, &playbooks, &mut project, &mut found)?;
    if !found.has_errors() {
        let mut options = CompileOptions::new("lint", Mode::Check);
        options.extra_vars.clone_from(&project.extra_vars);
        options.limit.clone_from(&project.limit);
        let job = Job::new(&project.playbook, &project.inventory, options, &mut found);
        match job.compile_all() {
            Ok(mut compiled) => {
                if let Some(desk) = desk {
                    settings(&desk, &project, &mut compiled, &mut found);
                }
                compiled.into_iter().for_each(|c| found.extend(c.warnings));
            }
            Err(wrong) => found.extend(wrong),
        }
    }
    report(args, &project, &found)
}

/// What is wrong with the claims and the owners of hosts that have tasks of settings.
fn settings(desk: &Desk, project: &Project, compiled: &mut [Compiled], found: &mut Diagnostics) {
    let standing = desk.stand(project, &desk.prints(compiled), compiled, found);
    let hosts: BTreeSet<&str> = standing.subjects.values().flat_map(|hosts| hosts.keys().map(String::as_str)).collect();
    let _ = contacts(project, hosts.iter().copied(), found);
    let today = desk.rollouts.day(desk.now);
    for setting in desk.rollouts.settings.values() {
        let next = setting.steps.get(desk.journal.reached(setting) + 1);
        if let Some(step) = next.filter(|step| step.date < today) {
            let message = format!("`{}` of {} is dated {}, and has not been reached", step.name, setting.id, step.date);
            let problem = Diagnostic::warning("past-date", message).at(step.at, "this day is past");
            found.push(problem.help("`rectify rollout status` says what it lacks; write the day that it is meant for"));
        }
    }
}

fn report(args: &Args, project: &Project, found: &Diagnostics) -> anyhow::Result<u8> {
    if args.json {
        let mut out = std::io::stdout().lock();
        let mut problems = to_json(&project.map, found);
        project.keyring.secrets().masker().apply_json(&mut problems);
        serde_json::to_writer_pretty(&mut out, &problems)?;
        writeln!(out)?;
        return Ok(if found.has_errors() { exit::USAGE } else { exit::OK });
    }
    if found.has_errors() {
        return Err(project.expected(found).into());
    }
    let text = project.render(found);
    if !text.trim().is_empty() {
        writeln!(std::io::stderr(), "{}", text.trim_end())?;
    }
    let hosts = project.inventory.host_count();
    let plays = project.playbook.plays.len();
    if plays == 0 {
        return Err(Expected::usage("the playbooks hold no plays").into());
    }
    writeln!(
        std::io::stdout(),
        "nothing wrong: {} over {}",
        crate::display::text::count(plays, "play"),
        crate::display::text::count(hosts, "host")
    )?;
    Ok(exit::OK)
}
