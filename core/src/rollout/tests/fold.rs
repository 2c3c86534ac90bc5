//! What looks came to says the same as the looks.

use jiff::Timestamp;
use proptest::prelude::*;

use crate::{
    module::Blocked,
    rollout::{Counted, Evidence, HostLook, Look},
};

fn host_look() -> impl Strategy<Value = HostLook> {
    let blocked = prop::option::of((0..4u32, 1..9u64).prop_map(|(day, n)| {
        let mut counted = Counted::default();
        counted.take(&Blocked {
            over: 30,
            days: [(format!("2027-01-0{}", day + 1), n)].into(),
            most: vec![("a".into(), n)],
        });
        counted
    }));
    let change = prop::option::of(prop::sample::select(vec!["one".to_owned(), "two".to_owned()]));
    let print = prop::sample::select(vec![None, Some("p".to_owned()), Some("q".to_owned())]);
    let own_skip = prop::sample::select(vec![None, Some(String::new()), Some("/etc/x.conf".to_owned())]);
    (any::<bool>(), change, print, any::<bool>(), blocked, own_skip).prop_map(
        |(enforced, change, print, failed, blocked, own_skip)| HostLook {
            enforced,
            change,
            print,
            failed,
            blocked,
            own_skip,
        },
    )
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let one = (any::<bool>(), prop::collection::btree_map("h[123]", host_look(), 0..3), 1..3u32);
    prop::collection::vec(one, 1..12).prop_map(|all| {
        let made = all.into_iter().zip(1..).map(|((apply, hosts, revision), minute)| Look {
            at: Timestamp::from_second(minute * 60).unwrap(),
            run: format!("run {minute}"),
            setting: "banner".into(),
            revision,
            apply,
            hosts,
        });
        made.collect()
    })
}

proptest! {
    #[test]
    fn folding_at_any_time_changes_nothing_that_is_known(looks in looks(), at in 0..12usize) {
        let text = |looks: &[Look]| looks.iter().map(Look::to_line).collect::<String>();
        let whole = Evidence::parse(&text(&looks)).unwrap();
        let (before, after) = looks.split_at(at.min(looks.len()));
        let folded = Evidence::parse(&text(before)).unwrap().folded();
        prop_assert_eq!(Evidence::parse(&(folded + &text(after))).unwrap(), whole);
    }
}
