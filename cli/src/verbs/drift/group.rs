//! The same drift on several hosts is told once.

use rectify_core::drift::Cause;
use rectify_server::drift::{Fixed, Open};

/// One difference, and the hosts that have it.
#[derive(Debug)]
pub(super) struct Same<'a> {
    pub(super) first: &'a Open,
    pub(super) hosts: Vec<&'a Open>,
}

/// What differs for one cause, what most hosts have first.
pub(super) fn of_cause(open: &[Open], cause: Cause) -> Vec<Same<'_>> {
    let alike = |one: &Open, other: &Open| {
        let (a, b) = (&one.known, &other.known);
        one.key == other.key
            && (&a.difference, &a.seen, &a.wanted, &a.left) == (&b.difference, &b.seen, &b.wanted, &b.left)
    };
    let mut all: Vec<Same<'_>> = Vec::new();
    for item in open.iter().filter(|item| item.known.cause == cause) {
        match all.iter_mut().find(|same| alike(same.first, item)) {
            Some(same) => same.hosts.push(item),
            None => all.push(Same { first: item, hosts: vec![item] }),
        }
    }
    all.sort_by(|a, b| (b.hosts.len(), &a.first.key).cmp(&(a.hosts.len(), &b.first.key)));
    all
}

/// What is as wanted again: which item, what it had been, and on which hosts.
pub(super) fn fixed(all: &[Fixed]) -> Vec<(&Fixed, Vec<&str>)> {
    let mut out: Vec<(&Fixed, Vec<&str>)> = Vec::new();
    for item in all {
        match out.iter_mut().find(|(first, _)| (&first.key, first.was) == (&item.key, item.was)) {
            Some((_, hosts)) => hosts.push(&item.host),
            None => out.push((item, vec![&item.host])),
        }
    }
    out
}
