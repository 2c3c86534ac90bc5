//! Booted hosts shared by the tests of one binary.
//!
//! A test leases hosts, does to them what it wants, and lets go; the next test gets them as new. Booting overlaps with other tests:
//! a host that was let go is reset in the background. The fleet goes when the process ends (see [`crate::fleet`]).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context, Result, anyhow};

use crate::fleet::{Controller, Fleet, Host, Output};
use crate::image::Image;

/// Hosts that one test has for itself, and a controller whose inventory lists just these.
#[derive(Debug)]
pub struct Lease {
    hosts: Vec<Arc<Host>>,
    controller: Controller,
    pool: &'static Pool,
    untouched: bool,
}

#[derive(Debug)]
struct Pool {
    fleet: Fleet,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Ready to be leased, as new.
    free: HashMap<Image, Vec<Arc<Host>>>,
    /// Leased, being reset or being booted.
    busy: HashMap<Image, usize>,
    /// Why a host did not come back; ends every wait.
    broken: Option<String>,
}

/// Leases one Debian host.
///
/// # Errors
/// As [`lease`].
pub fn debian() -> Result<Lease> {
    lease(&[Image::Debian])
}

/// Leases one RPM host.
///
/// # Errors
/// As [`lease`].
pub fn rpm() -> Result<Lease> {
    lease(&[Image::Rpm])
}

/// Leases the virtual machine.
///
/// # Errors
/// As [`lease`].
pub fn vm() -> Result<Lease> {
    lease(&[Image::Vm])
}

/// Leases a host of each given image, all at once or not yet: waits while other tests have them. At most as many of a kind are
/// ever booted as [`limit`] says, or as one test asked for.
///
/// # Errors
/// The fleet cannot be set up; the message says what to install.
pub fn lease(images: &[Image]) -> Result<Lease> {
    let pool = pool()?;
    let hosts = pool.take(images)?;
    let controller = pool.fleet.controller_for(&hosts)?;
    Ok(Lease { hosts, controller, pool, untouched: false })
}

/// How many hosts of an image are kept booted per process.
fn limit(image: Image) -> usize {
    match image {
        Image::Debian => 4,
        Image::Rpm => 2,
        Image::Vm => 1,
    }
}

fn pool() -> Result<&'static Pool> {
    static POOL: OnceLock<Result<Pool, String>> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let fleet = Fleet::empty().map_err(|error| format!("{error:#}"))?;
        Ok(Pool { fleet, state: Mutex::default(), changed: Condvar::new() })
    });
    pool.as_ref().map_err(|error| anyhow!("{error}"))
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, images: &[Image]) -> Result<Vec<Arc<Host>>> {
        let mut state = self.state();
        let (mut hosts, missing) = loop {
            if let Some(error) = &state.broken {
                return Err(anyhow!("a host of the pool did not come back: {error}"));
            }
            if let Some(taken) = state.take(images) {
                break taken;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        if !missing.is_empty() {
            let added = self.fleet.add(&missing).inspect_err(|error| {
                self.state().broken = Some(format!("{error:#}"));
                self.changed.notify_all();
            })?;
            hosts.extend(added);
        }
        for host in hosts.iter().filter(|host| !host.is_up()) {
            host.reset().inspect_err(|error| self.break_off(host, error))?;
        }
        // In the order that was asked for.
        let mut ordered = Vec::new();
        for image in images {
            let position = hosts.iter().position(|host| host.image() == *image);
            ordered.push(hosts.swap_remove(position.context("a leased host is missing")?));
        }
        Ok(ordered)
    }

    /// A host that does not come back ends every wait for one.
    fn break_off(&self, host: &Host, error: &anyhow::Error) {
        self.state().broken = Some(format!("{}: {error:#}", host.name()));
        self.changed.notify_all();
    }

    /// Makes a host as new again and offers it; runs beside the tests.
    fn give_back(&'static self, host: Arc<Host>, untouched: bool) {
        std::thread::spawn(move || {
            let clean = untouched && host.changes().is_ok_and(|changes| changes.is_empty());
            let ready = match host.image() {
                _ if clean => Ok(()),
                // Too slow to boot before anybody asks for it.
                Image::Vm => host.stop(),
                Image::Debian | Image::Rpm => host.reset(),
            };
            if let Err(error) = &ready {
                self.break_off(&host, error);
            }
            let mut state = self.state();
            *state.busy.entry(host.image()).or_default() -= 1;
            if ready.is_ok() {
                state.free.entry(host.image()).or_default().push(host);
            }
            self.changed.notify_all();
        });
    }
}

impl State {
    /// Free hosts for all the images, and for which images one must be booted; or nothing, if some have to be waited for.
    fn take(&mut self, images: &[Image]) -> Option<(Vec<Arc<Host>>, Vec<Image>)> {
        let mut missing = Vec::new();
        for image in Image::ALL {
            let wanted = images.iter().filter(|wanted| **wanted == image).count();
            let free = self.free.get(&image).map_or(0, Vec::len);
            let busy = self.busy.get(&image).copied().unwrap_or(0);
            let to_boot = wanted.saturating_sub(free);
            if to_boot > 0 && free + busy + to_boot > limit(image).max(wanted) {
                return None;
            }
            missing.extend(vec![image; to_boot]);
        }
        let mut hosts = Vec::new();
        for image in images {
            *self.busy.entry(*image).or_default() += 1;
            hosts.extend(self.free.get_mut(image).and_then(Vec::pop));
        }
        Some((hosts, missing))
    }
}

impl Lease {
    /// The first host, for tests that need one.
    pub fn host(&self) -> &Host {
        &self.hosts[0]
    }

    /// All leased hosts, in the order of the images asked for.
    pub fn hosts(&self) -> &[Arc<Host>] {
        &self.hosts
    }

    /// Runs a command where the controller is: see [`Controller::run`].
    ///
    /// # Errors
    /// Only if it could not be run.
    pub fn run<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Output> {
        self.controller.run(argv)
    }

    /// Promises that the test changed nothing on its hosts, neither on disk nor in memory, so that they need not be booted again.
    /// What is on disk is looked at all the same.
    pub fn untouched(mut self) {
        self.untouched = true;
    }
}

impl Deref for Lease {
    type Target = Controller;

    fn deref(&self) -> &Controller {
        &self.controller
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        for host in self.hosts.drain(..) {
            self.pool.give_back(host, self.untouched);
        }
    }
}
