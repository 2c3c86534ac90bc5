//! Small things that many pages show: states, times, differences.

mod badge;
mod difference;
mod time;

pub(super) use badge::Badge;
pub(super) use difference::DiffView;
pub(super) use time::{When, lasted, stamp};

use super::guard::Who;

/// What the frame around every page needs.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// What the page is about.
    pub(super) title: String,
    /// Which part of the navigation it belongs to.
    pub(super) part: &'static str,
    /// Who looks at it, where somebody had to log in.
    pub(super) who: Option<Who>,
    /// Now: microseconds since 1970, UTC.
    pub(super) now: i64,
    /// Seconds after which what it shows is asked for again; 0: never.
    pub(super) refresh: u32,
}

impl Frame {
    pub(super) fn when(&self, at: &i64) -> When {
        When { at: *at, now: self.now }
    }

    /// Whether the visitor may do something.
    pub(super) fn operates(&self) -> bool {
        self.who.as_ref().is_some_and(Who::operates)
    }

    /// What every form carries; empty where nobody may do anything.
    pub(super) fn csrf(&self) -> &str {
        self.who.as_ref().map_or("", |who| who.csrf.as_str())
    }
}
