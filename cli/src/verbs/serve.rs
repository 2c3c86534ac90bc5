//! `rectify serve`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rectify_server::web::hash_password;

use crate::{
    args::{Serve, ServeVerb},
    exit::{self, Expected},
    hidden, record,
    serve::{self, read},
};

/// Runs the schedules, until it is told to end or, with `--once`, until what is due is done.
///
/// # Errors
/// What is wrong with the schedules and the configuration; a record that cannot be had.
pub(crate) fn run(args: &Serve) -> anyhow::Result<u8> {
    if let Some(ServeVerb::HashPassword) = args.verb {
        return hash();
    }
    let (config, schedules) = read::schedules()?;
    if args.once && schedules.is_empty() {
        return Err(Expected::usage(
            "there is no schedule: write [[schedules]] into rectify.toml, or name files with `schedules` in [serve]",
        )
        .into());
    }
    let settings = record::settings(&config).map_err(Expected::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve::run(args, config, schedules, settings));
    // What does not end by itself is not waited for.
    runtime.shutdown_background();
    let Some(outcome) = ended? else { return Ok(exit::OK) };
    Ok(match outcome {
        o if o.broken => exit::USAGE,
        o if o.unreachable => exit::UNREACHABLE,
        o if o.failing => exit::FAILED,
        o if o.open => exit::PENDING,
        _ => exit::OK,
    })
}

/// Prints the hash of a password.
fn hash() -> anyhow::Result<u8> {
    let mut password = String::new();
    if std::io::stdin().is_terminal() {
        password = hidden::ask("Password: ").map_err(|e| Expected::usage(format!("asking for a password: {e}")))?;
        let again = hidden::ask("Again: ").map_err(|e| Expected::usage(format!("asking for a password: {e}")))?;
        if password != again {
            return Err(Expected::usage("the two are not the same: nothing was hashed").into());
        }
    } else {
        std::io::stdin().lock().read_line(&mut password)?;
    }
    let hash = hash_password(password.trim_end_matches(['\r', '\n'])).map_err(Expected::usage)?;
    writeln!(std::io::stdout(), "{hash}")?;
    Ok(exit::OK)
}
