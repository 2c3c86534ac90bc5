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
    run::{Passwords, Reach, chosen, printed, run_id},
};

/// Plans by host, and where the hosts stand with settings.
pub(super) type Compiles = (BTreeMap<String, Compiled>, Standing);

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
    /// Reads everything anew, and makes the plans of the looks.
    ///
    /// # Errors
    /// What is wrong with playbooks, inventory, settings, or the way to hosts.
    pub(super) fn read(args: &Serve, scope: &Scope) -> Result<(Self, Compiles), Expected> {
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
        let looks = plans.compiled(Mode::Check)?;
        if let Some(desk) = &plans.desk {
            plans.printed = printed(desk, plans.options(Mode::Check), &looks, &plans.shared.0)?;
        }
        if looks.is_empty() {
            return Err(Expected::usage(
                "no host is left to run on: see `hosts` of the plays, `limit` and the inventory",
            ));
        }
        let (project, reach) = &*plans.shared;
        let locked = reach.locked(&project.inventory, looks.iter().map(|c| c.plan.host.as_str()));
        if locked.has_errors() {
            return Err(project.expected(&locked));
        }
        let looks = plans.attended(looks)?;
        Ok((plans, looks))
    }

    /// Whether a look shows all that settings would change.
    pub(super) fn is_whole(&self) -> bool {
        self.selection == Selection::default()
    }

    /// Makes the plans of a run, each with its host's stance.
    ///
    /// # Errors
    /// What is wrong for at least one host.
    pub(super) fn compile(&self, mode: Mode) -> Result<Compiles, Expected> {
        self.attended(self.compiled(mode)?)
    }

    fn attended(&self, mut all: Vec<Compiled>) -> Result<Compiles, Expected> {
        let standing = match &self.desk {
            Some(desk) => desk.attend(&self.shared.0, &self.printed, &mut all)?,
            None => Standing::default(),
        };
        Ok((all.into_iter().map(|compiled| (compiled.plan.host.clone(), compiled)).collect(), standing))
    }

    fn compiled(&self, mode: Mode) -> Result<Vec<Compiled>, Expected> {
        let project = &self.shared.0;
        let mut found = Diagnostics::new();
        let compiler = Compiler::new(&project.playbook, &project.inventory, self.options(mode), &mut found);
        if found.has_errors() {
            return Err(project.expected(&found));
        }
        compiler.compile_all().map_err(|wrong| project.expected(&wrong))
    }

    fn options(&self, mode: Mode) -> CompileOptions {
        let chosen = chosen(mode, &self.connection, &self.shared.0);
        CompileOptions { selection: self.selection.clone(), run: run_id(), ..chosen }
    }
}
