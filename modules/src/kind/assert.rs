//! `assert`: fails unless something holds.

use rectify_core::module::{Action, Evaluated, ModuleError, Operate, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Fails unless all of its expressions hold. It changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assert {
    /// Expressions, without braces, that must all be true.
    that: Vec<Evaluated>,
    /// What is said when one does not hold. Default: the expression.
    fail_msg: Option<String>,
    /// What is said when all hold.
    success_msg: Option<String>,
    /// Say nothing of expressions that hold. Default: false.
    #[serde(default)]
    quiet: bool,
}

impl Action for Assert {
    const KIND: &'static str = "assert";
    const ALIASES: &'static [(&'static str, &'static str)] = &[("msg", "fail_msg")];
    const EXPRESSIONS: &'static [&'static str] = &["that"];
    const PURE: bool = true;
    const EXAMPLE: &'static str = "assert:\n  that:\n    - ansible_facts.os_family in ['Debian', 'RedHat']\n  fail_msg: this playbook is for Debian and RPM hosts\n";

    fn run(&self, _host: &dyn Operate) -> Result<Report, ModuleError> {
        for expression in &self.that {
            let holds = match &expression.value {
                Value::Bool(holds) => *holds,
                other => {
                    return Err(ModuleError::Invalid(format!(
                        "`{}` is {other}, not true or false; write a comparison, or add `| bool`",
                        expression.text
                    )));
                }
            };
            if !holds {
                let mut data = Map::new();
                data.insert("assertion".into(), expression.text.clone().into());
                data.insert("evaluated_to".into(), false.into());
                let message = match &self.fail_msg {
                    Some(said) => format!("{said} (`{}` does not hold)", expression.text),
                    None => format!("`{}` does not hold", expression.text),
                };
                return Err(ModuleError::Failed { message, data });
            }
        }
        let mut report = Report::looked(Map::new());
        let said = self.success_msg.clone().unwrap_or_else(|| "All assertions passed".into());
        if self.success_msg.is_some() && !self.quiet {
            report.messages.push(said.clone());
        }
        report.data.insert("msg".into(), said.into());
        Ok(report)
    }

    fn validate(&self) -> Result<(), String> {
        if self.that.is_empty() { Err("`that` holds no expression".into()) } else { Ok(()) }
    }

    fn subject(&self) -> String {
        self.that.iter().map(|e| e.text.as_str()).collect::<Vec<_>>().join(" and ")
    }
}
