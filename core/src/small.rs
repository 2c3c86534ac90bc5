//! What the standard library does faster with more code. The helper travels: here one sort, of positions, is compiled for all
//! types, where each type's own sort is 4 KB. Filling a tree by `collect` sorts as well, so [`gather`] does not.

use std::cmp::Ordering;

/// Sorts; what is equal stays in its order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts by a key; what is equal stays in its order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a comparison; what is equal stays in its order. A comparison that is no order gives some order, where the
/// standard library's sort may panic.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let order = order(items.len(), &mut |a, b| compare(&items[a], &items[b]));
    bring(order, &mut |a, b| items.swap(a, b));
}

/// The positions, in the order in which their items are to stand: sorted by merging.
fn order(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut width = 1;
    while width < count {
        let mut merged = Vec::with_capacity(count);
        for part in order.chunks(2 * width) {
            let (mut left, mut right) = part.split_at(width.min(part.len()));
            while let ([a, rest_left @ ..], [b, rest_right @ ..]) = (left, right) {
                if compare(*b, *a) == Ordering::Less {
                    merged.push(*b);
                    right = rest_right;
                } else {
                    merged.push(*a);
                    left = rest_left;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        order = merged;
        width *= 2;
    }
    order
}

/// Swaps items until each stands where `order` has it.
fn bring(order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    let mut goal = vec![0; order.len()];
    for (to, from) in order.into_iter().enumerate() {
        goal[from] = to;
    }
    for at in 0..goal.len() {
        while goal[at] != at {
            let to = goal[at];
            swap(at, to);
            goal.swap(at, to);
        }
    }
}

/// Fills a map or a set, one item after the other; of the same keys the last one counts.
pub fn gather<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_the_standard_library(items in prop::collection::vec((0u8..8, any::<String>()), 0..40)) {
            let (mut ours, mut std) = (items.clone(), items.clone());
            sort(&mut ours);
            std.sort();
            prop_assert_eq!(&ours, &std);
            // Stable: the text is not part of the key.
            let (mut ours, mut std) = (items.clone(), items.clone());
            sort_by_key(&mut ours, |(key, _)| std::cmp::Reverse(*key));
            std.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            prop_assert_eq!(&ours, &std);
            let tree: BTreeMap<u8, String> = items.iter().cloned().collect();
            prop_assert_eq!(gather::<BTreeMap<u8, String>, _>(items), tree);
        }
    }

    #[test]
    fn a_comparison_that_is_no_order_loses_nothing() {
        let mut items: Vec<u32> = (0..100).collect();
        let mut calls = 0u32;
        sort_by(&mut items, |_, _| {
            calls = calls.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            if calls & 0x1_0000 == 0 { Ordering::Less } else { Ordering::Equal }
        });
        assert_eq!(gather::<BTreeSet<u32>, _>(items), (0..100).collect());
    }
}
