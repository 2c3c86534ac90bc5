//! Readers: from one source to the steps that build an inventory.
//!
//! A reader changes nothing itself: its steps are carried out only if the source as a whole is readable.

pub(crate) mod address;
pub(crate) mod ini;
pub(crate) mod literal;
pub(crate) mod script;
pub(crate) mod words;
pub(crate) mod yaml_file;

use std::sync::Arc;

use serde_json::Value;

use crate::diag::{Diagnostic, Span};

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Make a group, if it is not there.
    Group { name: Arc<str>, at: Span },
    /// Put a group (or a host) under a group.
    Child { group: Arc<str>, child: Arc<str>, at: Span },
    /// Make a host, if it is not there, and put it into a group; the port counts only where the host is new.
    Host { name: Arc<str>, group: Option<Arc<str>>, port: Option<u64>, at: Span },
    /// Set a variable of the group, or else the host, of this name.
    Var { of: Arc<str>, key: Arc<str>, value: Arc<Value>, at: Span },
}

/// What a reader made of a source.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) steps: Vec<Step>,
    pub(crate) problems: Vec<Diagnostic>,
}

impl Steps {
    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(crate) fn problem(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    pub(crate) fn failed(&self) -> bool {
        self.problems.iter().any(|p| p.severity == crate::diag::Severity::Error)
    }
}

/// One allocation per distinct word.
#[derive(Debug, Default)]
pub(crate) struct Words(std::collections::HashSet<Arc<str>>);

impl Words {
    pub(crate) fn get(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return known.clone();
        }
        let new: Arc<str> = Arc::from(word);
        self.0.insert(new.clone());
        new
    }
}

/// The value that Ansible gives `name=TEXT` in an INI inventory and in `-e`: a Python literal, or else the text itself.
pub fn literal_value(text: &str) -> Value {
    literal::value(text)
}
