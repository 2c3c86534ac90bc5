//! A run over compiled plans, shown as it goes.

use std::{
    io::IsTerminal,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use rectify_core::{
    compile::{Blob, Compiled},
    event::{Failure, RunEvent, RunState},
    plan::Mode,
    playbook::Files,
    rollout::Gather,
};
use rectify_remote::run::{BlobSource, Order};

use super::{
    reach::Reach,
    stream::{Job, Prepared, Stream},
};
use crate::{
    display::{Display, Options, Painter, Screen},
    files::Disk,
    project::Project,
};

/// The terminal behind stderr, to paint on. One that cannot move its cursor is none. Where stdout `waits` for the end of the
/// run it may be the same terminal, otherwise the two would write over each other.
pub(crate) fn screen(waits: bool) -> Option<Screen> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let able = std::io::stderr().is_terminal() && !dumb && (waits || !std::io::stdout().is_terminal());
    able.then(|| Arc::new(Mutex::new(Painter::new(Box::new(console::Term::buffered_stderr())))))
}

/// What a run is besides its plans.
pub(crate) struct Execution {
    /// Check or apply.
    pub(crate) mode: Mode,
    /// Hosts at a time.
    pub(crate) forks: NonZeroUsize,
    /// The playbooks, as they were named.
    pub(crate) names: Vec<String>,
    /// How it is shown.
    pub(crate) display: Options,
}

impl Execution {
    /// Runs the plans, each on its host, and gives back what is known at the end, and what was seen of settings.
    ///
    /// # Errors
    /// An output that cannot be written, or a defect of this program. What fails on a host is no error.
    pub(crate) fn execute(
        self,
        shared: &Arc<(Project, Reach)>,
        compiled: Vec<Compiled>,
    ) -> anyhow::Result<(RunState, Gather)> {
        let (mut stdout, mut stderr) = (std::io::stdout().lock(), std::io::stderr());
        let hosts: Vec<String> = compiled.iter().map(|c| c.plan.host.clone()).collect();
        let run = compiled.first().map(|c| c.plan.run.clone()).unwrap_or_default();
        let keyring = shared.0.keyring.clone();
        let jobs = compiled.into_iter().map(|compiled| job(shared, compiled)).collect();
        let mut display = Display::new(self.display, &mut stdout, &mut stderr);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let gather = runtime.block_on(async {
            let mut stream = Stream::new(&mut display, keyring);
            stream.put(RunEvent::Started {
                run,
                mode: self.mode,
                playbooks: self.names,
                hosts,
                version: env!("CARGO_PKG_VERSION").into(),
            })?;
            stream.run(jobs, self.forks).await?;
            stream.put(RunEvent::Finished)?;
            anyhow::Ok(stream.gather)
        })?;
        runtime.shutdown_background();
        let (state, written) = display.finish();
        written.context("writing the output")?;
        Ok((state, gather))
    }
}

fn job(shared: &Arc<(Project, Reach)>, compiled: Compiled) -> Job {
    let shared = Arc::clone(shared);
    let host = compiled.plan.host.clone();
    let prepare = Box::new(move || {
        let (project, reach) = &*shared;
        let (way, start) = reach.host(&project.inventory, &compiled.plan.host, &compiled.access)?;
        let blobs = compiled.blobs;
        let order = Order::new(compiled.plan, |sha256| blobs.get(sha256).map(|blob| source(project, blob)))
            .map_err(|e| Failure::from_error(&e))?;
        Ok(Prepared { way, start, order, notes: reach.notes() })
    });
    Job { host, prepare }
}

/// Where a content comes from: its file, or, if that is encrypted, what the keyring makes of it.
fn source(project: &Project, blob: &Blob) -> BlobSource {
    let plain = || {
        let content = Files::read(&Disk::new(project.keyring.clone()), &blob.path).ok()?;
        project.keyring.open(&content).ok().map(|(plain, _)| plain)
    };
    let opened = blob.sealed.then(plain).flatten();
    opened.map_or_else(|| BlobSource::File(blob.path.clone()), BlobSource::Bytes)
}
