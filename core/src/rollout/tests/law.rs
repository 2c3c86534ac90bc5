//! For any order of edits, dates, deliveries and failures, no host gets a change that its owner was not told of in time, unless forced.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Days(u8),
    Announce { owner: usize, hosts: u8, step: usize },
    Deliver { message: usize, address: usize },
    Edit(u8),
    Advance(usize),
    Force(usize, u8),
    Move { host: usize, owner: usize },
    Object,
}

const STEPS: [&str; 5] = ["announced", "opt-out 5%", "opt-out 50%", "opt-out", "mandatory"];
const OWNERS: [&str; 2] = ["alpha", "beta"];
const NAMES: [&str; 6] = ["a1", "a2", "a3", "b1", "b2", "b3"];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..20_u8).prop_map(Act::Days),
        4 => (0..2_usize, any::<u8>(), 0..5_usize).prop_map(|(owner, hosts, step)| Act::Announce { owner, hosts, step }),
        6 => (0..8_usize, 0..2_usize).prop_map(|(message, address)| Act::Deliver { message, address }),
        1 => (0..3_u8).prop_map(Act::Edit),
        3 => (0..5_usize).prop_map(Act::Advance),
        1 => (0..5_usize, any::<u8>()).prop_map(|(step, hosts)| Act::Force(step, hosts)),
        1 => (0..6_usize, 0..2_usize).prop_map(|(host, owner)| Act::Move { host, owner }),
        1 => Just(Act::Object),
    ]
}

fn picked(hosts: u8) -> Vec<&'static str> {
    NAMES.iter().enumerate().filter(|(i, _)| hosts & (1 << i) != 0).map(|(_, h)| *h).collect()
}

/// What the law needs to know, kept apart from what is tested: who was told of what, when, at which addresses.
#[derive(Default)]
struct Ledger {
    sent: Vec<Sent>,
    forced: BTreeSet<(String, String)>,
}

struct Sent {
    id: String,
    owner: &'static str,
    hosts: Vec<&'static str>,
    print: String,
    reached: BTreeMap<usize, Timestamp>,
}

impl Ledger {
    fn told(&self, host: &str, owner: &str, print: &str, now: Timestamp) -> bool {
        let addresses = if owner == "beta" { 2 } else { 1 };
        let in_time = |sent: &Sent| {
            sent.owner == owner
                && sent.hosts.contains(&host)
                && sent.print == print
                && sent.reached.len() == addresses
                && sent.reached.values().all(|at| now.duration_since(*at) >= SignedDuration::from_hours(14 * 24))
        };
        self.forced.contains(&(host.to_owned(), print.to_owned())) || self.sent.iter().any(in_time)
    }
}

fn step(world: &mut World, ledger: &mut Ledger, owners: &mut [&'static str; 6], act: &Act) {
    match act {
        Act::Days(days) => {
            world.now = world.now.checked_add(SignedDuration::from_hours(i64::from(*days) * 24)).unwrap();
        }
        Act::Announce { owner, hosts, step } => {
            let (owner, hosts) = (OWNERS[*owner], picked(*hosts));
            let id = world.announce(owner, &hosts, STEPS[*step]);
            // News of `announced` alone says nothing of a change.
            if *step > 0 {
                ledger.sent.push(Sent { id, owner, hosts, print: world.print.clone(), reached: BTreeMap::new() });
            }
        }
        Act::Deliver { message, address } => {
            let Some(sent) = ledger.sent.get_mut(*message) else { return };
            let addresses = world.addresses(sent.owner);
            let address = address % addresses.len();
            sent.reached.entry(address).or_insert(world.now);
            let (of, to) = (sent.id.clone(), addresses[address].clone());
            world.write(Entry::Delivered { of, to });
        }
        Act::Edit(print) => world.print = format!("p{print}"),
        Act::Advance(step) => world.advance(STEPS[*step]),
        Act::Force(step, hosts) => {
            let print = world.print.clone();
            let hosts: BTreeMap<String, String> =
                picked(*hosts).into_iter().map(|h| (h.to_owned(), print.clone())).collect();
            ledger.forced.extend(hosts.clone());
            let to = STEPS[*step].parse().unwrap();
            let forced = Some("because".to_owned());
            world.write(Entry::Advance { setting: "frames".into(), revision: 1, to, forced, hosts });
        }
        Act::Move { host, owner } => {
            owners[*host] = OWNERS[*owner];
            let lines = NAMES.iter().zip(owners.iter()).map(|(h, o)| format!("    {h}: {{owner: {o}}}\n"));
            let head = HOSTS.split("    a1").next().unwrap();
            world.inventory = World::new(FRAMES, &format!("{head}{}", lines.collect::<String>())).inventory;
        }
        Act::Object => {
            world.write(Entry::Objection {
                setting: "frames".into(),
                revision: 1,
                owner: "beta".into(),
                reason: "no".into(),
            });
        }
    }
}

proptest! {
    #[test]
    fn no_host_gets_a_change_that_its_owner_was_not_told_of_in_time(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new(FRAMES, HOSTS);
        let mut ledger = Ledger::default();
        let mut owners = ["alpha", "alpha", "alpha", "beta", "beta", "beta"];
        for act in &acts {
            step(&mut world, &mut ledger, &mut owners, act);
            for host in world.enforced() {
                let owner = owners[NAMES.iter().position(|n| *n == host).unwrap()];
                prop_assert!(ledger.told(host, owner, &world.print, world.now), "{host} after {act:?}");
            }
        }
    }
}

#[test]
fn the_law_is_not_empty() {
    // The same machinery reaches enforcement, so that the law above has something to speak about.
    let mut world = World::new(FRAMES, HOSTS);
    world.tell_all("opt-out");
    world.on("2027-03-01").advance("opt-out");
    assert_eq!(world.enforced().len(), 6);
}
