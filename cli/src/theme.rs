//! Meanings and their colours: the only place that knows a colour.

use console::{Style, StyledObject};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// As declared.
    Ok,
    /// Changed, or would be.
    Changed,
    /// Cannot be known.
    Unsure,
    /// Failed, or unreachable.
    Failed,
    /// Did not run.
    Skipped,
    /// Found, not repaired.
    Finding,
    /// A host's name.
    Host,
    /// A file and line.
    Path,
    /// What to do next.
    Hint,
    /// A heading.
    Heading,
    /// A line that is added.
    Added,
    /// A line that is removed.
    Removed,
    /// Blanks at the end of a line that is added.
    AddedBlank,
    /// Blanks at the end of a line that is removed.
    RemovedBlank,
    /// Of little weight.
    Quiet,
}

/// Whether, and how, text is coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    colour: bool,
}

impl Theme {
    /// With colours or without.
    pub(crate) fn new(colour: bool) -> Self {
        Theme { colour }
    }

    /// Whether text is coloured.
    pub(crate) fn is_coloured(self) -> bool {
        self.colour
    }

    /// `text` in the colour of its meaning.
    pub(crate) fn paint<D: std::fmt::Display>(self, meaning: Meaning, text: D) -> StyledObject<D> {
        let style = match meaning {
            Meaning::Ok => Style::new().green(),
            Meaning::Changed => Style::new().yellow(),
            Meaning::Unsure => Style::new().magenta(),
            Meaning::Failed => Style::new().red().bold(),
            Meaning::Skipped | Meaning::Quiet => Style::new().dim(),
            Meaning::Finding => Style::new().magenta().bold(),
            Meaning::Host => Style::new().bold(),
            Meaning::Path => Style::new().cyan(),
            Meaning::Hint => Style::new().blue().bold(),
            Meaning::Heading => Style::new().bold(),
            Meaning::Added => Style::new().green(),
            Meaning::Removed => Style::new().red(),
            Meaning::AddedBlank => Style::new().on_green(),
            Meaning::RemovedBlank => Style::new().on_red(),
        };
        style.force_styling(self.colour).apply_to(text)
    }
}
