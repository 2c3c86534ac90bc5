//! `rectify replay`: a recorded run through the display that it had.

use crate::{
    args::{Common, Replay, quoted},
    config::Config,
    display::Output,
    exit::{self, Expected},
    record::{Pace, Wall, find, play, settings},
    run::screen,
};

/// Shows the run.
///
/// # Errors
/// No such run, and an output that cannot be written.
pub(crate) fn run(args: &Replay, common: &Common) -> anyhow::Result<u8> {
    let settings = settings(&Config::load()?).map_err(Expected::usage)?;
    let folder = find(&settings, &args.run, &format!("rectify replay {}", quoted(&args.run)))?;
    let output = if args.json { Output::Json } else { Output::Report };
    let mut options = super::show_run::options(&folder, output, args.verbosity.verbose, common)?;
    options.screen = screen(output == Output::Report);
    let wall = Wall::new();
    let pace = Pace::new(&wall, args.speed);
    play(&folder, None, Some(pace), options, &mut std::io::stdout().lock(), &mut std::io::stderr())?;
    Ok(exit::OK)
}
