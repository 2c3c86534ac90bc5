//! `rectify`: the command line. Arguments in, terminal out; what is decided about hosts is decided elsewhere.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on ends"))]

mod account;
mod args;
mod config;
mod display;
mod exit;
mod files;
mod helpers;
mod hidden;
mod project;
mod record;
mod rollouts;
mod run;
mod serve;
mod theme;
mod vault;
mod verbs;

use std::{io::Write, process::ExitCode};

use clap::{CommandFactory, Parser};
use rectify_core::plan::Mode;

use crate::{
    args::{Cli, Colour, Common, Verb},
    theme::Theme,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(exit::INTERNAL) };
        }
    };
    match dispatch(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(exit::OK),
        Err(error) => {
            let text = match error.downcast_ref::<exit::Expected>() {
                // Diagnostics come with their own heading.
                Some(expected) if expected.message.starts_with("error") || expected.message.contains("\u{1b}[") => {
                    expected.message.clone()
                }
                _ => {
                    let label = theme(&cli.common, false).paint(theme::Meaning::Failed, "error:");
                    format!("{label} {error:#}")
                }
            };
            // Without an error stream there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{text}");
            exit::code_of(&error)
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.verb {
        Verb::Check(args) => run::run(Mode::Check, args, &cli.common),
        Verb::Apply(args) => run::run(Mode::Apply, args, &cli.common),
        Verb::Drift(args) => verbs::drift::run(args, &cli.common),
        Verb::Graph(args) => verbs::graph::run(args, &cli.common),
        Verb::Lint(args) => verbs::lint::run(args, &cli.common),
        Verb::Inventory(args) => verbs::show::main(args, &cli.common),
        Verb::Facts(args) => verbs::facts::run(args, &cli.common),
        Verb::Trust(args) => verbs::trust::run(args, &cli.common),
        Verb::Vault(args) => verbs::vault::run(args),
        Verb::Modules(args) => verbs::modules::run(args),
        Verb::Rollout(args) => verbs::rollout::run(args, &cli.common),
        Verb::Announce(args) => verbs::announce::run(args, &cli.common),
        Verb::Runs(args) => verbs::runs::run(args, &cli.common),
        Verb::Show(args) => verbs::show_run::run(args, &cli.common),
        Verb::Replay(args) => verbs::replay::run(args, &cli.common),
        Verb::Diff(args) => verbs::diff::run(args, &cli.common),
        Verb::Export(args) => verbs::export_run::run(args),
        Verb::Holds(args) => verbs::holds::run(args, &cli.common),
        Verb::Notices(args) => verbs::notices::run(args, &cli.common),
        Verb::Serve(args) => verbs::serve::run(args),
        Verb::Schema => verbs::schema::run(),
        Verb::Man { folder } => {
            let made = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
            made.map_err(|e| exit::Expected::failed(format!("writing manual pages into {}: {e}", folder.display())))?;
            Ok(exit::OK)
        }
        Verb::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "rectify", &mut std::io::stdout());
            Ok(exit::OK)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|c| c.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe))
}

/// The columns of the terminal behind stdout; text that goes elsewhere has no width.
fn width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|columns| *columns >= 20)
}

/// The colours for stdout or stderr.
fn theme(common: &Common, stdout: bool) -> Theme {
    Theme::new(match common.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if stdout => console::colors_enabled() && console::user_attended(),
        Colour::Auto => console::colors_enabled_stderr() && console::user_attended_stderr(),
    })
}
