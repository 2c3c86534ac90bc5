//! A module without a state to converge to: a command, a question, a message.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Blocked, Finding, ModuleError, Operate, Relations};

/// An expression of the playbook and what it came to.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(with = "serde_json::Value")]
pub struct Evaluated {
    /// The expression as written.
    pub text: String,
    /// Its value.
    pub value: Value,
}

/// What a task says beside its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// `environment:`.
    pub environment: IndexMap<String, String>,
    /// `changed_when: false`: what runs changes nothing, so it has no effects to note.
    pub changes_nothing: bool,
    /// `check_mode: false` in a check: what runs only looks, and is run (as a probe).
    pub probe: bool,
}

/// Whether an action did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// It only looked, or computed.
    Looked,
    /// It ran something that may have changed the host: changed, unless `changed_when` says otherwise.
    Acted,
    /// Its own condition said that there is nothing to do; the text says which (`/etc/x exists`).
    Guarded(String),
}

/// What an action gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Whether it did something.
    pub ran: Ran,
    /// What the registered result carries (`rc`, `stdout`, `stat` …).
    pub data: Map<String, Value>,
    /// Variables that hold for the rest of the run on this host (`set_fact`).
    pub facts: Map<String, Value>,
    /// Facts of the host, by their names below `ansible_facts` (`setup`): from here on they stand beside those that are known.
    pub host_facts: Map<String, Value>,
    /// Lines for the operator (`debug`).
    pub messages: Vec<String>,
    /// With how many `-v`, at least, the messages are shown.
    pub verbosity: u8,
    /// What it found.
    pub findings: Vec<Finding>,
    /// How often enforcing the task's setting would have blocked something, if it counted that.
    pub blocked: Option<Blocked>,
}

impl Report {
    /// Looked, and found this.
    pub fn looked(data: Map<String, Value>) -> Self {
        Report {
            ran: Ran::Looked,
            data,
            facts: Map::new(),
            host_facts: Map::new(),
            messages: Vec::new(),
            verbosity: 0,
            findings: Vec::new(),
            blocked: None,
        }
    }

    /// Acted, with this result.
    pub fn acted(data: Map<String, Value>) -> Self {
        Report { ran: Ran::Acted, ..Report::looked(data) }
    }

    /// Had nothing to do, for this reason.
    pub fn guarded(reason: impl Into<String>) -> Self {
        Report { ran: Ran::Guarded(reason.into()), ..Report::looked(Map::new()) }
    }
}

/// A module that runs. In a check its commands are not run: the host answers
/// [`HostError::NotRehearsed`](super::HostError::NotRehearsed), the engine reports that it would run, and its result has
/// no value.
pub trait Action: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The word in the playbook: `command`, `stat`.
    const KIND: &'static str;
    /// Other words for it; `ansible.builtin.KIND` always is one.
    const OTHER_NAMES: &'static [&'static str] = &[];
    /// Other names of arguments: `(alias, argument)`.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];
    /// The argument that free text after the module's word stands for.
    const FREE_FORM: Option<&'static str> = None;
    /// The arguments that are bare expressions (`assert: that`), or lists of them: the engine evaluates each and hands it
    /// over as an [`Evaluated`].
    const EXPRESSIONS: &'static [&'static str] = &[];
    /// Whether it changes nothing on the host, whatever its arguments (`stat`, `debug`, `set_fact`). In a check such an
    /// action is left out, not reported as a possible change, when what it reads is not known.
    const PURE: bool = false;
    /// A task in YAML, parsed by a test and printed in the reference.
    const EXAMPLE: &'static str;

    /// Runs.
    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError>;

    /// Checks what types cannot say, before any host is contacted.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// What it touches, as declared. Writing the tree `/` stands for anything at all, files or not.
    fn relations(&self) -> Relations {
        Relations::default()
    }

    /// What a person calls it.
    fn subject(&self) -> String;

    /// Takes what the task says beside the arguments; for modules that run programs.
    fn declare(&mut self, _declared: &Declared) {}
}
