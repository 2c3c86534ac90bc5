//! `loop`, `with_items`, `with_dict`, `with_list` and `loop_control`.

use super::{
    keys::Place,
    loader::Loader,
    model::Use,
    read::{is_identifier, templated, word},
};
use crate::{
    arg::Arg,
    diag::Diagnostic,
    plan::Loop,
    yaml::{Kind, Node},
};

/// Whether a key is a loop that is supported.
pub(crate) fn is_loop(key: &str) -> bool {
    super::keys::LOOPS.contains(&key)
}

impl Loader<'_> {
    /// Reads a loop with its control; one that is wrong is empty.
    pub(crate) fn read_loop(&mut self, key: &Node, value: &Node, control: Option<&Node>, uses: &mut Vec<Use>) -> Loop {
        let name = word(key);
        self.templates(value, uses);
        let over = match (&value.kind, name) {
            (Kind::Seq(_), "with_dict") => {
                self.push(value.expected("a mapping"));
                Arg::List(Vec::new())
            }
            (Kind::Map(_), "with_dict") | (Kind::Seq(_), _) => self.arg(value),
            (Kind::Scalar(s), _) if templated(&s.text) => Arg::Template(s.text.clone()),
            (Kind::Scalar(_), "with_items" | "with_flattened") if value.as_str().is_some() => {
                Arg::List(vec![self.arg(value)])
            }
            _ => {
                let expected = if name == "with_dict" { "a mapping" } else { "a list" };
                let mut problem = value.expected(expected);
                if let Some(text) = value.as_str().filter(|t| is_identifier(t)) {
                    problem = problem.suggest(
                        value.span,
                        format!("\"{{{{ {text} }}}}\""),
                        format!("to loop over the variable `{text}`, write a template"),
                    );
                }
                self.push(problem);
                Arg::List(Vec::new())
            }
        };
        let mut out = Loop {
            over,
            flatten: matches!(name, "with_items" | "with_flattened"),
            dict: name == "with_dict",
            ..no_items()
        };
        if let Some(control) = control {
            self.loop_control(control, &mut out, uses);
        }
        out
    }

    /// What stands for a loop that is not supported, so that its variable is known.
    pub(crate) fn refused_loop(&mut self, control: Option<&Node>) -> Loop {
        let mut out = no_items();
        if let Some(control) = control {
            self.loop_control(control, &mut out, &mut Vec::new());
        }
        out
    }

    fn loop_control(&mut self, control: &Node, out: &mut Loop, uses: &mut Vec<Use>) {
        for (key, value) in self.entries(control, "a mapping") {
            match word(key) {
                "loop_var" => out.var = self.variable(value).unwrap_or_else(|| out.var.clone()),
                "index_var" => out.index_var = self.variable(value),
                "label" => {
                    self.templates(value, uses);
                    out.label = match &value.kind {
                        Kind::Scalar(_) => value.as_str().map(str::to_owned),
                        _ => Some(value.to_json().to_string()),
                    };
                }
                "pause" | "extended" => {
                    let message = format!("`loop_control: {}` is not supported", word(key));
                    let help = if word(key) == "pause" { "leave it out" } else { "use `index_var`" };
                    self.push(Diagnostic::error("unsupported", message).at(key.span, "").help(help));
                }
                _ => self.unknown_key(key, Place::LoopControl),
            }
        }
    }

    fn variable(&mut self, value: &Node) -> Option<String> {
        let name = self.fixed_text(value, "a variable's name")?;
        if is_identifier(&name) {
            return Some(name);
        }
        self.push(value.error("variable-name", format!("`{name}` is not a name for a variable")));
        None
    }
}

fn no_items() -> Loop {
    Loop { over: Arg::List(Vec::new()), flatten: false, dict: false, var: "item".into(), index_var: None, label: None }
}
