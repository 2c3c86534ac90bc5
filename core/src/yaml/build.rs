//! Events to a tree.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span as Raw, StructureStyle};

use super::{Kind, Node, Resolved, Scalar, Style, Tag, finish, resolve::resolve};
use crate::diag::{Diagnostic, FileId, Span, did_you_mean};

/// How many nodes the aliases of one file may stand for altogether; a bomb of nested aliases stops here.
const MAX_ALIASED: usize = 200_000;

/// What one pass over a text found.
pub(super) struct Pass {
    pub(super) docs: Vec<Node>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) stopped: Option<Stop>,
}

/// Where and why a pass stopped.
pub(super) struct Stop {
    pub(super) error: ScanError,
    /// First byte of the innermost `[` or `{` that was open.
    pub(super) open: Option<usize>,
}

/// Reads a text to its end or to the first syntax error.
pub(super) fn pass(text: &str, file: FileId) -> Pass {
    let mut options = Options::default();
    options.emit_comments = false;
    options.emit_anchor_events = true;
    options.emit_unresolved_aliases = true;
    let mut build = Builder { file, text_len: text.len(), ..Builder::default() };
    let mut stopped = None;
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, raw)) => build.event(event, raw),
            Err(error) => {
                let open = build.frames.last().filter(|f| f.flow).map(|f| f.span.start as usize);
                stopped = Some(Stop { error, open });
                break;
            }
        }
    }
    while !build.frames.is_empty() {
        build.close(None);
    }
    Pass { docs: build.docs, problems: build.problems, stopped }
}

struct Frame {
    span: Span,
    tag: Option<Box<Tag>>,
    anchor: usize,
    size: usize,
    nodes: Vec<Node>,
    map: bool,
    flow: bool,
}

#[derive(Default)]
struct Builder {
    file: FileId,
    text_len: usize,
    frames: Vec<Frame>,
    docs: Vec<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    names: Vec<String>,
    aliased: usize,
    problems: Vec<Diagnostic>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, raw: Raw) {
        let span = self.span(raw);
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.names.clear();
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|t| self.tag(&t, raw, span));
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let value = if style == Style::Plain { resolve(&text) } else { Resolved::Str };
                let mut node = Node { span, kind: Kind::Scalar(Scalar { text: text.into_owned(), style, value }), tag };
                finish::scalar(&mut node, &mut self.problems);
                self.add(node, 1, anchor);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let tag = tag.map(|t| self.tag(&t, raw, span));
                self.frames.push(Frame {
                    span,
                    tag,
                    anchor,
                    size: 1,
                    nodes: vec![],
                    map: false,
                    flow: style == StructureStyle::Flow,
                });
            }
            Event::MappingStart(style, anchor, tag) => {
                let tag = tag.map(|t| self.tag(&t, raw, span));
                self.frames.push(Frame {
                    span,
                    tag,
                    anchor,
                    size: 1,
                    nodes: vec![],
                    map: true,
                    flow: style == StructureStyle::Flow,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(Some(span)),
            Event::Anchor(_, name) => self.names.push(name.into_owned()),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let mut problem =
                    Diagnostic::error("yaml-alias", format!("no anchor `&{name}` above this alias")).at(span, "");
                if let Some(near) = did_you_mean(&name, self.names.iter().map(String::as_str)) {
                    problem = problem.suggest(span, format!("*{near}"), "an anchor with a similar name exists");
                }
                self.problems.push(problem);
                self.add(Node::null(span), 1, 0);
            }
            _ => {}
        }
    }

    fn alias(&mut self, id: usize, span: Span) {
        let node = match self.anchors.get(&id) {
            // Not kept, because the budget was used up: said already.
            None if !self.frames.iter().any(|f| f.anchor == id) => None,
            None => {
                let text = "an alias cannot refer to the node that contains it";
                self.problems.push(Diagnostic::error("yaml-alias", text).at(span, ""));
                None
            }
            Some((_, size)) if self.aliased + size > MAX_ALIASED => {
                if self.aliased <= MAX_ALIASED {
                    let text = format!("aliases stand for more than {MAX_ALIASED} nodes");
                    self.problems.push(Diagnostic::error("yaml-alias", text).at(span, "from here on"));
                    self.aliased = MAX_ALIASED + 1;
                }
                None
            }
            Some((node, size)) => {
                self.aliased += size;
                Some((node.clone(), *size))
            }
        };
        let (node, size) = node.unwrap_or((Node::null(span), 1));
        self.add(node, size, 0);
    }

    /// Closes the innermost collection; without an end (the text stopped) it ends with its last child.
    fn close(&mut self, end: Option<Span>) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let Frame { mut span, tag, anchor, size, nodes, map, .. } = frame;
        if let Some(last) = nodes.last() {
            span = span.to(last.span);
        }
        // A flow collection ends with its bracket; the end of a block one is somewhere in the next line.
        if let Some(end) = end.filter(|e| e.end > e.start) {
            span = span.to(end);
        }
        let kind = if map {
            let mut entries = Vec::with_capacity(nodes.len() / 2);
            let mut nodes = nodes.into_iter();
            while let Some(key) = nodes.next() {
                let value = nodes.next().unwrap_or_else(|| Node::null(key.span));
                entries.push((key, value));
            }
            Kind::Map(finish::mapping(entries, span, &mut self.problems))
        } else {
            Kind::Seq(nodes)
        };
        let node = Node { span, kind, tag };
        finish::collection(&node, &mut self.problems);
        self.add(node, size, anchor);
    }

    fn add(&mut self, node: Node, size: usize, anchor: usize) {
        if anchor != 0 {
            // Anchors within anchors are copies too.
            self.aliased += if self.frames.iter().any(|f| f.anchor != 0) { size } else { 0 };
            if self.aliased <= MAX_ALIASED {
                self.anchors.insert(anchor, (node.clone(), size));
            }
        }
        match self.frames.last_mut() {
            Some(frame) => {
                frame.size += size;
                frame.nodes.push(node);
            }
            None => self.docs.push(node),
        }
    }

    fn tag(&self, tag: &granit_parser::Tag, raw: Raw, node: Span) -> Box<Tag> {
        let span = raw.tag_span().map_or(node.head(), |s| self.span(s));
        let name = format!("{}{}", tag.handle(), tag.suffix());
        let name = if name == "!vault-encrypted" { "!vault".to_owned() } else { name };
        Box::new(Tag { name, span })
    }

    fn span(&self, raw: Raw) -> Span {
        let range = raw.byte_range().unwrap_or(0..0);
        Span::new(self.file, range.start.min(self.text_len), range.end.min(self.text_len))
    }
}
