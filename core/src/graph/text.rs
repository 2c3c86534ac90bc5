//! The graph as lines for a terminal.

use std::fmt::Write;

use super::{Graph, Node, Play};

/// The graph as text: tasks by level, each with what it waits for and why. Control characters of names are shown as spaces.
pub fn text(graph: &Graph) -> String {
    let mut out = String::new();
    let hosts = graph.hosts.len();
    let shown = graph.hosts.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if hosts > 5 { format!(" and {} more", hosts - 5) } else { String::new() };
    let _ = writeln!(out, "{} host{}: {}{more}", hosts, if hosts == 1 { "" } else { "s" }, clean(&shown));
    for play in &graph.plays {
        let _ = writeln!(out, "\nplay {}", clean(&play.name));
        self::play(graph, play, &mut out);
    }
    out
}

fn play(graph: &Graph, play: &Play, out: &mut String) {
    let mut level = None;
    for node in play.nodes.iter().filter(|n| !n.handler) {
        if level != Some(node.level) {
            let _ = writeln!(out, "  level {}", node.level);
            level = Some(node.level);
        }
        line(graph, node, out);
    }
    if play.nodes.iter().any(|n| n.handler) {
        let _ = writeln!(out, "  handlers, when notified");
        for node in play.nodes.iter().filter(|n| n.handler) {
            line(graph, node, out);
        }
    }
}

fn line(graph: &Graph, node: &Node, out: &mut String) {
    let _ = writeln!(out, "    {}  ({})", title(node), clean(&node.origin.to_string()));
    for need in &node.needs {
        let on = graph.node(need.on).map_or_else(|| format!("task {}", need.on.0), title);
        let _ = writeln!(out, "      after {on}: {}", clean(&need.words));
    }
    if !node.notifies.is_empty() {
        let _ = writeln!(out, "      notifies {}", clean(&node.notifies.join(", ")));
    }
}

/// A node's name with its role; a task without a name is called by its module.
pub(super) fn title(node: &Node) -> String {
    match &node.role {
        Some(role) => format!("{} : {}", clean(role), clean(&node.name)),
        None => clean(&node.name),
    }
}

/// One line without control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
