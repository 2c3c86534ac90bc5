//! `rectify drift`: looks now, and says who moved, the host or the policy.

mod group;
mod json;
mod screen;
#[cfg(test)]
mod tests;

use std::io::Write as _;

use rectify_core::plan::Mode;
use rectify_server::{
    drift::{Fixed, Open, fixed_items, open_items},
    store::{RecordSettings, Store, StoreError},
};

use crate::{
    args::{Common, Drift, Run},
    display::{Output, page::Page},
    exit::Expected,
    run::{Asked, Ran, Then, perform},
};

/// What is not as wanted on the hosts of a run, what is as wanted again, and how many hosts were looked at.
#[derive(Debug, Default)]
struct Found {
    open: Vec<Open>,
    fixed: Vec<Fixed>,
    hosts: usize,
}

/// Looks at the hosts as a check does, records that, and says what differs by cause.
///
/// # Errors
/// What is wrong with the input, or with the program; a record that cannot be read or written.
pub(crate) fn run(args: &Drift, common: &Common) -> anyhow::Result<u8> {
    let asked = Asked { output: Output::Nothing, traces: true };
    let Then::Ran(ran) = perform(Mode::Check, &Run::from(args), common, asked)? else { return Ok(crate::exit::OK) };
    let Ran { code, run, state, record } = *ran;
    let Some(record) = record else {
        return Err(Expected::failed("who moved cannot be told without a record: see [record] in rectify.toml").into());
    };
    let hosts: Vec<String> = state.hosts.keys().cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(find(&record, &run, &hosts)).map_err(|e| {
        Expected::failed(format!(
            "the hosts were looked at, but who moved cannot be told: {}",
            rectify_core::text::chain(&e)
        ))
    })?;
    let mut out = std::io::stdout().lock();
    if args.json {
        json::write(&found, &run, &state, &mut out)?;
        return Ok(code);
    }
    let mut page = Page::new(crate::width(), crate::theme(common, true));
    screen::report(&mut page, &found, &state, args);
    out.write_all(page.into_text().as_bytes())?;
    Ok(code)
}

/// What the run saw, as the record has it now.
async fn find(record: &RecordSettings, run: &str, hosts: &[String]) -> Result<Found, StoreError> {
    let store = Store::open(record).await?;
    // What this run did not look at, another one will tell of.
    let open = open_items(&store, hosts).await?.into_iter().filter(|item| item.known.run == run).collect();
    let fixed = fixed_items(&store, run).await?;
    store.close().await;
    Ok(Found { open, fixed, hosts: hosts.len() })
}
