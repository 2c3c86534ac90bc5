//! A run over compiled plans, shown as it goes.

use std::{
    io::{IsTerminal, Write as _},
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
    text::chain,
};
use rectify_remote::{
    fleet::{Gate, gate},
    run::{BlobSource, Order},
};
use rectify_server::store::StoreError;

use super::{
    reach::Reach,
    stream::{Interrupts, Job, Prepared, Stream, Taker},
};
use crate::{
    display::{Display, Options, Painter, Screen, text::line},
    files::Disk,
    project::Project,
    record::Keep,
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
    /// How it is recorded, if it is.
    pub(crate) keep: Option<Keep>,
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
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let mut display = Display::new(self.display, &mut stdout, &mut stderr);
        let what = What { mode: self.mode, gate: gate(self.forks), names: self.names, keep: self.keep.as_ref() };
        let (gather, ended) = runtime.block_on(async {
            let interrupts = Interrupts::signals()?;
            what.stream(&mut display, shared, compiled, interrupts).await
        })?;
        // The report first: nobody waits for a database.
        let (state, written) = display.finish();
        if let Some(keep) = &self.keep {
            let mut said: Vec<String> = ended.err().iter().map(|e| chain(e)).collect();
            said.extend(runtime.block_on(keep.index.end()));
            said.iter().for_each(|what| drop(writeln!(stderr, "warning: {}", line(what))));
        }
        runtime.shutdown_background();
        written.context("writing the output")?;
        Ok((state, gather))
    }
}

/// A run without its display.
pub(crate) struct What<'k> {
    /// Check or apply.
    pub(crate) mode: Mode,
    /// Hosts at a time; runs that share it share these.
    pub(crate) gate: Gate,
    /// The playbooks, as they were named.
    pub(crate) names: Vec<String>,
    /// How it is recorded, if it is.
    pub(crate) keep: Option<&'k Keep>,
}

impl What<'_> {
    /// Runs the plans, each on its host, into `taker`; gives back what was seen of settings, and whether all of it was recorded.
    ///
    /// # Errors
    /// A defect of this program. What fails on a host is no error.
    pub(crate) async fn stream<T: Taker>(
        self,
        taker: &mut T,
        shared: &Arc<(Project, Reach)>,
        mut compiled: Vec<Compiled>,
        interrupts: Interrupts,
    ) -> anyhow::Result<(Gather, Result<(), StoreError>)> {
        let hosts: Vec<String> = compiled.iter().map(|c| c.plan.host.clone()).collect();
        let run = compiled.first().map(|c| c.plan.run.clone()).unwrap_or_default();
        let unknown = match self.keep {
            Some(keep) => keep.index.know(&mut compiled).await,
            None => None,
        };
        let jobs = compiled.into_iter().map(|compiled| job(shared, compiled)).collect();
        let recorder = self.keep.map(|keep| {
            let head = keep.head(&run, self.mode, &self.names, &hosts, &shared.0.inventory);
            keep.begin(head)
        });
        let mut stream = Stream::new(taker, shared.0.keyring.clone());
        let unrecorded = match recorder {
            Some(Ok(recorder)) => {
                stream.record(recorder);
                None
            }
            Some(Err(e)) => Some(format!("this run is not recorded: {}", chain(&e))),
            None => None,
        };
        let version = env!("CARGO_PKG_VERSION").into();
        stream.put(RunEvent::Started { run, mode: self.mode, playbooks: self.names, hosts, version })?;
        // A check changes nothing anyway.
        for message in unrecorded.into_iter().chain(unknown.filter(|_| self.mode == Mode::Apply)) {
            stream.put(RunEvent::Warning { host: None, message })?;
        }
        stream.run(jobs, self.gate, interrupts).await?;
        stream.put(RunEvent::Finished)?;
        let ended = stream.end_record();
        Ok((stream.gather, ended))
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
