//! Lists of tasks, and blocks.

use super::{
    keys::{self, Place},
    loader::{Here, Loader},
    model::{Become, BlockDef, Flag, Group, Inherited, SettingUse, Use, VarSet},
    read::word,
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    plan::{Expr, Section},
    yaml::Node,
};
use indexmap::IndexMap;

/// The keys that blocks, roles, imports and tasks share, as one of them has them.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) name: Option<(String, Span)>,
    pub(crate) when: Vec<Expr>,
    pub(crate) uses: Vec<Use>,
    pub(crate) tags: Vec<String>,
    pub(crate) notify: Vec<(String, Span)>,
    pub(crate) r#become: Become,
    pub(crate) environment: IndexMap<String, Arg>,
    pub(crate) no_log: Option<Flag>,
    pub(crate) check_mode: Option<Flag>,
    pub(crate) ignore_errors: Option<Expr>,
    pub(crate) vars: VarSet,
    pub(crate) id: Option<(String, Span)>,
    pub(crate) needs: Option<Vec<(String, Span)>>,
    pub(crate) rollout: Option<SettingUse>,
}

impl Common {
    /// Reads one key; `false` if it is none of the shared ones.
    pub(crate) fn key(&mut self, loader: &mut Loader<'_>, key: &Node, value: &Node) -> bool {
        let name = word(key);
        if loader.become_key(name, value, &mut self.r#become, &mut self.uses).is_some() {
            return true;
        }
        match name {
            "name" => {
                if !value.is_null() {
                    self.name = loader.text(value, "a name").map(|n| (n, value.span));
                    // A name that cannot be rendered is shown as it is written.
                    let mut uses = Vec::new();
                    loader.template(value, &mut uses);
                    self.uses.extend(uses.into_iter().map(|u| Use { guarded: true, ..u }));
                }
            }
            "when" => self.when = loader.conditions("when", value, &mut self.uses),
            "tags" => self.tags = loader.tags(value),
            "notify" => {
                self.notify = loader.words(value, "a handler's name", false);
                loader.templates(value, &mut self.uses);
            }
            "environment" => self.environment = loader.environment(value, &mut self.uses),
            "no_log" => self.no_log = loader.flag(value, &mut self.uses),
            "check_mode" => self.check_mode = loader.flag(value, &mut self.uses),
            "ignore_errors" if value.as_seq().is_some() => loader.push(value.expected("true, false or an expression")),
            "ignore_errors" => self.ignore_errors = loader.conditions(name, value, &mut self.uses).into_iter().next(),
            "vars" => self.vars = loader.vars(value),
            "id" => self.id = loader.fixed_text(value, "an id").map(|id| (id, value.span)),
            "needs" => self.needs = Some(loader.words(value, "an id", false)),
            "rollout" => self.rollout = loader.rollout(value),
            "collections" => loader.collections(key, value),
            _ => return false,
        }
        true
    }

    /// What is within inherits this.
    pub(crate) fn inherit(&mut self, outer: &Inherited) -> Inherited {
        let mut all = outer.clone();
        all.when.append(&mut self.when);
        all.uses.append(&mut self.uses);
        for tag in self.tags.drain(..) {
            if !all.tags.contains(&tag) {
                all.tags.push(tag);
            }
        }
        all.notify.append(&mut self.notify);
        all.r#become = std::mem::take(&mut self.r#become).within(&outer.r#become);
        all.environment.extend(std::mem::take(&mut self.environment));
        all.no_log = self.no_log.take().or(all.no_log);
        all.check_mode = self.check_mode.take().or(all.check_mode);
        all.ignore_errors = self.ignore_errors.take().or(all.ignore_errors);
        all.rollout = self.rollout.take().or(all.rollout);
        all
    }
}

impl Loader<'_> {
    /// Enters the sequence that these keys describe: their variables, conditions and tags hold within.
    pub(crate) fn enter_common(&mut self, here: &Here, mut common: Common, space: usize) -> Here {
        let group = Group {
            id: common.id.take(),
            needs: common.needs.take(),
            section: None,
            items: Vec::new(),
            space,
            outer_space: here.space,
        };
        self.one_setting(&common, here);
        let mut within = self.enter(here, group);
        let vars = std::mem::take(&mut common.vars);
        if !vars.values.is_empty() {
            within.scope = Some(self.scope(here, vars));
        }
        within.inherited = common.inherit(&here.inherited);
        within
    }

    /// A list of tasks, blocks and imports.
    pub(crate) fn tasks(&mut self, list: &Node, here: &Here) {
        for item in self.items(list, "a list of tasks") {
            let Some(entries) = item.as_map() else {
                let mut problem = item.expected("a task (a mapping)");
                if let Some(text) = item.as_str() {
                    problem = problem.help(format!("write `- {text}:` followed by the arguments"));
                }
                self.push(problem);
                continue;
            };
            if let Some((key, value)) = item.entry("block") {
                self.block(entries, key, value, here);
                continue;
            }
            match entries.iter().find(|(k, _)| super::include::is_include(keys::short(word(k)))) {
                Some((key, value)) => self.include(item, key, value, here),
                None => self.task(item, here),
            }
        }
    }

    fn block(&mut self, entries: &[(Node, Node)], key: &Node, list: &Node, here: &Here) {
        let mut common = Common::default();
        let mut parts = vec![(key, list, Section::Body)];
        let mut transaction = None;
        for (k, value) in entries {
            match word(k) {
                "block" => {}
                "rescue" => parts.push((k, value, Section::Rescue)),
                "always" => parts.push((k, value, Section::Always)),
                "transaction" => transaction = self.transaction(k, value, here),
                _ if common.key(self, k, value) => {}
                _ => self.unknown_key(k, Place::Block),
            }
        }
        parts.sort_by_key(|(_, _, section)| *section);
        for (key, list, section) in &parts {
            if list.as_seq().is_none_or(<[Node]>::is_empty) {
                let name = if *section == Section::Body { "block" } else { word(key) };
                let problem = Diagnostic::error("empty-block", format!("a {name} without tasks"));
                self.push(problem.at(key.span, "expected a list of tasks"));
                return;
            }
        }
        let within = self.enter_common(here, common, here.space);
        if parts.len() == 1 {
            self.body(list, transaction, &within);
            return;
        }
        if here.handlers {
            let (key, _, _) = parts[1];
            let problem = key.error("misplaced-key", format!("`{}` does not belong among handlers", word(key)));
            self.push(
                problem.help("a handler that fails ends the run on its host; include what may fail in its tasks"),
            );
            return;
        }
        let block = self.play.blocks.len();
        self.play.blocks.push(BlockDef { within: here.place, transaction: None });
        for (_, list, section) in parts {
            let inner = self.enter_part(&within, block, section);
            let transaction = if section == Section::Body { transaction.take() } else { None };
            self.body(list, transaction, &inner);
        }
    }

    /// Enters a part of a block.
    pub(crate) fn enter_part(&mut self, here: &Here, block: usize, section: Section) -> Here {
        let part = Group { section: Some(section), space: here.space, outer_space: here.space, ..Group::default() };
        Here { place: Some((block, section)), ..self.enter(here, part) }
    }

    /// The tasks of a block, perhaps as a transaction.
    fn body(&mut self, list: &Node, transaction: Option<super::transaction::Asked>, here: &Here) {
        match transaction {
            Some(asked) => self.in_transaction(list, asked, here),
            None => self.tasks(list, here),
        }
    }
}
