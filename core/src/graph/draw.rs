//! The graph for Graphviz and for Mermaid.

use std::fmt::Write;

use super::{Graph, Node, text::title};

/// The longest label; what is longer is cut.
const LABEL: usize = 60;

/// The graph in Graphviz's language: a cluster for each play, an edge from the earlier to the later task, dashed to handlers.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (index, play) in graph.plays.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{index} {{\n    label=\"{}\";", quote_dot(&cut(&play.name)));
        for node in &play.nodes {
            let style = if node.handler { ", style=rounded" } else { "" };
            let tip = quote_dot(&cut(&node.origin.to_string()));
            let (label, module) = (quote_dot(&label(node)), quote_dot(&node.module));
            let _ = writeln!(out, "    t{} [label=\"{label}\\n{module}\", tooltip=\"{tip}\"{style}];", node.task.0);
        }
        let _ = writeln!(out, "  }}");
    }
    edges(graph, |from, to, words| {
        let _ = match words {
            Some(words) => writeln!(out, "  t{from} -> t{to} [label=\"{}\"];", quote_dot(&cut(words))),
            None => writeln!(out, "  t{from} -> t{to} [style=dashed];"),
        };
    });
    out.push_str("}\n");
    out
}

/// The graph in Mermaid's language, for pages that render it: a subgraph for each play.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    for (index, play) in graph.plays.iter().enumerate() {
        let _ = writeln!(out, "  subgraph p{index}[\"{}\"]", quote_mermaid(&cut(&play.name)));
        for node in &play.nodes {
            let (open, close) = if node.handler { ("([", "])") } else { ("[", "]") };
            let (label, module) = (quote_mermaid(&label(node)), quote_mermaid(&node.module));
            let _ = writeln!(out, "    t{}{open}\"{label}<br/>{module}\"{close}", node.task.0);
        }
        let _ = writeln!(out, "  end");
    }
    edges(graph, |from, to, words| {
        let _ = match words {
            Some(words) => writeln!(out, "  t{from} -->|\"{}\"| t{to}", quote_mermaid(&cut(words))),
            None => writeln!(out, "  t{from} -.-> t{to}"),
        };
    });
    out
}

/// Every edge: from the earlier to the later task with the reason, and to notified handlers without one.
fn edges(graph: &Graph, mut edge: impl FnMut(u32, u32, Option<&str>)) {
    for play in &graph.plays {
        for node in &play.nodes {
            for need in &node.needs {
                edge(need.on.0, node.task.0, Some(&need.words));
            }
        }
        for node in play.nodes.iter().filter(|n| !n.notifies.is_empty()) {
            for handler in play.nodes.iter().filter(|h| h.topics.iter().any(|t| node.notifies.contains(t))) {
                edge(node.task.0, handler.task.0, None);
            }
        }
    }
}

fn label(node: &Node) -> String {
    cut(&title(node))
}

fn cut(text: &str) -> String {
    let text = super::text::clean(text);
    if text.chars().count() <= LABEL {
        return text;
    }
    let mut short: String = text.chars().take(LABEL - 1).collect();
    short.push('…');
    short
}

fn quote_dot(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Mermaid has no escapes but HTML's, with `#` for `&`.
fn quote_mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '|' | '[' | ']' | '(' | ')' | '{' | '}' | '`' | '\\' | ';' => {
                let _ = write!(out, "#{};", c as u32);
            }
            other => out.push(other),
        }
    }
    out
}
