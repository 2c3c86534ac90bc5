//! Rollouts: settings whose default moves over a fleet from opt-in to mandatory, announced to the people affected.
//!
//! ```text
//! rollouts.yml ──► read ──► Rollouts ─┐
//! inventory ─────► claims, people ────┼──► stance: what a host does, and why      (every run)
//! rollouts.jsonl ► journal ─► History ┤
//! evidence ──────► Evidence ──────────┴──► gate: what the next step still lacks   (advance)
//! ```
//!
//! Nothing here reads a file or a clock: the time is an argument, so that every rule can be tested at any date.

mod about;
mod attend;
mod claims;
mod due;
mod evidence;
mod fingerprint;
mod gate;
mod gather;
mod index;
mod journal;
mod jsonl;
mod model;
mod news;
mod people;
mod position;
mod read;
mod skips;
mod stance;

pub use about::{About, Reader, StepNews};
pub use attend::{attend, prints};
pub use claims::{Claim, Claims, Skip, claims};
pub use evidence::{Counted, Evidence, HostEvidence, HostLook, Look};
pub use fingerprint::fingerprint;
pub use gate::{Gate, Missing, Subject, gate};
pub use gather::Gather;
pub use journal::{Entry, Item, Journal, Purpose, Record};
pub use jsonl::BrokenLine;
pub use model::{
    Direction, Emergency, Freeze, Limits, Notice, Revision, Rollouts, Setting, Stage, Step, StepName, UnknownStep,
};
pub use news::{Done, HostNews, News, Newsroom, Seen, SettingNews, SkipNews, TaskChange, meaning};
pub use people::{Contact, Person, contacts, owners};
pub use position::{Affected, Told, WhyNotTold};
pub use read::read;
pub use skips::{SkipUse, Undocumented, Use, import_lines, note_skips, own_skips, skip_uses, undocumented};
pub use stance::{Assume, Link, Mode, Prints, Reason, Stance, View};

#[cfg(test)]
mod tests;
