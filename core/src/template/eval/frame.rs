//! The local names of a template that is running, and its output.

use super::Ev;
use crate::template::error::R;
use crate::template::ir::{Code, Stmt};
use crate::template::value::V;
use indexmap::IndexMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) type Locals = IndexMap<Arc<str>, V>;

/// The names of one template.
pub(crate) struct Frame {
    /// Top-level names; macros of the template see them.
    pub(crate) root: Rc<RefCell<Locals>>,
    scopes: Vec<Locals>,
    pub(crate) blocks: IndexMap<Arc<str>, Vec<Arc<Vec<Stmt>>>>,
    /// Set by `extends`: what to run next.
    pub(crate) parent: Option<Arc<Code>>,
    /// Set by `extends`: the rest of this template only defines.
    pub(crate) silent: bool,
    /// The loads that led here, against templates that include themselves.
    pub(crate) loads: u32,
}

impl Frame {
    pub(crate) fn new() -> Self {
        Frame::over(Rc::default(), Vec::new())
    }

    pub(crate) fn over(root: Rc<RefCell<Locals>>, scopes: Vec<Locals>) -> Self {
        Frame { root, scopes, blocks: IndexMap::new(), parent: None, silent: false, loads: 0 }
    }

    pub(crate) fn add_blocks(&mut self, code: &Code) {
        self.silent = false;
        for (name, body) in &code.blocks {
            self.blocks.entry(name.clone()).or_default().push(body.clone());
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<V> {
        self.scopes.iter().rev().find_map(|s| s.get(name).cloned()).or_else(|| self.root.borrow().get(name).cloned())
    }

    pub(crate) fn set(&mut self, name: Arc<str>, value: V) {
        match self.scopes.last_mut() {
            Some(scope) => scope.insert(name, value),
            None => self.root.borrow_mut().insert(name, value),
        };
    }

    pub(crate) fn push(&mut self) {
        self.scopes.push(Locals::new());
    }

    pub(crate) fn pop(&mut self) {
        self.scopes.pop();
    }

    pub(crate) fn snapshot(&self) -> Vec<Locals> {
        self.scopes.clone()
    }

    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.root.borrow().keys().cloned().collect();
        names.extend(self.scopes.iter().flat_map(|s| s.keys().cloned()));
        names
    }
}

/// What a template has printed: one value keeps its type, several are text.
#[derive(Default)]
pub(crate) struct Out {
    only: Option<V>,
    text: Option<String>,
}

impl Out {
    pub(crate) fn raw(&mut self, ev: &Ev<'_>, s: &Arc<str>) -> R<()> {
        if s.is_empty() {
            return Ok(());
        }
        match &mut self.text {
            Some(text) => {
                ev.room_for(text.len(), s.len())?;
                text.push_str(s);
                Ok(())
            }
            None => self.push(ev, V::Str(s.clone())),
        }
    }

    pub(crate) fn push(&mut self, ev: &Ev<'_>, value: V) -> R<()> {
        if matches!(value, V::None) {
            return Ok(());
        }
        if self.only.is_none() && self.text.is_none() {
            self.only = Some(value);
            return Ok(());
        }
        if self.text.is_none() {
            let first = self.only.take().unwrap_or(V::None);
            self.text = Some(ev.text_of_output(&first)?);
        }
        let addition = ev.text_of_output(&value)?;
        let text = self.text.get_or_insert_default();
        ev.room_for(text.len(), addition.len())?;
        text.push_str(&addition);
        Ok(())
    }

    pub(crate) fn finish(self) -> V {
        match (self.text, self.only) {
            (Some(text), _) => V::str(text),
            (None, Some(value)) => value,
            (None, None) => V::None,
        }
    }
}
