//! `debug`: says something to the operator.

use rectify_core::module::{Action, Evaluated, ModuleError, Operate, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Prints a message or the value of an expression. It changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debug {
    /// The message; a list is printed line by line. Default: `Hello world!`.
    msg: Option<Value>,
    /// An expression whose value is printed, without braces. Not together with `msg`.
    var: Option<Evaluated>,
    /// Print only with at least this many `-v`. Default: 0.
    #[serde(default)]
    verbosity: u8,
}

impl Action for Debug {
    const KIND: &'static str = "debug";
    const EXPRESSIONS: &'static [&'static str] = &["var"];
    const PURE: bool = true;
    const EXAMPLE: &'static str = "debug:\n  msg: \"this host runs {{ ansible_facts.distribution }}\"\n";

    fn run(&self, _host: &dyn Operate) -> Result<Report, ModuleError> {
        let mut report = Report::looked(Map::new());
        let (key, value, lead) = match (&self.var, &self.msg) {
            (Some(var), _) => (var.text.clone(), var.value.clone(), format!("{}: ", var.text)),
            (None, Some(msg)) => ("msg".to_owned(), msg.clone(), String::new()),
            (None, None) => ("msg".to_owned(), "Hello world!".into(), String::new()),
        };
        report.messages = match &value {
            Value::Array(lines) if self.var.is_none() => lines.iter().map(text).collect(),
            other => text(other)
                .lines()
                .enumerate()
                .map(|(i, l)| if i == 0 { format!("{lead}{l}") } else { l.into() })
                .collect(),
        };
        report.verbosity = self.verbosity;
        report.data.insert(key, value);
        Ok(report)
    }

    fn validate(&self) -> Result<(), String> {
        match (&self.msg, &self.var) {
            (Some(_), Some(_)) => Err("give `msg` or `var`, not both".into()),
            _ => Ok(()),
        }
    }

    fn subject(&self) -> String {
        self.var.as_ref().map(|v| v.text.clone()).unwrap_or_default()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
