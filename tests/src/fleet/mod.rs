//! Fleets of booted hosts.
//!
//! ```text
//!   controller's namespace                       one namespace per host
//!   ┌────────────────────────────┐               ┌──────────────────────────┐
//!   │ rectify ── br0 10.77.0.1 ──┼── veth ───────┼── host0 10.77.1.x        │
//!   │                            │               │ systemd, sshd, apache2 … │  overlay: upper │ seed │ image
//!   └────────────────────────────┘               └──────────────────────────┘
//! ```
//!
//! Nothing leaves the namespaces. A fleet is gone when its value is dropped or its process ends, however that happens.

mod cgroup;
mod controller;
mod guard;
mod host;
mod keys;
mod limits;
mod namespace;
mod nspawn;
mod output;
mod ready;
mod registry;
mod site;
mod vm;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

pub use controller::Controller;
pub use host::Host;
pub use namespace::{CONTROLLER_ADDRESS, Namespace};
pub use output::Output;
pub use registry::{clear, standing};

use crate::image::{self, Image};
use guard::Guard;
use site::Site;

/// Passwords of the accounts on every host. `root` takes keys only over SSH; its password is for `su`. `admin` may use sudo and
/// doas with the password, `deploy` without, `nosudo` not at all.
pub const PASSWORDS: [(&str, &str); 4] =
    [("root", "root secret"), ("admin", "admin secret"), ("deploy", "deploy secret"), ("nosudo", "nosudo secret")];

/// The search path of everything that the harness runs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// More at once only makes them all slower.
const BOOTS_AT_ONCE: usize = 10;

/// How many hosts of which kind to start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Builder {
    debian: usize,
    rpm: usize,
    vm: usize,
}

impl Builder {
    /// Debian hosts: `web1`, `web2`, …
    #[must_use]
    pub fn debian(mut self, count: usize) -> Self {
        self.debian = count;
        self
    }

    /// RPM hosts: `rpm1`, `rpm2`, …
    #[must_use]
    pub fn rpm(mut self, count: usize) -> Self {
        self.rpm = count;
        self
    }

    /// Virtual machines: `vm1`, `vm2`, …
    #[must_use]
    pub fn vm(mut self, count: usize) -> Self {
        self.vm = count;
        self
    }

    /// Builds missing images, boots all hosts and returns when each answers SSH and its systemd has settled.
    ///
    /// # Errors
    /// Not root, missing packages (all named), a failed image build, or a host that does not come up (with its console).
    pub fn start(self) -> Result<Fleet> {
        let fleet = Fleet::empty()?;
        let wanted = [(Image::Debian, self.debian), (Image::Rpm, self.rpm), (Image::Vm, self.vm)];
        let images: Vec<_> = wanted.into_iter().flat_map(|(image, count)| vec![image; count]).collect();
        fleet.add(&images)?;
        Ok(fleet)
    }
}

/// A running fleet: hosts and a controller that reaches them.
#[derive(Debug)]
pub struct Fleet {
    // Hosts hold the guard too: a fleet goes when its last host is let go.
    hosts: Mutex<Vec<Arc<Host>>>,
    controller: Mutex<Arc<Controller>>,
    control: Namespace,
    private_key: String,
    public_key: String,
    id: String,
    next: AtomicU32,
    guard: Arc<Guard>,
}

impl Fleet {
    /// Starts describing a fleet.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A fleet without hosts yet: namespace, keys, guard.
    ///
    /// # Errors
    /// Not root, or missing packages.
    pub fn empty() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        image::require_tools(&[])?;
        guard::reap()?;
        let id = format!("rf{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let guard = {
            let _exclusive = guard::lock()?;
            limits::raise()?;
            Arc::new(Guard::new(&id)?)
        };
        let name = format!("{id}-c");
        guard.namespace(&name)?;
        let control = Namespace::create(&name)?;
        control.add_bridge()?;
        let key = guard.folder().join("controller_key");
        let public_key = keys::generate(&key)?;
        let private_key = std::fs::read_to_string(&key).with_context(|| format!("read {}", key.display()))?;
        let controller = Controller::new(guard.folder().join("home"), control.clone(), &private_key, &[])?;
        Ok(Self {
            hosts: Mutex::default(),
            controller: Mutex::new(Arc::new(controller)),
            control,
            private_key,
            public_key,
            id,
            next: AtomicU32::new(1),
            guard,
        })
    }

    /// Boots more hosts side by side and returns them in that order; the fleet's inventory and known hosts then list them too.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn add(&self, images: &[Image]) -> Result<Vec<Arc<Host>>> {
        let sites = images.iter().map(|image| self.site(*image)).collect::<Result<Vec<_>>>()?;
        let sites = Mutex::new(sites.into_iter().enumerate().rev().collect::<Vec<_>>());
        let take = || sites.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let boot = || -> Result<Vec<(usize, Arc<Host>)>> {
            let mut booted = Vec::new();
            while let Some((position, site)) = take() {
                booted.push((position, Arc::new(Host::boot(site)?)));
            }
            Ok(booted)
        };
        let mut booted = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..BOOTS_AT_ONCE.min(images.len())).map(|_| scope.spawn(boot)).collect();
            let ends = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a boot panicked"))?);
            ends.collect::<Result<Vec<_>>>()
        })?
        .concat();
        booted.sort_by_key(|(position, _)| *position);
        let new: Vec<_> = booted.into_iter().map(|(_, host)| host).collect();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.extend(new.iter().cloned());
        let home = self.guard.folder().join("home");
        let controller = Controller::new(home, self.control.clone(), &self.private_key, &hosts)?;
        *self.controller.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(controller);
        Ok(new)
    }

    fn site(&self, image: Image) -> Result<Site> {
        image::require_tools(&[image])?;
        let index = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        let (name, folder) = self.claim_name(image)?;
        let mut site = Site {
            image,
            image_folder: image.ensure()?,
            index,
            machine: format!("{}-{name}", self.id),
            name,
            folder,
            host_key: String::new(),
            control: self.control.clone(),
            guard: Arc::clone(&self.guard),
        };
        site.write_seed(&self.public_key)?;
        Ok(site)
    }

    /// The first free name for a host of this image, and its folder; making the folder is what claims the name.
    fn claim_name(&self, image: Image) -> Result<(String, PathBuf)> {
        let hosts = self.guard.folder().join("hosts");
        site::create(&hosts)?;
        let prefix = match image {
            Image::Debian => "web",
            Image::Rpm => "rpm",
            Image::Vm => "vm",
        };
        let mut number = 1;
        loop {
            let name = format!("{prefix}{number}");
            let folder = hosts.join(&name);
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok((name, folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    return Err(error).with_context(|| format!("create {}", folder.display()));
                }
            }
        }
    }

    /// The host of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self, name: &str) -> Result<Arc<Host>> {
        let host = self.hosts().into_iter().find(|host| host.name() == name);
        host.with_context(|| format!("the fleet has no host {name}"))
    }

    /// All hosts, in the order they were added.
    pub fn hosts(&self) -> Vec<Arc<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The controller whose inventory lists all hosts.
    pub fn controller(&self) -> Arc<Controller> {
        Arc::clone(&self.controller.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One more controller on the same network with a home of its own, whose inventory lists only the given hosts.
    ///
    /// # Errors
    /// Its home cannot be written.
    pub fn controller_for(&self, hosts: &[Arc<Host>]) -> Result<Controller> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let home = self.guard.folder().join(format!("home-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        Controller::new(home, self.control.clone(), &self.private_key, hosts)
    }

    /// Shorthand for [`Controller::run`] of [`Fleet::controller`].
    ///
    /// # Errors
    /// Only if it could not be run.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Output> {
        self.controller().run(argv)
    }

    /// The fleet's folder on this machine.
    pub fn folder(&self) -> &Path {
        self.guard.folder()
    }

    /// Leaves the fleet running when this process ends, until [`clear`] takes it down; returns its folder.
    ///
    /// # Errors
    /// A host of it is still in use elsewhere in this process.
    pub fn keep(self) -> Result<PathBuf> {
        let folder = self.guard.folder().to_owned();
        let Self { hosts, guard, .. } = self;
        drop(hosts);
        Arc::try_unwrap(guard).map_err(|_| anyhow!("keep a fleet of which hosts are still in use"))?.detach()?;
        Ok(folder)
    }
}
