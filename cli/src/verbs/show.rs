//! `rectify inventory`: from the command line to what is printed.

use std::{io::Write, sync::Arc};

use rectify_core::diag::{Diagnostics, SourceMap, render};

use super::inventory::{Query, What, run};
use crate::{
    config::Config,
    exit::{self, Expected},
    files::Disk,
    project::extra_vars,
};

/// Prints what the command line asks for.
///
/// # Errors
/// What is wrong with the inventory.
pub(crate) fn main(args: &crate::args::Inventory, common: &crate::args::Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    let what = match (&args.host, args.graph) {
        (Some(host), _) => What::Host { pattern: host.clone(), origins: args.origins },
        (None, true) => What::Graph { group: args.group.clone().unwrap_or_else(|| "all".into()), vars: args.vars },
        (None, false) => args.group.clone().map_or(What::List, What::Hosts),
    };
    let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
    let keyring = Arc::new(args.hosts.vaults.keyring(&config)?);
    let disk = Disk::new(keyring.clone());
    let query = Query {
        sources: config.inventory(&args.hosts.sources.inventory)?,
        limit: args.hosts.limit.clone(),
        what,
        yaml: args.yaml,
        extra_vars: extra_vars(&args.hosts.extra_vars, &disk, &mut map)?,
        export: args.export,
        playbook_dir: args.playbook_dir.clone(),
        cwd: std::env::current_dir()?,
    };
    let text = run(&query, &disk, &mut map, &mut found);
    let shown = render(&map, &found, crate::theme(common, false).is_coloured());
    let shown = keyring.secrets().masker().apply(&shown);
    let Some(text) = text else { return Err(Expected::usage(shown.trim_end()).into()) };
    if !shown.trim().is_empty() {
        writeln!(std::io::stderr(), "{}", shown.trim_end())?;
    }
    writeln!(std::io::stdout(), "{}", text.trim_end())?;
    Ok(exit::OK)
}
