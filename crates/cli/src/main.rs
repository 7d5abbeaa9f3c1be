//! The binary `shortlist`: one command line over the library crates.
//!
//! [`args`] says what can be asked, `commands/` does it, one file per command. Exit codes: 0 ok,
//! 1 failure, 2 usage, 64 configuration.

mod args;
mod clock;
mod commands;
mod config;
mod doors;
mod maintenance;
mod npy;
mod output;
mod pictures;
mod progress_bars;
mod registry_watch;
mod scheduled_training;
mod serving;
mod stop_signal;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::config::ConfigError;

/// Exit code of a configuration that cannot be used.
const EXIT_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let args = Args::parse();
    start_logging(&args);
    let is_background = args.is_background();
    if args.is_server() || is_background {
        // Whoever reads the log reads nothing else.
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a thread panicked")));
    }
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if is_background {
                tracing::error!(error = format!("{error:#}"), "the training ended without a bundle that serves");
            } else {
                output::error(&error);
            }
            let is_config = error.downcast_ref::<ConfigError>().is_some();
            if is_config { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

/// Logs go to stderr, so that stdout holds answers alone. `SHORTLIST_LOG` sets what is said
/// (`debug`, `shortlist_gateway=trace`), `SHORTLIST_LOG_FORMAT=json` how.
fn start_logging(args: &Args) {
    let default = if args.is_server() { "info" } else { "warn" };
    let asked = std::env::var("SHORTLIST_LOG").ok().filter(|asked| !asked.is_empty());
    let parsed = asked.as_deref().map(EnvFilter::try_new).transpose();
    let refused = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.ok().flatten().unwrap_or_else(|| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would tell of a log that cannot be written by writing there, and end the process when it cannot.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if output::logs_are_json() {
        logs.json().init();
    } else {
        logs.with_target(false).init();
    }
    if let Some(reason) = refused {
        tracing::warn!(reason, default, "SHORTLIST_LOG cannot be used");
    }
    match std::env::var("SHORTLIST_LOG_FORMAT").as_deref() {
        Ok("json" | "text") | Err(_) => {}
        Ok(format) => tracing::warn!(format, "SHORTLIST_LOG_FORMAT is json or text"),
    }
}
