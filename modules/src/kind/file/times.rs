//! `modification_time` and `access_time`.

use rectify_core::module::Meta;

use super::{
    super::shared::clock::{self, SECOND},
    File, Wish,
};

/// The times that are wanted, in seconds since 1970; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) modification: Option<i64>,
    pub(super) access: Option<i64>,
}

impl Times {
    pub(super) fn shown_modification(self) -> Option<String> {
        self.modification.map(clock::show)
    }

    pub(super) fn shown_access(self) -> Option<String> {
        self.access.map(clock::show)
    }

    /// What is to be set on something with these times.
    pub(super) fn missing(self, meta: &Meta) -> (Option<i64>, Option<i64>) {
        let set = |wanted: Option<i64>, now: i64| {
            wanted.filter(|w| *w != now.div_euclid(SECOND)).and_then(|w| w.checked_mul(SECOND))
        };
        (set(self.modification, meta.mtime), set(self.access, meta.atime))
    }
}

impl File {
    /// The times that the task asks for, if `now` is this.
    pub(super) fn times(&self, now: i64) -> Result<Times, String> {
        let read = |argument: &str, given: Option<&str>, format: Option<&str>| match given {
            Some("now") => Ok(Some(now)),
            Some("preserve") => Ok(None),
            None => Ok((self.state == Some(Wish::Touch)).then_some(now)),
            Some(text) => clock::parse(text, format.unwrap_or("%Y%m%d%H%M.%S"))
                .map(Some)
                .map_err(|e| format!("{argument}: {e}; `now` and `preserve` are the other choices")),
        };
        Ok(Times {
            modification: read(
                "modification_time",
                self.modification_time.as_deref(),
                self.modification_time_format.as_deref(),
            )?,
            access: read("access_time", self.access_time.as_deref(), self.access_time_format.as_deref())?,
        })
    }
}
