//! What a server does besides running schedules: it tells people, and shows the page.

use std::{net::SocketAddr, sync::Arc};

use rectify_core::{diag::Diagnostics, rollout::contacts, text::chain};
use rectify_server::{
    channels::Channels,
    notify::{
        Office, Teller,
        metrics::{self, Metrics, Pulse, TokenFile},
    },
    schedule::{Clock, Commands, Say},
    store::Store,
    templates::Templates,
    web::{Page, Parts, router, serve},
};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    args::{Described, Serve},
    config::Config,
    exit::Expected,
    project::Project,
    rollouts::place,
};

/// Who is told, and how, as configuration and inventory say now.
///
/// # Errors
/// What is wrong with them.
pub(super) fn office(args: &Serve, config: &Config) -> Result<Office, Expected> {
    let wrong = |e: &dyn std::error::Error| Expected::usage(chain(e));
    let templates = Templates::load(config.announce.templates.as_deref()).map_err(|e| wrong(&e))?;
    let channels = Channels::new(config.mail.as_ref(), config.hook.as_ref(), Box::new(std::io::stdout()));
    let channels = channels.map_err(|e| wrong(&e))?;
    config.notify.check(&channels).map_err(|e| wrong(&e))?;
    let project = Project::load(config, &args.hosts(None), &[], false)?;
    let mut found = Diagnostics::new();
    let people = contacts(&project.inventory, project.inventory.hosts_in("all"), &mut found);
    if found.has_errors() {
        return Err(project.expected(&found));
    }
    Ok(Office { settings: config.notify.clone(), people, templates, channels: Arc::new(channels) })
}

/// Who keeps telling people.
///
/// # Errors
/// What is wrong with configuration and inventory.
pub(super) fn teller(
    args: &Serve,
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    say: &Say,
) -> Result<Teller, Expected> {
    Ok(Teller::new(store.clone(), clock.clone(), say.clone(), office(args, config)?))
}

/// A page that listens already.
pub(super) struct Listening {
    listener: TcpListener,
    router: axum::Router,
    /// Where it is, for people.
    pub(super) place: String,
}

/// Makes the page, and has it listen.
///
/// # Errors
/// Settings that do not fit together, and an address that cannot be had.
pub(super) async fn page(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    commands: Commands,
    pulse: Pulse,
) -> Result<Listening, Expected> {
    let settings = config.serve.web();
    settings.check()?;
    let wanted: SocketAddr = settings.address();
    let cannot = |e: std::io::Error| {
        Expected::usage(format!("[serve] listen = {wanted}: {e}: is another server running? set another address"))
    };
    let listener = TcpListener::bind(wanted).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let page = Page::new(Parts {
        store: store.clone(),
        settings,
        address,
        commands: Some(commands),
        rollouts: place(config, &Described::default(), &config.playbooks),
        clock: clock.clone(),
    })?;
    let place = match config.serve.url {
        Some(_) => format!("{} (it listens on {address})", page.url()),
        None => page.url().to_owned(),
    };
    let token = config.serve.metrics_token_file.as_ref().map(|path| TokenFile::new(path)).transpose();
    let token = token.map_err(|e| Expected::usage(format!("[serve] `metrics_token_file`: {e}")))?;
    let metrics = Arc::new(Metrics::new(store.clone(), clock.clone(), pulse));
    Ok(Listening { listener, router: router(page).merge(metrics::router(metrics, token)), place })
}

impl Listening {
    /// Answers until `ends` becomes true.
    ///
    /// # Errors
    /// A listener that breaks.
    pub(super) async fn serve(self, mut ends: watch::Receiver<bool>) -> std::io::Result<()> {
        let over = async move { drop(ends.wait_for(|ends| *ends).await) };
        serve(self.listener, self.router, over).await
    }
}
