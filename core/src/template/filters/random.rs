//! Chance. With a seed the result is the one that Python's Mersenne Twister gives, so that a seeded minute stays the same minute
//! when a play moves here from Ansible.

use super::int_or;
use crate::template::error::{R, fail};
use crate::template::eval::{Args, Ev};
use crate::template::value::V;
use sha2::{Digest, Sha512};
use std::hash::{BuildHasher, RandomState};

const N: usize = 624;

/// Python's generator.
struct Twister {
    state: [u32; N],
    at: usize,
}

impl Twister {
    fn new(key: &[u32]) -> Twister {
        let mut state = [0u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let before = state[i - 1];
            state[i] = (state[i] ^ (before ^ (before >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 0..N - 1 {
            let before = state[i - 1];
            state[i] = (state[i] ^ (before ^ (before >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Twister { state, at: N }
    }

    fn word(&mut self) -> u32 {
        if self.at >= N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % N] ^ (y >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn bits(&mut self, k: u32) -> u64 {
        match k {
            0 => 0,
            1..=32 => u64::from(self.word() >> (32 - k)),
            _ => {
                let low = u64::from(self.word());
                low | (u64::from(self.word() >> (64 - k.min(64))) << 32)
            }
        }
    }

    /// A number below `n`, each as likely.
    fn below(&mut self, n: u64) -> u64 {
        let k = 64 - n.leading_zeros();
        loop {
            let r = self.bits(k);
            if r < n {
                return r;
            }
        }
    }
}

/// The generator for a seed as Python's `Random(seed)` makes it.
fn seeded(ev: &Ev<'_>, seed: &V) -> R<Twister> {
    let key = match seed {
        V::Int(_) | V::Bool(_) => {
            let n = int_or(Some(seed.clone()), 0)?.unsigned_abs();
            words(n.to_le_bytes().to_vec())
        }
        V::Str(s) => {
            let mut bytes = s.as_bytes().to_vec();
            bytes.extend_from_slice(&Sha512::digest(s.as_bytes()));
            bytes.reverse();
            words(bytes)
        }
        other => return fail(format!("a seed is text or a whole number, not a {}", other.type_name())),
    };
    ev.spend(1000)?;
    Ok(Twister::new(&key))
}

/// Little-endian words without leading zeros, at least one.
fn words(bytes: Vec<u8>) -> Vec<u32> {
    let mut out: Vec<u32> = bytes.chunks(4).map(|c| c.iter().rev().fold(0, |n, b| (n << 8) | u32::from(*b))).collect();
    while out.len() > 1 && out.last() == Some(&0) {
        out.pop();
    }
    out
}

/// A generator nobody can repeat.
fn unseeded() -> Twister {
    let word = || {
        let n = RandomState::new().hash_one(std::process::id());
        [n as u32, (n >> 32) as u32]
    };
    Twister::new(&[word(), word(), word(), word()].concat())
}

/// Text of that many random characters out of `alphabet`.
pub(super) fn salt(length: usize, alphabet: &[u8]) -> String {
    let mut chance = unseeded();
    (0..length).map(|_| char::from(alphabet[chance.below(alphabet.len() as u64) as usize])).collect()
}

fn generator(ev: &Ev<'_>, seed: Option<&V>) -> R<Twister> {
    match seed {
        None | Some(V::None) => Ok(unseeded()),
        Some(seed) => seeded(ev, seed),
    }
}

pub(crate) fn random(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [start, step, seed] = args.bind(["start", "step", "seed"])?;
    let mut chance = generator(ev, seed.as_ref())?;
    match &v {
        V::Int(end) => {
            let (start, step) = (int_or(start, 0)?, int_or(step, 1)?.max(1));
            let count = (end.saturating_sub(start)).saturating_add(step - 1) / step;
            match u64::try_from(count) {
                Ok(n) if n > 0 => Ok(V::Int(start + step * i128::from(chance.below(n)))),
                _ => fail("there is no number in that range"),
            }
        }
        V::List(_) | V::Tuple(_) | V::Str(_) => {
            let items = ev.iter(&v)?;
            if items.is_empty() {
                return fail("there is nothing to choose from");
            }
            Ok(items[chance.below(items.len() as u64) as usize].clone())
        }
        other => fail(format!("chooses from a list or below a number, not from a {}", other.type_name())),
    }
}

pub(crate) fn shuffle(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [seed] = args.bind(["seed"])?;
    let mut chance = generator(ev, seed.as_ref())?;
    let mut items = ev.iter(&v)?;
    for i in (1..items.len()).rev() {
        items.swap(i, chance.below(i as u64 + 1) as usize);
    }
    Ok(V::list(items))
}
