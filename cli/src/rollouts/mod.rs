//! Rollouts on the command line: the files, the clock, and where every host of a run stands.

pub(crate) mod evidence;
mod read;

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;
use rectify_core::{
    compile::Compiled,
    diag::{Diagnostic, Diagnostics, did_you_mean},
    inventory::Inventory,
    rollout::{self, Assume, Evidence, Journal, Person, Prints, Rollouts, Setting, Stance, Subject, View},
    text::chain,
};
use rectify_server::rollouts::Store;

pub(crate) use read::{nowhere, place};

use crate::{exit::Expected, project::Project};

/// Everything that has a say about settings, at the moment of this command.
pub(crate) struct Desk {
    pub(crate) path: PathBuf,
    pub(crate) rollouts: Rollouts,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) assume: Assume,
    pub(crate) now: Timestamp,
}

/// The fingerprints of what the tasks of settings say: by host, by setting.
pub(crate) type Printed = BTreeMap<String, BTreeMap<String, Prints>>;

/// Where the hosts of a run stand: by setting, by host.
#[derive(Default)]
pub(crate) struct Standing {
    pub(crate) subjects: BTreeMap<String, BTreeMap<String, Subject>>,
    pub(crate) stances: BTreeMap<String, BTreeMap<String, Stance>>,
}

impl Standing {
    /// What somebody should look at, each with the hosts that it is about: whether it is a finding already, and what.
    pub(crate) fn remarks(&self) -> BTreeMap<(bool, &str), Vec<&str>> {
        let mut all: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
        for (host, stance) in self.stances.values().flatten() {
            let findings = stance.findings.iter().map(|text| (true, text));
            for (finding, text) in findings.chain(stance.warnings.iter().map(|text| (false, text))) {
                all.entry((finding, text)).or_default().push(host);
            }
        }
        all
    }

    fn print(&self, host: &str, setting: &str) -> Option<String> {
        Some(self.subjects.get(setting)?.get(host)?.prints.now.clone())
    }
}

impl Desk {
    /// The moment, and all that has a say.
    pub(crate) fn view<'a>(&'a self, inventory: &'a Inventory) -> View<'a> {
        View { rollouts: &self.rollouts, journal: &self.journal, inventory, now: self.now, assume: &self.assume }
    }

    /// What looks saw of the settings until now. It may be long, and a run has no need of it.
    ///
    /// # Errors
    /// A file that cannot be read, and every line of it that cannot be used.
    pub(crate) fn evidence(&self) -> Result<Evidence, Expected> {
        self.store.evidence().map_err(|e| Expected::usage(chain(&e)))
    }

    /// What the tasks of settings say on each host. The plans must be whole: what is left out of one would seem to have changed.
    pub(crate) fn prints(&self, compiled: &[Compiled]) -> Printed {
        compiled.iter().map(|c| (c.plan.host.clone(), rollout::prints(&c.plan, &self.rollouts))).collect()
    }

    /// Tells every plan where its host stands.
    ///
    /// # Errors
    /// What is wrong with the hosts' claims.
    pub(crate) fn attend(
        &self,
        project: &Project,
        printed: &Printed,
        compiled: &mut [Compiled],
    ) -> Result<Standing, Expected> {
        let mut found = Diagnostics::new();
        let standing = self.stand(project, printed, compiled, &mut found);
        if found.has_errors() { Err(project.expected(&found)) } else { Ok(standing) }
    }

    /// As [`Desk::attend`], but what is wrong with the hosts' claims goes to `found`.
    pub(crate) fn stand(
        &self,
        project: &Project,
        printed: &Printed,
        compiled: &mut [Compiled],
        found: &mut Diagnostics,
    ) -> Standing {
        let mut standing = Standing::default();
        let view = self.view(&project.inventory);
        let today = self.rollouts.day(self.now);
        for plan in compiled.iter_mut().map(|c| &mut c.plan) {
            let Some(prints) = printed.get(&plan.host).filter(|p| !p.is_empty()) else { continue };
            let claims = rollout::claims(&project.inventory, &plan.host, &self.rollouts, today, found);
            let mut stances = BTreeMap::new();
            for (id, prints) in prints {
                let Some(setting) = self.rollouts.settings.get(id) else { continue };
                let claim = claims.get(id);
                let stance = view.stance(setting, &plan.host, claim, prints);
                let subject = Subject { prints: prints.clone(), claim: claim.cloned() };
                standing.subjects.entry(id.clone()).or_default().insert(plan.host.clone(), subject);
                standing.stances.entry(id.clone()).or_default().insert(plan.host.clone(), stance.clone());
                stances.insert(id.clone(), stance);
            }
            rollout::attend(plan, &stances);
        }
        standing
    }

    /// The setting of this id.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn setting(&self, id: &str) -> Result<&Setting, Expected> {
        self.rollouts.settings.get(id).ok_or_else(|| {
            let near = did_you_mean(id, self.rollouts.settings.keys().map(String::as_str));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            Expected::usage(format!("{} has no setting {id:?}{near}", self.path.display()))
        })
    }

    /// Everybody whom these hosts name as a contact.
    ///
    /// # Errors
    /// Contacts that are no addresses, and owners of hosts that are nobody's name.
    pub(crate) fn people<'h>(
        &self,
        project: &Project,
        hosts: impl IntoIterator<Item = &'h str>,
    ) -> Result<BTreeMap<String, Person>, Expected> {
        let mut found = Diagnostics::new();
        let people = contacts(project, hosts, &mut found);
        if found.has_errors() { Err(project.expected(&found)) } else { Ok(people) }
    }
}

/// Everybody whom these hosts name as a contact; addresses that are none and owners that are nobody's name go to `found`.
pub(crate) fn contacts<'h>(
    project: &Project,
    hosts: impl IntoIterator<Item = &'h str>,
    found: &mut Diagnostics,
) -> BTreeMap<String, Person> {
    let hosts: Vec<&str> = hosts.into_iter().collect();
    let people = rollout::contacts(&project.inventory, hosts.iter().copied(), found);
    let owners = hosts.iter().flat_map(|host| rollout::owners(&project.inventory, host));
    let unknown: BTreeMap<_, _> = owners.filter(|(owner, _)| !people.contains_key(owner)).collect();
    for (owner, at) in unknown {
        let problem = Diagnostic::error("unknown-owner", format!("`contacts` names nobody called `{owner}`"));
        let near = did_you_mean(&owner, people.keys().map(String::as_str));
        let help = near.map_or_else(
            || format!("add `{owner}: ADDRESS` to `contacts` in the inventory"),
            |near| format!("write `{near}`, or add `{owner}: ADDRESS` to `contacts`"),
        );
        found.push(problem.at(at, "owner of hosts").help(help));
    }
    people
}
