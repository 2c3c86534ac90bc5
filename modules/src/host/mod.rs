//! The three hosts behind one contract.

pub mod as_user;
mod behind;
#[cfg(feature = "fake")]
pub mod fake;
pub(crate) mod kept;
pub mod live;
pub(crate) mod recorded;
pub mod rehearsal;

/// The kinds of units, as the ends of their names (systemd.unit(5)); a name without one means a service.
pub(crate) const UNIT_SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];
