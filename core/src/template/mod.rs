//! Ansible's templating: values, conditions, template files.
//!
//! ```text
//!  text ──source──► prepared ──minijinja's parser──► tree ──lower──► Code (cached) ──eval──► Rendered
//!                                                                       │
//!                                                              free: names it reads
//! ```
//!
//! The language is parsed by minijinja. The evaluator is ours, because three things have to hold for every operation
//! and not only for those that have a hook: a value that a rehearsal cannot know makes everything that depends on it
//! unknown, an undefined value survives attribute access and `default` and nothing else, and values are Python's
//! (mutable lists, `%` on strings, floor division, `repr`).
//!
//! Nothing here reads a file or starts a program: lookups that would are resolved by the caller through
//! [`EngineOptions::lookup`] or are errors.

mod calls;
mod check;
mod data;
mod error;
mod eval;
mod filters;
mod free;
mod included;
mod ir;
mod lookup_call;
mod lower;
mod methods;
mod pattern;
mod predicates;
mod pyformat;
mod pyregex;
mod pytime;
mod source;
mod value;
mod vars;
mod yaml;

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod law_test;
#[cfg(test)]
mod unit_test;

pub use check::{TextKind, check_syntax};
pub use data::{Data, TaskRef, Trust};
pub use error::{ErrorKind, TemplateError};
pub use free::{FreeVar, defined_when_true, free_variables, free_variables_of_expression, free_variables_of_file};
pub use included::{Included, included_templates};
pub use lookup_call::{LookupCall, lookup_call};
pub use pattern::{Pattern, escape_pattern};
pub use vars::Vars;

use crate::mask::Secrets;
use error::{R, Stop};
use eval::Ev;
use ir::Code;
use lower::Syntax;
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a template gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendered {
    /// A value; a text that is one `{{ expression }}` keeps the expression's type.
    Value(Json),
    /// Ansible's `omit`: the caller leaves the argument out.
    Omit,
    /// It depends on results of these tasks, which have not run. Sorted, each once.
    Unknown(Vec<TaskRef>),
}

/// What a condition gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tri {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It depends on results of these tasks, which have not run. Sorted, each once.
    Unknown(Vec<TaskRef>),
}

/// Answers `lookup(name, terms…, options…)`; `None` leaves the lookup unsupported.
pub type LookupHook =
    dyn Fn(&str, &[Json], &serde_json::Map<String, Json>) -> Option<Result<Json, String>> + Send + Sync;

/// Answers `include`, `import` and `extends` with the text of another template; `None` if there is none.
pub type LoadHook = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What an engine may do.
#[derive(Clone)]
pub struct EngineOptions {
    /// Steps one evaluation may take; a step is about 50 to 100 ns.
    pub fuel: u64,
    /// The longest text one evaluation may build, in bytes.
    pub max_output: usize,
    /// Environment variables for `lookup('env', …)`, or none.
    pub env: Option<fn(&str) -> Option<String>>,
    /// Resolves lookups that need the controller.
    pub lookup: Option<Arc<LookupHook>>,
    /// Finds templates that templates include.
    pub load: Option<Arc<LoadHook>>,
    /// What is secret; what evaluations make of a secret is added to it.
    pub secrets: Arc<Secrets>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            fuel: 20_000_000,
            max_output: 16 << 20,
            env: None,
            lookup: None,
            load: None,
            secrets: Arc::default(),
        }
    }
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions").field("fuel", &self.fuel).field("max_output", &self.max_output).finish()
    }
}

/// How a template file is read; the defaults are those of Ansible's `template` module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TemplateOptions {
    /// Drop the newline after a block tag.
    pub trim_blocks: bool,
    /// Drop blanks before a block tag.
    pub lstrip_blocks: bool,
    /// Keep the newline at the end of the file.
    pub keep_trailing_newline: bool,
    /// What ends a line of the result.
    pub newline_sequence: String,
    /// Opens an expression.
    pub variable_start_string: String,
    /// Closes an expression.
    pub variable_end_string: String,
    /// Opens a statement.
    pub block_start_string: String,
    /// Closes a statement.
    pub block_end_string: String,
    /// Opens a comment.
    pub comment_start_string: String,
    /// Closes a comment.
    pub comment_end_string: String,
}

impl Default for TemplateOptions {
    fn default() -> Self {
        TemplateOptions {
            trim_blocks: true,
            lstrip_blocks: false,
            keep_trailing_newline: true,
            newline_sequence: "\n".into(),
            variable_start_string: "{{".into(),
            variable_end_string: "}}".into(),
            block_start_string: "{%".into(),
            block_end_string: "%}".into(),
            comment_start_string: "{#".into(),
            comment_end_string: "#}".into(),
        }
    }
}

/// Renders and evaluates; compiled texts are cached. One engine serves many threads.
pub struct Engine {
    options: EngineOptions,
    cache: Mutex<Cache>,
    playbook: Arc<Syntax>,
}

/// Texts kept compiled.
const CACHE_ENTRIES: usize = 4096;

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether a text can contain a template: the quick test that lets most values pass unread.
pub fn may_be_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

impl Engine {
    /// Makes an engine.
    pub fn new(options: EngineOptions) -> Engine {
        Engine { options, cache: Mutex::default(), playbook: Arc::new(playbook_syntax()) }
    }

    /// Renders one text of a playbook. A text without template is returned as it is.
    ///
    /// # Errors
    /// With the place in `text`, or the variables through which the failing text was reached.
    pub fn render_value(&self, text: &str, vars: &Vars) -> Result<Rendered, TemplateError> {
        if !may_be_template(text) {
            return Ok(Rendered::Value(Json::String(text.to_owned())));
        }
        let ev = Ev::new(self, vars);
        let rendered = settle(ev.template_text(text).and_then(|v| ev.finalize(&v)), &ev)?;
        if let (true, Rendered::Value(value)) = (self.secrets().contains(text), &rendered) {
            keep_texts(value, self.secrets());
        }
        Ok(rendered)
    }

    /// Renders every text in a value, and the keys of its dictionaries; `omit` drops elements and entries.
    ///
    /// # Errors
    /// As for [`Engine::render_value`]; `via` names the path to the element.
    pub fn render_json(&self, value: &Json, vars: &Vars) -> Result<Rendered, TemplateError> {
        let mut because = BTreeSet::new();
        let rendered = self.render_nested(value, vars, &mut because)?;
        Ok(match rendered {
            _ if !because.is_empty() => Rendered::Unknown(because.into_iter().collect()),
            Some(v) => Rendered::Value(v),
            None => Rendered::Omit,
        })
    }

    fn render_nested(&self, v: &Json, vars: &Vars, because: &mut BTreeSet<u32>) -> Result<Option<Json>, TemplateError> {
        Ok(match v {
            Json::String(s) => match self.render_value(s, vars)? {
                Rendered::Value(v) => Some(v),
                Rendered::Omit => None,
                Rendered::Unknown(b) => {
                    because.extend(b);
                    Some(Json::Null)
                }
            },
            Json::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    out.extend(self.render_nested(item, vars, because).map_err(|e| at(e, &i.to_string()))?);
                }
                Some(Json::Array(out))
            }
            Json::Object(map) => {
                let mut out = serde_json::Map::new();
                for (key, item) in map {
                    let value = self.render_nested(item, vars, because).map_err(|e| at(e, key))?;
                    let key = match self.render_nested(&Json::String(key.clone()), vars, because)? {
                        Some(Json::String(k)) => k,
                        Some(other) => other.to_string(),
                        None => continue,
                    };
                    out.extend(value.map(|v| (key, v)));
                }
                Some(Json::Object(out))
            }
            other => Some(other.clone()),
        })
    }

    /// Evaluates the expression of a `when:`, `changed_when:`, `failed_when:`, `until:` or `assert`.
    ///
    /// Only true and false are accepted, as in ansible-core 2.19; for anything else the error says what to write.
    ///
    /// # Errors
    /// As for [`Engine::render_value`], and [`ErrorKind::NotBoolean`].
    pub fn eval_condition(&self, expression: &str, vars: &Vars) -> Result<Tri, TemplateError> {
        let ev = Ev::for_condition(self, vars);
        let result = ev.condition(expression);
        let noted = ev.taken_unknown();
        ev.note_unknown(&noted.iter().copied().collect::<Vec<_>>());
        match result {
            Ok(_) if !noted.is_empty() => Ok(Tri::Unknown(noted.into_iter().collect())),
            Ok(true) => Ok(Tri::True),
            Ok(false) => Ok(Tri::False),
            Err(stop) => match settle(Err(stop), &ev)? {
                Rendered::Unknown(because) => Ok(Tri::Unknown(because)),
                _ => unreachable!("invariant: settle turns a stop into an error or Unknown"),
            },
        }
    }

    /// Evaluates a bare expression to a value, as in `loop: "{{ … }}"` without its braces.
    ///
    /// # Errors
    /// As for [`Engine::render_value`].
    pub fn eval_expression(&self, expression: &str, vars: &Vars) -> Result<Rendered, TemplateError> {
        let ev = Ev::new(self, vars);
        settle(ev.expression_text(expression).and_then(|v| ev.finalize(&v)), &ev)
    }

    /// Renders a template file. A `#jinja2:` line at its head overrides the options.
    ///
    /// # Errors
    /// With the place in `text`; messages begin with `name`.
    pub fn render_text(
        &self,
        text: &str,
        name: &str,
        vars: &Vars,
        options: &TemplateOptions,
    ) -> Result<Rendered, TemplateError> {
        let named = |mut e: TemplateError| {
            e.message = format!("{name}: {}", e.message);
            e
        };
        let (body, skipped, options) = check::header(text, options).map_err(named)?;
        let ev = Ev::new(self, vars);
        let result = ev.file_text(body, &options).and_then(|v| ev.text_of_output(&v)).map(|s| Some(Json::String(s)));
        settle(result, &ev).map_err(|mut e| {
            e.span = e.span.map(|s| s.start + skipped..s.end + skipped);
            named(e)
        })
    }

    /// What is secret, and what evaluations made of it so far.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.options.secrets
    }

    /// The compiled form of a template of that syntax, or of an expression.
    fn code(&self, text: &str, syntax: Option<&Arc<Syntax>>) -> R<Arc<Code>> {
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache().by_syntax.get(&syntax.cloned()).and_then(|texts| texts.get(text).cloned());
        if let Some(code) = known {
            return Ok(code);
        }
        let code = Arc::new(match syntax {
            Some(syntax) => lower::template(text, syntax)?,
            None => lower::expression(text)?,
        });
        let mut cache = cache();
        if cache.entries >= CACHE_ENTRIES {
            *cache = Cache::default();
        }
        cache.entries += 1;
        cache.by_syntax.entry(syntax.cloned()).or_default().insert(text.into(), code.clone());
        Ok(code)
    }
}

/// Counts every text in a value as secret.
fn keep_texts(value: &Json, secrets: &Secrets) {
    match value {
        Json::String(text) => secrets.keep(text),
        Json::Array(items) => items.iter().for_each(|item| keep_texts(item, secrets)),
        Json::Object(map) => map.values().for_each(|item| keep_texts(item, secrets)),
        _ => {}
    }
}

type Texts = HashMap<Arc<str>, Arc<Code>>;

/// Compiled texts by how they are read; `None` are bare expressions.
#[derive(Default)]
struct Cache {
    by_syntax: HashMap<Option<Arc<Syntax>>, Texts>,
    entries: usize,
}

fn at(mut e: TemplateError, step: &str) -> TemplateError {
    e.span = None;
    e.via.insert(0, step.to_owned());
    e
}

pub(crate) fn playbook_syntax() -> Syntax {
    Syntax {
        delimiters: source::Delimiters::default(),
        trim_blocks: true,
        lstrip_blocks: false,
        keep_trailing_newline: false,
        keep_backslashes: true,
    }
}

/// Turns the end of an evaluation into what callers see.
fn settle(result: R<Option<Json>>, ev: &Ev<'_>) -> Result<Rendered, TemplateError> {
    let mut because = ev.taken_unknown();
    match result {
        Err(Stop::Unknown(more)) => because.extend(more),
        _ if !because.is_empty() => {}
        Ok(Some(v)) => return Ok(Rendered::Value(v)),
        Ok(None) => return Ok(Rendered::Omit),
        Err(Stop::Error(e)) => return Err(*e),
    }
    Ok(Rendered::Unknown(because.into_iter().collect()))
}
