//! `transaction:` on a block.

use super::{
    args::Trial,
    keys,
    loader::{Here, Loader},
    model::{BlockDef, TaskDef, Use},
    module::ModuleUse,
    read::word,
    task::Own,
    tasks::Common,
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    module::{Entity, Instance},
    plan::Section,
    yaml::Node,
};

/// What a transaction is told.
pub(crate) struct Asked {
    key: Span,
    /// Commands that say whether the whole is valid.
    validate: Vec<Arg>,
    uses: Vec<Use>,
}

impl Loader<'_> {
    /// `transaction: true`, or with `validate:` and a command or several.
    pub(crate) fn transaction(&mut self, key: &Node, value: &Node, here: &Here) -> Option<Asked> {
        let mut asked = Asked { key: key.span, validate: Vec::new(), uses: Vec::new() };
        if here.handlers || self.in_transaction_already(here) {
            let place = if here.handlers { "among handlers" } else { "within another transaction" };
            let problem = key.error("misplaced-key", format!("`transaction` does not belong {place}"));
            self.push(problem.help("take it out, and put all that belongs together into one block"));
            return None;
        }
        match value.to_bool() {
            Some(true) => return Some(asked),
            Some(false) => return None,
            None => {}
        }
        for (k, v) in self.entries(value, "true, or a mapping with `validate`") {
            if word(k) != "validate" {
                let message = format!("`transaction` has no key `{}`", word(k));
                let problem = Diagnostic::error("unknown-key", message).at(k.span, "");
                self.push(problem.help("it has `validate`; the tasks of the block notify the handler that reloads"));
                continue;
            }
            let one = std::slice::from_ref(v);
            for command in v.as_seq().unwrap_or(one) {
                if self.text(command, "a command").is_some() {
                    self.template(command, &mut asked.uses);
                    asked.validate.push(self.arg(command));
                }
            }
        }
        Some(asked)
    }

    fn in_transaction_already(&self, here: &Here) -> bool {
        let mut at = here.place;
        while let Some((block, section)) = at {
            if section == Section::Body && self.play.blocks[block].transaction.is_some() {
                return true;
            }
            at = self.play.blocks[block].within;
        }
        false
    }

    /// The tasks of a transaction, and the one that ends it.
    pub(crate) fn in_transaction(&mut self, list: &Node, asked: Asked, here: &Here) {
        let block = self.play.blocks.len();
        let first = self.play.tasks.len();
        self.play.blocks.push(BlockDef { within: here.place, transaction: Some((first..first, first)) });
        let body = self.enter_part(here, block, Section::Body);
        self.tasks(list, &body);
        let end = self.play.tasks.len();
        let mut last = self.enter_part(here, block, Section::Always);
        // It ends however the conditions and notifications of the block come out.
        last.inherited.when.clear();
        last.inherited.notify.clear();
        let mut module = ModuleUse::plain("transaction", "transaction", asked.key);
        module = module.with("validate", Arg::List(asked.validate));
        module.uses = asked.uses;
        let at = Node::null(asked.key);
        self.finish(&at, &last, Common::default(), Own::default(), module, Vec::new());
        self.play.blocks[block].transaction = Some((first..end, end));
        let problems: Vec<Diagnostic> =
            self.play.tasks[first..end].iter().filter_map(|task| self.not_taken_back(task)).collect();
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// The problem of a task in a transaction whose changes are more than files.
    fn not_taken_back(&self, task: &TaskDef) -> Option<Diagnostic> {
        let problem = |message: String| Diagnostic::error("transaction", message).at(task.span, "");
        let kind = task.proto.module.as_str();
        let Some(module) = task.module else {
            let message = "a `meta` task within a transaction".to_owned();
            return task.barrier.then(|| problem(message).help("put it before or after the block"));
        };
        let Arg::Map(args) = &task.proto.args else { return None };
        let info = self.modules.get(module.kind())?;
        let Trial { args, invented } = Trial::new(args, module, info);
        let instance = module.instance(&Arg::Map(args)).ok()?;
        let constant = |word: &str| task.proto.changed_when.iter().flatten().any(|e| e.text.trim() == word);
        let what = match &instance {
            Instance::Action(_) if module.is_pure() || constant("false") => return None,
            Instance::Action(_) => format!("a transaction cannot take back what `{kind}` does"),
            Instance::Resource(resource) => {
                let writes = resource.relations().writes;
                let other = writes.iter().find(|thing| !matches!(thing, Entity::Path(_) | Entity::Tree(_)))?;
                let what = if invented.is_empty() { other.to_string() } else { "more than those".into() };
                format!("a transaction takes back files, and `{kind}` changes {what}")
            }
        };
        let help = match (&instance, keys::short(kind)) {
            (Instance::Action(_), "command" | "shell") => {
                "say `changed_when: false` if it only looks; else put it before or after the block, or into a handler"
            }
            _ => "put the task before or after the block, or into a handler",
        };
        Some(problem(what).help(help))
    }
}
