//! `rectify graph`: the tasks of a playbook and why each waits for another.

use std::io::Write;

use rectify_core::{
    compile::{CompileOptions, Job},
    diag::Diagnostics,
    graph::{self, Graph},
    plan::Mode,
};

use crate::{
    args::{Common, Graph as Args, GraphFormat},
    config::Config,
    exit,
    project::Project,
    run::selection,
};

/// Draws the graph: once for all hosts whose graphs agree.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let playbooks = config.playbooks(&args.playbooks)?;
    let project = Project::load(&config, &args.hosts, &playbooks, crate::theme(common, false).is_coloured())?;
    let mut found = Diagnostics::new();
    let mut options = CompileOptions::new("graph", Mode::Check);
    options.extra_vars.clone_from(&project.extra_vars);
    options.selection = selection(&args.tasks);
    options.limit.clone_from(&project.limit);
    let job = Job::new(&project.playbook, &project.inventory, options, &mut found);
    if found.has_errors() {
        return Err(project.expected(&found).into());
    }
    let compiled = job.compile_all().map_err(|wrong| project.expected(&wrong))?;
    let graphs = graph::group(compiled.iter().map(|c| &c.plan));
    let masker = project.keyring.secrets().masker();
    let mut out = std::io::stdout().lock();
    if args.format == GraphFormat::Json {
        let mut all: serde_json::Value = graphs.iter().map(Graph::json).collect();
        masker.apply_json(&mut all);
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    for graph in &graphs {
        let text = match args.format {
            GraphFormat::Dot => graph::dot(graph),
            GraphFormat::Mermaid => graph::mermaid(graph),
            _ => graph::text(graph),
        };
        writeln!(out, "{}", masker.apply(text.trim_end()))?;
    }
    Ok(exit::OK)
}
