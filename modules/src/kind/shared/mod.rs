//! What several modules have in common.

pub(crate) mod attrs;
pub(crate) mod mode;
