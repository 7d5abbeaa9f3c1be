//! One file per command.

mod audit;
mod config;
mod evaluate;
mod evaluate_cold_start;
mod evaluate_ranking;
mod evaluate_retrieval;
mod experiment;
mod features;
mod import;
mod index;
mod keys;
mod loadtest;
mod log;
mod log_export;
mod quickstart;
mod recommend;
mod registry;
mod serve;
mod store;
mod train;

use crate::args::{Args, Command};

/// Does what was asked.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Quickstart(args) => quickstart::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Recommend(args) => recommend::run(&args),
        Command::Evaluate(command) => evaluate::run(&command),
        Command::Audit(command) => audit::run(&command),
        Command::Experiment(command) => experiment::run(&command),
        Command::Features(command) => features::run(&command),
        Command::Index(command) => index::run(&command),
        Command::Loadtest(args) => loadtest::run(&args),
        Command::Log(command) => log::run(&command),
        Command::Store(command) => store::run(&command),
        Command::Registry(command) => registry::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Config(command) => config::run(&command),
    }
}
