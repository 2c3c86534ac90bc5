//! `rectify export`: a recorded run for other programs.

use std::io::{BufWriter, Write as _};

use rectify_core::text::chain;
use rectify_server::store::{
    Ending,
    export::{Format, Reports, export},
};

use crate::{
    args::{ExportFormat, ExportRun, quoted},
    config::Config,
    display::text::line,
    exit::{self, Expected},
    record::{find, settings},
};

/// Writes the run to stdout.
///
/// # Errors
/// No such run, and an output that cannot be written.
pub(crate) fn run(args: &ExportRun) -> anyhow::Result<u8> {
    let settings = settings(&Config::load()?).map_err(Expected::usage)?;
    let folder = find(&settings, &args.run, &format!("rectify export {}", quoted(&args.run)))?;
    let head = folder.head().map_err(|e| Expected::failed(chain(&e)))?;
    let mut events = folder.events().map_err(|e| Expected::failed(chain(&e)))?;
    let reports = Reports::read(events.by_ref());
    match events.ending() {
        Ending::Damaged(why) => writeln!(std::io::stderr(), "warning: the record is damaged: {}", line(why))?,
        Ending::BrokenOff => writeln!(std::io::stderr(), "warning: the run did not end: this is how far it came")?,
        Ending::Open | Ending::Whole => {}
    }
    let format = match args.format {
        ExportFormat::Json => Format::Json,
        ExportFormat::Junit => Format::Junit,
        ExportFormat::Sarif => Format::Sarif,
        ExportFormat::Csv => Format::Csv,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    export(format, &head, &reports, &mut out)?;
    out.flush()?;
    Ok(exit::OK)
}
