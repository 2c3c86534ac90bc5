//! `rectify inventory`: what the inventory says, in the words of `ansible-inventory`.

use std::path::PathBuf;

use rectify_core::diag::{Diagnostic, Diagnostics, SourceMap};
use rectify_core::inventory::{Files, Inventory, Limit, Options, PatternError, Selection, View, load};
use rectify_core::yaml;
use serde_json::{Map, Value};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The `-i` options.
    pub sources: Vec<String>,
    /// `--limit`: narrows `What::List` and `What::Hosts`.
    pub limit: Option<String>,
    /// What to show.
    pub what: What,
    /// Write YAML instead of JSON.
    pub yaml: bool,
    /// Show variables where they are set instead of merged per host.
    pub export: bool,
    /// `-e`.
    pub extra_vars: Map<String, Value>,
    /// `--playbook-dir`; the current directory unless given, as with `ansible-inventory`.
    pub playbook_dir: Option<PathBuf>,
    /// The current directory.
    pub cwd: PathBuf,
}

/// What to show.
#[derive(Clone, Debug, Default)]
pub enum What {
    /// All groups, and the variables of all hosts.
    #[default]
    List,
    /// The tree of groups and hosts below a group.
    Graph {
        /// Where to start: `all`, unless asked otherwise.
        group: String,
        /// Variables too.
        vars: bool,
    },
    /// The variables of the one host that this pattern means.
    Host {
        /// The pattern.
        pattern: String,
        /// Where each value was set and what it replaced, instead of the values alone.
        origins: bool,
    },
    /// The names of the hosts that a pattern chooses, one a line.
    Hosts(String),
}

/// What goes to stdout; problems are added to `found`, and with errors among them there is nothing to print.
pub fn run(query: &Query, files: &dyn Files, map: &mut SourceMap, found: &mut Diagnostics) -> Option<String> {
    let playbook_dir = query.playbook_dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let options = Options { sources: query.sources.clone(), playbook_dirs: vec![playbook_dir], cwd: query.cwd.clone() };
    let inventory = load(files, &options, map, found);
    if found.has_errors() {
        return None;
    }
    match view(query, files, &inventory, map) {
        Ok(text) => Some(text),
        Err(problem) => {
            found.push(*problem);
            None
        }
    }
}

fn view(query: &Query, files: &dyn Files, inventory: &Inventory, map: &SourceMap) -> Result<String, Box<Diagnostic>> {
    let read = |path: &str| {
        let bytes = files.read(path.as_ref())?;
        String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "not UTF-8 text"))
    };
    let limit = query.limit.as_deref().map(|l| Limit::parse(l, read)).transpose().map_err(problem)?;
    let select = |pattern: &str| inventory.select(pattern, limit.as_ref()).map_err(problem);
    let mut view = View {
        only: None,
        export: query.export,
        beside_playbooks: query.playbook_dir.is_some(),
        extra_vars: Some(&query.extra_vars),
    };
    match &query.what {
        What::Host { pattern, origins: asked } => {
            let host = one(&inventory.select(pattern, None).map_err(problem)?, pattern)?;
            if *asked {
                return Ok(origins(inventory, map, host, &query.extra_vars));
            }
            Ok(data(&Value::Object(inventory.host_object(host, &view)), query.yaml))
        }
        What::Hosts(pattern) => Ok(select(pattern)?.hosts.iter().map(|h| format!("{h}\n")).collect()),
        What::Graph { group, vars } => {
            let graph = inventory.graph(group, *vars, &view);
            let unknown = || Box::new(Diagnostic::error("inventory-group", format!("there is no group `{group}`")));
            graph.map(|text| text + "\n").ok_or_else(unknown)
        }
        What::List => {
            let only = query.limit.as_ref().map(|_| select("all")).transpose()?;
            view.only = only.as_ref();
            let value = if query.yaml { inventory.list_tree(&view) } else { inventory.list(&view) };
            Ok(data(&value, query.yaml))
        }
    }
}

fn one<'a>(chosen: &Selection<'a>, pattern: &str) -> Result<&'a str, Box<Diagnostic>> {
    match chosen.hosts.as_slice() {
        [host] => Ok(host),
        hosts => {
            let text = format!("--host needs a single host, `{pattern}` means {}", hosts.len());
            Err(Box::new(Diagnostic::error("inventory-host", text)))
        }
    }
}

/// Every variable with its place, and below it the places that it overrides, strongest first.
fn origins(inventory: &Inventory, map: &SourceMap, host: &str, extra: &Map<String, Value>) -> String {
    let mut names: Vec<&str> = inventory.merged(host).unwrap_or_default().into_keys().collect();
    names.extend(extra.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    let mut out = String::new();
    for name in names {
        let given = extra.get(name);
        if let Some(value) = given {
            out += &format!("{name} = {value}    -e\n");
        }
        let first = usize::from(given.is_some());
        for (at, var) in (first..).zip(inventory.history(host, name).into_iter().rev()) {
            let value = if var.secret { "(secret)".to_owned() } else { var.value.to_string() };
            let indent = if at == 0 { "" } else { "  replaces " };
            out += &format!("{indent}{name} = {value}    {}\n", map.location(var.at));
        }
    }
    out
}

fn data(value: &Value, as_yaml: bool) -> String {
    if as_yaml { yaml::emit(value) } else { format!("{value:#}\n") }
}

fn problem(error: PatternError) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("host-pattern", error.to_string()))
}
