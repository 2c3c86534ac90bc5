//! One task.

use std::sync::Arc;

use super::{
    choose::Terms,
    keys::{self, Place},
    loader::{Here, Loader},
    lookups::{self, FOUND},
    model::{Flag, Item, TaskDef, Use},
    module::ModuleUse,
    read::{is_identifier, word},
    tasks::Common,
};
use crate::{
    arg::Arg,
    diag::{Diagnostic, Span},
    plan::{self, Expr, Retry, TaskId},
    yaml::Node,
};

/// The keys that only tasks and handlers have.
#[derive(Default)]
pub(crate) struct Own {
    args: Option<Node>,
    looped: Option<(plan::Loop, Span)>,
    /// `with_first_found` or `with_fileglob`, which are read once the task's variables are.
    files: Option<Node>,
    found: Option<plan::Found>,
    register: Option<String>,
    changed_when: Option<Vec<Expr>>,
    failed_when: Option<Vec<Expr>>,
    until: Vec<Expr>,
    retries: Option<u32>,
    delay: Option<f64>,
    listen: Vec<String>,
}

impl Own {
    /// Nothing but a result, and files that are looked for.
    pub(crate) fn registering(result: String, found: Option<plan::Found>) -> Own {
        Own { found, register: Some(result), ..Own::default() }
    }

    /// Nothing but files that are looked for.
    pub(crate) fn finding(found: plan::Found) -> Own {
        Own { found: Some(found), ..Own::default() }
    }

    fn retry(&self) -> Option<Retry> {
        let asked = !self.until.is_empty() || self.retries.is_some();
        asked.then(|| Retry {
            until: self.until.clone(),
            retries: self.retries.unwrap_or(3),
            delay: self.delay.unwrap_or(5.0),
        })
    }
}

impl Loader<'_> {
    /// A task or handler with its module.
    pub(crate) fn task(&mut self, node: &Node, here: &Here) {
        let place = if here.handlers { Place::Handler } else { Place::Task };
        let is_module = |word: &str| keys::short(word) == "include_vars" || self.registry.find(word).is_some();
        let lifted = lookups::lift(node, is_module);
        let node = lifted.as_ref().map_or(node, |lifted| &lifted.task);
        let mut common = Common::default();
        let mut own = Own::default();
        let mut modules: Vec<(&Node, &Node)> = Vec::new();
        let control = node.get("loop_control");
        let mut refused = false;
        for (key, value) in self.entries(node, "a task") {
            let name = word(key);
            if here.handlers && matches!(name, "id" | "needs" | "rollout") {
                let problem = key.error("misplaced-key", format!("a handler cannot have `{name}`"));
                self.push(problem.help("handlers run when they were notified, in the order in which they are listed"));
            } else if here.handlers && name == "tags" {
                let problem = Diagnostic::warning("handler-tags", "`tags` of a handler change nothing");
                self.push(problem.at(key.span, "").note("a handler runs when it was notified, by whichever tasks run"));
            } else if common.key(self, key, value) || self.own_key(key, value, control, here, &mut own, &mut common) {
            } else if keys::alternative(name).is_some()
                || (name.starts_with("with_") && self.registry.find(name).is_none())
            {
                refused |= keys::alternative(name).is_some();
                if name.starts_with("with_") {
                    own.looped = Some((self.refused_loop(control), value.span));
                }
                self.unknown_key(key, place);
            } else {
                modules.push((key, value));
            }
        }
        self.files_of_task(&mut own, &mut common, control, lifted.as_ref(), &modules, here);
        self.check_own(node, &own);
        let mut uses = std::mem::take(&mut common.uses);
        if modules.is_empty() && refused {
            self.gaps.tasks = true;
            return;
        }
        let module = match modules.as_slice() {
            [(key, value)] if keys::short(word(key)) == "include_vars" => {
                let found = own.found.as_ref();
                self.include_vars((key, value), own.args.as_ref(), found, here, &common.vars, &mut uses)
            }
            _ => self.pick_module(node, &modules, own.args.as_ref(), place),
        };
        let Some(module) = module else {
            self.gaps.tasks = true;
            return;
        };
        self.finish(node, here, common, own, module, uses);
    }

    /// Looks for the files of `first_found` and `fileglob`.
    fn files_of_task(
        &mut self,
        own: &mut Own,
        common: &mut Common,
        control: Option<&Node>,
        lifted: Option<&lookups::Lifted>,
        modules: &[(&Node, &Node)],
        here: &Here,
    ) {
        // The folders are those of Ansible's lookup.
        let action = modules.first().map_or("", |(key, _)| keys::short(word(key)));
        let folder = ["template", "var"].into_iter().find(|part| action.contains(part)).unwrap_or("file");
        let var = self.refused_loop(control).var;
        let terms = match (own.files.take(), lifted) {
            (Some(node), _) if own.looped.is_none() => Some((Terms::listed(self, &node, &mut common.uses), var)),
            (Some(node), _) => {
                let one = std::slice::from_ref(&node);
                let items = self.globbed(node.as_seq().unwrap_or(one), here, &common.vars);
                own.looped.iter_mut().for_each(|(looped, _)| looped.over = items.clone());
                None
            }
            (None, Some(lifted)) => {
                let var = if lifted.looped { var } else { FOUND.to_owned() };
                Some((Terms::of_call(self, &lifted.at, lifted.call.clone(), &mut common.uses), var))
            }
            (None, None) => None,
        };
        let Some((terms, var)) = terms else { return };
        let span = terms.span;
        let found = self.found(terms, &var, &format!("{folder}s"), here, &common.vars);
        if found.known.is_empty() && !found.skip && common.when.is_empty() && here.inherited.when.is_empty() {
            let problem = Diagnostic::error("missing-file", "none of these files exists").at(span, "");
            self.push(problem.help("add `skip: true` if that is meant"));
        }
        own.found = Some(found);
    }

    /// Reads a key that only tasks have; `false` if it is none.
    fn own_key(
        &mut self,
        key: &Node,
        value: &Node,
        control: Option<&Node>,
        here: &Here,
        own: &mut Own,
        common: &mut Common,
    ) -> bool {
        let name = word(key);
        let uses = &mut common.uses;
        match name {
            "args" => own.args = Some(value.clone()),
            "loop_control" => {}
            "register" => own.register = self.register(value),
            "changed_when" => own.changed_when = non_empty(self.conditions(name, value, uses)),
            "failed_when" => own.failed_when = non_empty(self.conditions(name, value, uses)),
            "until" => own.until = self.conditions(name, value, uses),
            "retries" => own.retries = self.count(value),
            "delay" => {
                own.delay = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|d| *d >= 0.0);
                if own.delay.is_none() {
                    self.push(value.expected("a number of seconds"));
                }
            }
            "listen" if here.handlers => {
                own.listen = self.words(value, "a topic", false).into_iter().map(|(t, _)| t).collect();
            }
            "with_first_found" => own.files = Some(value.clone()),
            "with_fileglob" => {
                own.looped = Some((self.refused_loop(control), value.span));
                own.files = Some(value.clone());
            }
            "loop" if let Some(patterns) = lookups::fileglob(value) => {
                own.looped = Some((self.refused_loop(control), value.span));
                own.files = Some(Node { kind: crate::yaml::Kind::Seq(patterns), ..value.clone() });
            }
            _ if super::loops::is_loop(name) => {
                if own.looped.is_some() {
                    self.push(key.error("two-loops", format!("a second loop (`{name}`) in one task")));
                }
                own.looped = Some((self.read_loop(key, value, control, uses), value.span));
            }
            _ => return false,
        }
        true
    }

    fn register(&mut self, value: &Node) -> Option<String> {
        let name = self.fixed_text(value, "a variable's name")?;
        if !is_identifier(&name) {
            let problem = value.error("variable-name", format!("`{name}` is not a name for a variable"));
            self.push(problem.help("use letters, digits and `_`, a letter or `_` first"));
            return None;
        }
        self.play.registered.insert(Arc::from(name.as_str()));
        Some(name)
    }

    fn check_own(&mut self, node: &Node, own: &Own) {
        if own.looped.is_none()
            && own.found.is_none()
            && let Some((key, _)) = node.entry("loop_control")
        {
            let problem = Diagnostic::error("loop-control", "`loop_control` without a loop");
            self.push(problem.at(key.span, ""));
        }
        if own.delay.is_some()
            && own.retry().is_none()
            && let Some((key, _)) = node.entry("delay")
        {
            let problem = Diagnostic::error("delay", "`delay` without `until` or `retries`");
            self.push(problem.at(key.span, "nothing is tried again"));
        }
    }

    pub(crate) fn finish(
        &mut self,
        node: &Node,
        here: &Here,
        mut common: Common,
        own: Own,
        module: ModuleUse,
        mut uses: Vec<Use>,
    ) {
        self.one_setting(&common, here);
        let vars = std::mem::take(&mut common.vars);
        let src_choices = self.src_choices(&module, here, &vars);
        let scope = if vars.values.is_empty() { here.scope } else { Some(self.scope(here, vars)) };
        let all = common.inherit(&here.inherited);
        let (id, needs) = (common.id.take(), common.needs.take());
        uses.extend(all.uses.iter().cloned());
        uses.extend(module.uses.iter().cloned());
        let span = common.name.as_ref().map_or(module.word_span, |(_, span)| *span);
        let name = common.name.map_or_else(|| module.word.clone(), |(name, _)| name);
        self.template_file(&module, here, &mut uses);
        let retry = own.retry();
        let handler = here
            .handlers
            .then(|| plan::Handler { topics: topics(&name, here.role.as_ref().map(|r| r.name.as_str()), own.listen) });
        let tested = all.when.iter().flat_map(|e| crate::template::defined_when_true(&e.text).unwrap_or_default());
        let tested = tested.collect();
        let proto = plan::Task {
            id: TaskId(0),
            name,
            role: here.role.as_ref().map(|r| r.name.clone()),
            origin: self.origin(node.span),
            module: module.kind.to_owned(),
            args: Arg::Map(module.args),
            scope: None,
            when: all.when,
            r#loop: own.looped.as_ref().map(|(l, _)| l.clone()),
            register: own.register,
            notify: all.notify.iter().map(|(n, _)| n.clone()).collect(),
            handler,
            become_user: None,
            changed_when: own.changed_when,
            failed_when: own.failed_when,
            ignore_errors: all.ignore_errors,
            retry,
            no_log: false,
            environment: all.environment,
            check_mode: None,
            files: std::collections::BTreeMap::new(),
            templates: std::collections::BTreeMap::new(),
            found: own.found,
            choices: module.choices,
            place: None,
            rollout: all.rollout.as_ref().map(|used| plan::Rollout {
                setting: used.setting.clone(),
                on: used.on,
                mode: plan::RolloutMode::Observe,
                why: String::new(),
            }),
            needs: Vec::new(),
            tags: all.tags,
        };
        let barrier = module.kind == "meta" && !here.handlers && is_barrier(&proto.args);
        let def = TaskDef {
            proto,
            span,
            module: module.module,
            arg_spans: module.spans,
            scope,
            place: here.place,
            r#become: all.r#become,
            no_log: all.no_log.unwrap_or(Flag::Fixed(false)),
            check_mode: all.check_mode,
            loop_span: own.looped.map_or(node.span, |(_, span)| span),
            id,
            needs,
            space: here.space,
            notify_spans: all.notify.iter().map(|(_, s)| *s).collect(),
            uses,
            arg_uses: module.uses,
            tested,
            reads: Vec::new(),
            arg_reads: Vec::new(),
            src_reads: Vec::new(),
            flag_reads: None,
            src_choices,
            search: here.search.clone(),
            barrier,
            rollout_span: all.rollout.map(|used| used.span),
        };
        self.add_task(def, here);
    }

    fn add_task(&mut self, def: TaskDef, here: &Here) {
        if here.handlers {
            self.play.handlers.push(def);
        } else {
            let index = self.play.tasks.len();
            self.play.tasks.push(def);
            self.play.groups[here.group].items.push(Item::Task(index));
        }
    }

    /// Adds `meta: flush_handlers` between the sections of a play.
    pub(crate) fn flush(&mut self, at: Span, here: &Here) {
        let module = ModuleUse::plain("meta", "flush handlers", at).with("cmd", Arg::text("flush_handlers"));
        let node = Node::null(at);
        let common = Common { tags: vec!["always".into()], ..Common::default() };
        self.finish(&node, here, common, Own::default(), module, Vec::new());
    }
}

fn non_empty(conditions: Vec<Expr>) -> Option<Vec<Expr>> {
    (!conditions.is_empty()).then_some(conditions)
}

fn topics(name: &str, role: Option<&str>, listen: Vec<String>) -> Vec<String> {
    let mut topics = vec![name.to_owned()];
    topics.extend(role.map(|role| format!("{role} : {name}")));
    topics.extend(listen);
    topics
}

fn is_barrier(args: &Arg) -> bool {
    matches!(args, Arg::Map(map) if !matches!(map.get("cmd"), Some(Arg::Scalar(s)) if s.text == "noop"))
}
