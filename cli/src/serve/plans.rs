//! The plans of a round: read and compiled as for a run that somebody types.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use rectify_core::{
    compile::{CompileOptions, Compiled, Job as Compiler, Selection},
    diag::Diagnostics,
    plan::Mode,
};
use rectify_server::schedule::Scope;

use crate::{
    args::{Clock, Connection, Described, Serve},
    config::Config,
    exit::Expected,
    project::Project,
    rollouts::{Desk, Printed, Standing},
    run::{Passwords, Reach, chosen, run_id},
};

/// What a round runs.
pub(super) struct Plans {
    /// The project, and the way to its hosts.
    pub(super) shared: Arc<(Project, Reach)>,
    /// Where the hosts stand with settings; with it, a look is evidence.
    pub(super) desk: Option<Desk>,
    /// The playbooks as they are named.
    pub(super) names: Vec<String>,
    connection: Connection,
    selection: Selection,
    printed: Printed,
}

impl Plans {
    /// Reads everything anew.
    ///
    /// # Errors
    /// What is wrong with playbooks, inventory, settings, or the way to hosts.
    pub(super) fn read(args: &Serve, scope: &Scope) -> Result<Self, Expected> {
        let config = Config::load()?;
        let playbooks: Vec<PathBuf> = config.playbooks(&scope.playbooks)?;
        let hosts = args.hosts(scope.limit.as_deref());
        let mut project = Project::load(&config, &hosts, &playbooks, false)?;
        let desk = Desk::load(&config, &Described::default(), &Clock::default(), &playbooks, &mut project)?;
        let connection = Connection::unasked(scope.forks);
        let reach = Reach::new(connection.clone(), Passwords::default(), &project, None)?;
        let selection = Selection { tags: scope.tags.clone(), ..Selection::default() };
        let names = playbooks.iter().map(|path| path.display().to_string()).collect();
        let shared = Arc::new((project, reach));
        let mut plans = Plans { shared, desk, names, connection, selection, printed: Printed::new() };
        if let Some(desk) = &plans.desk {
            // The prints are of whole plans: what tags leave out is a part of them.
            plans.printed = desk.prints(&plans.compiled(Mode::Check, Selection::default())?);
        }
        let all = plans.compile(Mode::Check)?;
        if all.0.is_empty() {
            return Err(Expected::usage(
                "no host is left to run on: see `hosts` of the plays, `limit` and the inventory",
            ));
        }
        let (project, reach) = &*plans.shared;
        let locked = reach.locked(&project.inventory, all.0.keys().map(String::as_str));
        if locked.has_errors() { Err(project.expected(&locked)) } else { Ok(plans) }
    }

    /// Whether a look shows all that settings would change.
    pub(super) fn is_whole(&self) -> bool {
        self.selection == Selection::default()
    }

    /// Makes the plans of a run, each with its host's stance, by host.
    ///
    /// # Errors
    /// What is wrong for at least one host.
    pub(super) fn compile(&self, mode: Mode) -> Result<(BTreeMap<String, Compiled>, Standing), Expected> {
        let mut all = self.compiled(mode, self.selection.clone())?;
        let standing = match &self.desk {
            Some(desk) => desk.attend(&self.shared.0, &self.printed, &mut all)?,
            None => Standing::default(),
        };
        Ok((all.into_iter().map(|compiled| (compiled.plan.host.clone(), compiled)).collect(), standing))
    }

    fn compiled(&self, mode: Mode, selection: Selection) -> Result<Vec<Compiled>, Expected> {
        let project = &self.shared.0;
        let mut found = Diagnostics::new();
        let options = CompileOptions { selection, run: run_id(), ..chosen(mode, &self.connection, project) };
        let compiler = Compiler::new(&project.playbook, &project.inventory, options, &mut found);
        if found.has_errors() {
            return Err(project.expected(&found));
        }
        compiler.compile_all().map_err(|wrong| project.expected(&wrong))
    }
}
