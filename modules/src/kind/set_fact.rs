//! `set_fact`: gives variables a value for the rest of the run on this host.

use rectify_core::module::{Action, ModuleError, Operate, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Sets variables for the rest of the run on this host: each argument is a variable's name. It changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SetFact {
    /// The variables and their values; templates are evaluated now, not when the variable is used.
    #[serde(flatten)]
    facts: Map<String, Value>,
}

impl Action for SetFact {
    const KIND: &'static str = "set_fact";
    const PURE: bool = true;
    const EXAMPLE: &'static str =
        "set_fact:\n  web_user: \"{{ 'www-data' if ansible_facts.os_family == 'Debian' else 'apache' }}\"\n";

    fn run(&self, _host: &dyn Operate) -> Result<Report, ModuleError> {
        let mut facts = self.facts.clone();
        // Facts are set for a run; there is no cache between runs that they could go to.
        facts.remove("cacheable");
        let data = Map::from_iter([("ansible_facts".to_owned(), Value::Object(facts.clone()))]);
        Ok(Report { facts, ..Report::looked(data) })
    }

    fn validate(&self) -> Result<(), String> {
        match self.facts.keys().find(|name| !is_name(name)) {
            Some(name) => Err(format!(
                "{name:?} is not a variable's name: letters, digits and underscores, not starting with a digit"
            )),
            None => Ok(()),
        }
    }

    fn subject(&self) -> String {
        self.facts.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
