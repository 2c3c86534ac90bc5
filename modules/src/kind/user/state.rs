//! An account as a person sees it.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::password::Hidden;
use crate::kind::shared::clock;

/// An account; what is `None` is left to the system, or is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct State {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    /// Sorted, without the primary one.
    pub(super) groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) home: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) home_folder: Option<Folder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shell: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Hidden>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) locked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Expiry>,
    /// The number of the primary group, as it was seen.
    #[serde(skip)]
    pub(super) gid: Option<u32>,
}

/// Whether a home folder is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Folder {
    Present,
    Missing,
}

impl From<bool> for Folder {
    fn from(there: bool) -> Self {
        if there { Folder::Present } else { Folder::Missing }
    }
}

/// When an account expires: days since 1970, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expiry(pub(super) Option<i64>);

impl Expiry {
    /// The day of a time in seconds since 1970; a negative one is never.
    pub(super) fn at(seconds: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "whole days are wanted, and a cast of a float saturates")]
        let day = (seconds / 86_400.0).floor() as i64;
        Expiry((seconds >= 0.0).then_some(day))
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => to.serialize_str("never"),
            Some(day) => {
                let time = clock::stamp(day.saturating_mul(86_400));
                to.serialize_str(time.split('@').next().unwrap_or_default())
            }
        }
    }
}
