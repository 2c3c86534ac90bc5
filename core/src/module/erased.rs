//! The contract without its types, as the engine holds it.

use std::any::Any;

use serde_json::{Map, Value};

use super::{
    Change, Declared, Finding, HostError, Managed, ModuleError, Observe, Operate, Relations, Report, action, resource,
};

/// A module together with a task's arguments, ready to run.
pub enum Instance {
    /// It converges.
    Resource(Box<dyn Resource>),
    /// It runs.
    Action(Box<dyn Action>),
}

impl Instance {
    /// What a person calls the thing that it manages.
    pub fn subject(&self) -> String {
        match self {
            Instance::Resource(r) => r.subject(),
            Instance::Action(a) => a.subject(),
        }
    }

    /// What it touches.
    pub fn relations(&self) -> Relations {
        match self {
            Instance::Resource(r) => r.relations(),
            Instance::Action(a) => a.relations(),
        }
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The module's own words.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            Instance::Resource(r) => r.validate(),
            Instance::Action(a) => a.validate(),
        }
    }
}

/// What one look found: the state, the wish, and what is reported of them.
pub struct Seen {
    /// The seen state as data; null if it does not exist.
    pub before: Value,
    /// The wanted state as data; null if it must not exist.
    pub after: Value,
    /// Whether the two states differ. Decided on the states themselves: the data may mask a secret.
    pub differs: bool,
    /// What was found and is not repaired.
    pub findings: Vec<Finding>,
    /// What the registered result carries.
    pub returns: Map<String, Value>,
    change: Box<dyn Any + Send>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen")
            .field("before", &self.before)
            .field("after", &self.after)
            .field("differs", &self.differs)
            .finish()
    }
}

/// A [`Resource`](resource::Resource) without its types.
pub trait Resource: Send + Sync {
    /// Observes, and compares with what is wanted.
    ///
    /// # Errors
    /// As the module's `observe`.
    fn look(&self, host: &dyn Observe) -> Result<Seen, ModuleError>;

    /// Makes the change that a look of this very instance found.
    ///
    /// # Errors
    /// As the module's `apply`.
    fn apply(&self, seen: &Seen, host: &dyn Operate) -> Result<(), ModuleError>;

    /// See [`resource::Resource::subject`].
    fn subject(&self) -> String;

    /// See [`resource::Resource::relations`].
    fn relations(&self) -> Relations;

    /// What it manages, by names that outlive the task. To be asked after a look, which may find out more.
    fn managed(&self) -> Managed;

    /// See [`resource::Resource::exclusive`].
    fn exclusive(&self) -> Option<&'static str>;

    /// See [`resource::Resource::validate`].
    ///
    /// # Errors
    /// The module's own words.
    fn validate(&self) -> Result<(), String>;
}

impl<R: resource::Resource> Resource for R {
    fn look(&self, host: &dyn Observe) -> Result<Seen, ModuleError> {
        let before = self.observe(host)?;
        let findings = self.findings(before.as_ref());
        let returns = self.returns(before.as_ref());
        let after = self.desired(before.as_ref());
        Ok(Seen {
            before: data(before.as_ref())?,
            after: data(after.as_ref())?,
            differs: before != after,
            findings,
            returns,
            change: Box::new(Change { before, after }),
        })
    }

    fn apply(&self, seen: &Seen, host: &dyn Operate) -> Result<(), ModuleError> {
        let change = seen.change.downcast_ref().expect("a look is applied by the instance that made it");
        resource::Resource::apply(self, change, host)
    }

    fn subject(&self) -> String {
        resource::Resource::subject(self)
    }

    fn relations(&self) -> Relations {
        resource::Resource::relations(self)
    }

    fn managed(&self) -> Managed {
        let (subject, relations) = (resource::Resource::subject(self), resource::Resource::relations(self));
        Managed { passing: R::PASSING, ..Managed::of(R::KIND, &subject, self.manages(), &relations) }
    }

    fn exclusive(&self) -> Option<&'static str> {
        resource::Resource::exclusive(self)
    }

    fn validate(&self) -> Result<(), String> {
        resource::Resource::validate(self)
    }
}

fn data<S: serde::Serialize>(state: Option<&S>) -> Result<Value, ModuleError> {
    serde_json::to_value(state)
        .map_err(|e| ModuleError::Host(HostError::Unsupported(format!("a state that cannot be reported: {e}"))))
}

/// An [`Action`](action::Action) without its types.
pub trait Action: Send + Sync {
    /// See [`action::Action::run`].
    ///
    /// # Errors
    /// As the module's `run`.
    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError>;

    /// See [`action::Action::subject`].
    fn subject(&self) -> String;

    /// See [`action::Action::relations`].
    fn relations(&self) -> Relations;

    /// See [`action::Action::validate`].
    ///
    /// # Errors
    /// The module's own words.
    fn validate(&self) -> Result<(), String>;

    /// See [`action::Action::declare`].
    fn declare(&mut self, declared: &Declared);
}

impl<A: action::Action> Action for A {
    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        action::Action::run(self, host)
    }

    fn subject(&self) -> String {
        action::Action::subject(self)
    }

    fn relations(&self) -> Relations {
        action::Action::relations(self)
    }

    fn validate(&self) -> Result<(), String> {
        action::Action::validate(self)
    }

    fn declare(&mut self, declared: &Declared) {
        action::Action::declare(self, declared);
    }
}
