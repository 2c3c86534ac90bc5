//! `rectify rollout`: where settings and hosts stand, why, and the steps that people take.

mod advance;
mod import;
mod note;
mod status;
mod why;

use std::collections::BTreeMap;

use rectify_core::{
    compile::{Compiled, Job},
    diag::Diagnostics,
    rollout::{Evidence, Gate, Setting, Subject, gate},
};

use crate::{
    args::{Common, Connection, Rollout as Args, RolloutVerb, Scope},
    config::Config,
    project::Project,
    rollouts::{Desk, Standing, nowhere},
    theme::Theme,
};

/// A project with settings, and where all its hosts stand; no host was contacted.
pub(crate) struct Office {
    pub(crate) project: Project,
    pub(crate) desk: Desk,
    pub(crate) evidence: Evidence,
    pub(crate) standing: Standing,
    pub(crate) compiled: Vec<Compiled>,
    pub(crate) theme: Theme,
    /// The words that name this project again, for commands to run next.
    pub(crate) again: String,
}

impl Office {
    /// Reads everything that the command line names; `connection` is how hosts will be reached, if they will be.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn open(scope: &Scope, connection: Option<&Connection>, common: &Common) -> anyhow::Result<Self> {
        let config = Config::load()?;
        let playbooks = config.playbooks(&scope.playbooks.playbooks)?;
        let theme = crate::theme(common, true);
        let colour = crate::theme(common, false).is_coloured();
        let mut project = Project::load(&config, &scope.hosts, &playbooks, colour)?;
        let (described, clock) = (&scope.rollouts.described, &scope.rollouts.clock);
        let desk = Desk::load(&config, described, clock, &playbooks, &mut project)?.ok_or_else(nowhere)?;
        let options = match connection {
            Some(connection) => crate::run::chosen(rectify_core::plan::Mode::Check, connection, &project),
            None => crate::run::nowhere(&project),
        };
        let mut found = Diagnostics::new();
        let compiled = Job::new(&project.playbook, &project.inventory, options, &mut found).compile_all();
        let mut compiled = compiled.map_err(|wrong| project.expected(&wrong))?;
        if found.has_errors() {
            return Err(project.expected(&found).into());
        }
        let standing = desk.attend(&project, &desk.prints(&compiled), &mut compiled)?;
        let evidence = desk.evidence()?;
        Ok(Office { project, desk, evidence, standing, compiled, theme, again: scope.again() })
    }

    /// The hosts that have tasks of a setting.
    pub(crate) fn subjects(&self, setting: &Setting) -> &BTreeMap<String, Subject> {
        static NONE: BTreeMap<String, Subject> = BTreeMap::new();
        self.standing.subjects.get(&setting.id).unwrap_or(&NONE)
    }

    /// What the next step of a setting lacks.
    pub(crate) fn gate(&self, setting: &Setting) -> Gate {
        let view = self.desk.view(&self.project.inventory);
        gate(&view, setting, self.subjects(setting), &self.evidence)
    }
}

/// Does what was asked.
///
/// # Errors
/// What is wrong with the input, or what keeps a setting from advancing.
pub(crate) fn run(args: &Args, common: &Common) -> anyhow::Result<u8> {
    match &args.verb {
        RolloutVerb::Status { setting, scope, json } => status::run(setting.as_deref(), scope, common, *json),
        RolloutVerb::Why { host, setting, scope } => why::run(host, setting, scope, common),
        RolloutVerb::Advance { setting, to, force, fleet } => {
            advance::run(setting, *to, force.as_deref(), &fleet.into(), common)
        }
        RolloutVerb::Object { setting, r#as, reason, fleet } => {
            note::object(setting, r#as, reason, &fleet.into(), common)
        }
        RolloutVerb::Import { write, fleet } => import::run(*write, &fleet.into(), common),
        RolloutVerb::Answer { objection, answer, log } => note::answer(objection, answer, log),
        RolloutVerb::Review { setting, note, log } => note::review(setting, note, log),
    }
}
