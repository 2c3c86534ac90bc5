//! What several modules have in common.

pub(crate) mod apache;
pub(crate) mod attrs;
pub(crate) mod mode;
pub(crate) mod packages;
#[cfg(test)]
pub(crate) mod trial;
