//! A server: schedules, notices and the page, in one process over one record.

mod beside;
mod fleet;
mod plans;
pub(crate) mod read;
mod signals;
mod telling;

use std::{io::Write as _, sync::Arc};

use anyhow::anyhow;
use rectify_core::text::chain;
use rectify_server::{
    notify::metrics::Pulse,
    schedule::{Clock, Outcome, Parts, Say, Schedule, Server, SystemClock},
    store::{RecordSettings, Store},
};
use tokio::sync::watch;

use crate::{args::Serve, config::Config, display::text::line, exit::Expected, record::Index, run::Halt};

/// Runs until it is told to end; with `--once`, until what is due is done, and says what came of it.
///
/// # Errors
/// What is wrong with the configuration, and a record that cannot be had.
pub(crate) async fn run(
    args: &Serve,
    config: Config,
    schedules: Vec<Schedule>,
    settings: RecordSettings,
) -> anyhow::Result<Option<Outcome>> {
    let say = lines();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(&settings).await.map_err(|e| anyhow!(chain(&e)))?;
    let (halt, halted) = watch::channel(Halt::No);
    let (end, ends) = watch::channel(false);
    let pulse = Pulse::default();
    let index = Index::opened(settings, store.clone());
    let fleet = fleet::Hosts { args: Arc::new(args.clone()), index: index.clone(), halt: halted, say: say.clone() };
    let parts = Parts {
        store: store.clone(),
        fleet: Arc::new(fleet),
        clock: clock.clone(),
        schedules: schedules.clone(),
        say: say.clone(),
        halt: ends.clone(),
        pulse: pulse.clone(),
    };
    let server = Server::new(parts, args.once).await.map_err(|e| anyhow!(chain(&e)))?;
    let teller = beside::teller(args, &config, &store, &clock, &say)?;
    match index.catch_up().await {
        Ok(said) => said.iter().for_each(|what| say(&format!("warning: {what}"))),
        Err(e) => say(&format!("warning: {}", chain(&e))),
    }
    let signals = signals::Signals {
        halt,
        end,
        args: args.clone(),
        reload: server.reload(),
        teller: teller.clone(),
        say: say.clone(),
    };
    signals.listen()?;
    if args.once {
        let outcome = server.once().await.map_err(|e| anyhow!(chain(&e)))?;
        if let Err(e) = teller.once().await {
            say(&format!("warning: nobody was told: {}", chain(&e)));
        }
        return Ok(Some(outcome));
    }
    let page = beside::page(&config, &store, &clock, server.commands(), pulse).await?;
    say(&format!("{}; the page is at {}; the record is {}", in_force(&schedules), page.place, store.at()));
    let told = teller.clone();
    let telling = tokio::spawn({
        let ends = ends.clone();
        async move { told.run(ends).await }
    });
    let paging = tokio::spawn(page.serve(ends));
    server.run().await;
    // What is being told or answered comes to its end; what broke was said.
    let (told, paged) = tokio::join!(telling, paging);
    if let Ok(Err(e)) = paged {
        say(&format!("the page broke off: {e}"));
    }
    told.map_err(|panic| anyhow!("a defect of this program: {panic}"))?;
    store.close().await;
    say("ended");
    Ok(None)
}

/// `no schedule is`, or which are, in force.
fn in_force(schedules: &[Schedule]) -> String {
    let names: Vec<&str> = schedules.iter().map(|s| s.name.as_str()).collect();
    match names.len() {
        0 => "no schedule is in force".into(),
        1 => format!("1 schedule is in force: {}", names[0]),
        n => format!("{n} schedules are in force: {}", names.join(", ")),
    }
}

/// Writes lines to stderr. A reader that went away ends nothing.
fn lines() -> Say {
    Arc::new(|text: &str| {
        let mut out = std::io::stderr().lock();
        for part in text.lines() {
            let _ = writeln!(out, "{}", line(part));
        }
    })
}

impl From<rectify_server::web::SettingsError> for Expected {
    fn from(error: rectify_server::web::SettingsError) -> Self {
        Expected::usage(error.to_string())
    }
}
