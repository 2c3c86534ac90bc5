//! The modules as one slice, from which reference, schema, completion, validation and laws derive.

use std::marker::PhantomData;

use super::{Instance, action, resource};
use crate::arg::{Arg, ArgError, from_arg};

/// A module as the registry holds it. Adding one is one line in the slice: [`ResourceModule::NEW`] or [`ActionModule::NEW`].
pub trait Module: Sync {
    /// The word in the playbook.
    fn kind(&self) -> &'static str;
    /// Other words for it, without collection.
    fn other_names(&self) -> &'static [&'static str];
    /// Other names of arguments: `(alias, argument)`.
    fn aliases(&self) -> &'static [(&'static str, &'static str)];
    /// The argument that free text stands for.
    fn free_form(&self) -> Option<&'static str>;
    /// The arguments that are bare expressions, or lists of them.
    fn expressions(&self) -> &'static [&'static str];
    /// The arguments that are secret, whatever they hold.
    fn secrets(&self) -> &'static [&'static str];
    /// Whether it changes nothing, whatever its arguments.
    fn is_pure(&self) -> bool;
    /// A task in YAML.
    fn example(&self) -> &'static str;
    /// Whether it is an action, and so has no state.
    fn is_action(&self) -> bool;
    /// The arguments' JSON Schema; descriptions are the field docs.
    #[cfg(feature = "controller")]
    fn schema(&self) -> schemars::Schema;
    /// Reads rendered arguments, names already canonical.
    ///
    /// # Errors
    /// The first argument that does not fit.
    fn instance(&self, args: &Arg) -> Result<Instance, ArgError>;
}

/// The registry's entry for a [`resource::Resource`].
pub struct ResourceModule<R>(PhantomData<fn() -> R>);

/// The registry's entry for an [`action::Action`].
pub struct ActionModule<A>(PhantomData<fn() -> A>);

impl<R> ResourceModule<R> {
    /// The entry.
    pub const NEW: Self = ResourceModule(PhantomData);
}

impl<A> ActionModule<A> {
    /// The entry.
    pub const NEW: Self = ActionModule(PhantomData);
}

macro_rules! entry {
    ($entry:ident, $contract:path, $is_action:literal, $variant:ident, $expressions:expr, $pure:expr, $secrets:expr) => {
        impl<T: $contract> Module for $entry<T> {
            fn kind(&self) -> &'static str {
                T::KIND
            }
            fn other_names(&self) -> &'static [&'static str] {
                T::OTHER_NAMES
            }
            fn aliases(&self) -> &'static [(&'static str, &'static str)] {
                T::ALIASES
            }
            fn free_form(&self) -> Option<&'static str> {
                T::FREE_FORM
            }
            fn expressions(&self) -> &'static [&'static str] {
                $expressions
            }
            fn secrets(&self) -> &'static [&'static str] {
                $secrets
            }
            fn is_pure(&self) -> bool {
                $pure
            }
            fn example(&self) -> &'static str {
                T::EXAMPLE
            }
            fn is_action(&self) -> bool {
                $is_action
            }
            #[cfg(feature = "controller")]
            fn schema(&self) -> schemars::Schema {
                schemars::schema_for!(T)
            }
            fn instance(&self, args: &Arg) -> Result<Instance, ArgError> {
                from_arg::<T>(args).map(|module| Instance::$variant(Box::new(module)))
            }
        }
    };
}

entry!(ResourceModule, resource::Resource, false, Resource, &[], false, T::SECRETS);
entry!(ActionModule, action::Action, true, Action, T::EXPRESSIONS, T::PURE, &[]);

/// The modules that a playbook may use.
#[derive(Clone, Copy)]
pub struct Registry(&'static [&'static dyn Module]);

impl Registry {
    /// Over this slice.
    pub const fn new(modules: &'static [&'static dyn Module]) -> Self {
        Registry(modules)
    }

    /// The module with this word: its own, another of its names, or either behind `ansible.builtin.` (`ansible.legacy.`,
    /// `ansible.posix.`, `community.general.`).
    pub fn find(&self, word: &str) -> Option<&'static dyn Module> {
        let short = ["ansible.builtin.", "ansible.legacy.", "ansible.posix.", "community.general."]
            .iter()
            .find_map(|prefix| word.strip_prefix(prefix))
            .unwrap_or(word);
        self.0.iter().copied().find(|m| m.kind() == short || m.other_names().contains(&short))
    }

    /// All modules, in the slice's order.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Module> + use<> {
        self.0.iter().copied()
    }
}
