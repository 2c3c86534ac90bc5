//! A module that has a state to converge to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Entity, ModuleError, Observe, Operate, Relations};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be looked at.
    Warning,
    /// A hole.
    Critical,
}

/// Something that a module reports instead of repairing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: a path, a package.
    pub subject: String,
    /// What was found, one line.
    pub message: String,
}

/// What is to become of the seen state. `None` on a side is absence; both sides are never `None` and never equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<S> {
    /// What is there now.
    pub before: Option<S>,
    /// What is to be there.
    pub after: Option<S>,
}

/// Which kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was not there.
    Create,
    /// It was there, and differs.
    Modify,
    /// It is to go.
    Delete,
}

impl<S> Change<S> {
    /// Which kind of change it is.
    pub fn kind(&self) -> ChangeKind {
        match (&self.before, &self.after) {
            (None, _) => ChangeKind::Create,
            (_, None) => ChangeKind::Delete,
            _ => ChangeKind::Modify,
        }
    }
}

/// A module with a state: it observes, says what it wants, and applies the difference.
///
/// The type itself is the module's arguments: its schema is the reference, its field docs are the manual. It must carry
/// `#[serde(deny_unknown_fields)]`, and neither `flatten` nor `untagged`: serde reads those without their types, and `yes`
/// would be no boolean. The engine deserializes it from the rendered arguments, then calls, in this order:
/// `observe`, `findings`, `desired`; if the two states differ, `apply`, then `observe` and `desired` again. A state that
/// still differs is reported as not converged. Nothing is called after an error.
pub trait Resource: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The word in the playbook: `file`, `sysctl`.
    const KIND: &'static str;
    /// Other words for it; `ansible.builtin.KIND` always is one.
    const OTHER_NAMES: &'static [&'static str] = &[];
    /// Other names of arguments: `(alias, argument)`.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];
    /// The argument that free text after the module's word stands for.
    const FREE_FORM: Option<&'static str> = None;
    /// The arguments that are secret, whatever they hold: their values are shown nowhere.
    const SECRETS: &'static [&'static str] = &[];
    /// The properties that tell of work to be done and not of how the host is: they are never drift.
    const PASSING: &'static [&'static str] = &[];
    /// A task in YAML, parsed by a test and printed in the reference.
    const EXAMPLE: &'static str;
    /// What it compares. It serializes to an object whose fields are the properties that a person sees.
    type State: Serialize + Clone + PartialEq + Send;

    /// Looks. `None`: it does not exist.
    fn observe(&self, host: &dyn Observe) -> Result<Option<Self::State>, ModuleError>;

    /// What it wants, given what is there. `None`: it must not exist. Properties that the arguments leave open are those of
    /// `seen`. Must be stable: `desired(desired(seen)) == desired(seen)`.
    fn desired(&self, seen: Option<&Self::State>) -> Option<Self::State>;

    /// Makes the change.
    fn apply(&self, change: &Change<Self::State>, host: &dyn Operate) -> Result<(), ModuleError>;

    /// Checks what types cannot say, before any host is contacted. The text says what to do.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// What it touches: the source of the graph's edges, and of what is unknown when it may change.
    fn relations(&self) -> Relations {
        Relations::default()
    }

    /// What it manages, once it has looked, where that does not follow from what it writes.
    fn manages(&self) -> Option<Entity> {
        None
    }

    /// A class of tasks of which only one may run at a time on a host, such as `packages`.
    fn exclusive(&self) -> Option<&'static str> {
        None
    }

    /// What a person calls the thing: a path, a name.
    fn subject(&self) -> String;

    /// What it found and does not repair.
    fn findings(&self, _seen: Option<&Self::State>) -> Vec<Finding> {
        Vec::new()
    }

    /// What the registered result carries besides `changed`, `failed`, `skipped`, `msg` and `diff`.
    fn returns(&self, _seen: Option<&Self::State>) -> Map<String, Value> {
        Map::new()
    }
}
