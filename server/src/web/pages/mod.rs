//! What is shown, page by page.

mod fleet;
mod host;
mod log;
mod run;
mod schedule;
mod setting;

use serde::Deserialize;

pub(super) use fleet::fleet;
pub(super) use host::{ItemView, host};
pub(super) use log::{actions, notices};
pub(super) use run::{run, runs};
pub(super) use schedule::{schedule, schedules};
pub(super) use setting::{setting, settings};

use super::{answer::encoded, db::Edge};

/// Where a list goes on.
#[derive(Debug, Clone, Default, Deserialize)]
struct At {
    after: Option<String>,
    before: Option<String>,
}

impl At {
    fn edge(&self) -> Option<Edge> {
        let given = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
        given(&self.after).map(Edge::After).or_else(|| given(&self.before).map(Edge::Before))
    }
}

/// A place in a list of moments: microseconds, and an id that tells two of one moment apart.
fn moment(text: Option<&str>) -> Option<(i64, String)> {
    let (at, id) = text?.split_once('~')?;
    Some((at.parse().ok()?, id.to_owned()))
}

/// The link to what is earlier than the last row that is shown, if anything is; `rest` is what else is asked for.
fn earlier<T>(more: bool, rows: &[T], of: impl Fn(&T) -> (i64, &str), path: &str, rest: &str) -> Option<String> {
    let (at, id) = rows.last().filter(|_| more).map(of)?;
    let and = if rest.is_empty() { "" } else { "&" };
    Some(format!("{path}?before={at}~{}{and}{rest}", encoded(id)))
}

/// A query of the pairs that say something.
fn query(pairs: &[(&str, &str)]) -> String {
    let said = pairs.iter().filter(|(_, value)| !value.is_empty());
    let all: Vec<String> = said.map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    all.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_lists_survive_a_link() {
        let link = |more, rest| earlier(more, &[(9, "x"), (7, "r/1/2")], |row| *row, "/runs", rest);
        assert_eq!(link(true, "").as_deref(), Some("/runs?before=7~r%2F1%2F2"));
        assert_eq!(link(true, "mode=check").as_deref(), Some("/runs?before=7~r%2F1%2F2&mode=check"));
        assert_eq!(link(false, ""), None);
        assert_eq!(moment(Some("7~r/1/2")), Some((7, "r/1/2".to_owned())));
        for wrong in [None, Some(""), Some("7"), Some("x~y"), Some("99999999999999999999~y")] {
            assert_eq!(moment(wrong), None);
        }
        assert_eq!(query(&[("q", "a b"), ("state", ""), ("group", "w&x")]), "q=a%20b&group=w%26x");
    }
}
