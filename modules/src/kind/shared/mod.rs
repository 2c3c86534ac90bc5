//! What several modules have in common.

pub(crate) mod apache;
pub(crate) mod attrs;
pub(crate) mod clock;
pub(crate) mod continued;
pub(crate) mod digest;
pub(crate) mod edit;
pub(crate) mod glob;
pub(crate) mod kept;
pub(crate) mod mode;
pub(crate) mod packages;
pub(crate) mod paths;
pub(crate) mod place;
pub(crate) mod stat;
pub(crate) mod tree;
#[cfg(test)]
pub(crate) mod trial;
#[cfg(all(test, feature = "fake"))]
pub(crate) mod twice;
pub(crate) mod validate;
