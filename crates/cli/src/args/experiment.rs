use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::StoreArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ExperimentCommand {
    /// Compare the variants of an experiment by what their users did afterwards
    ///
    /// Every user counts from the first list that a variant showed him, whatever he did then. For each metric: its mean
    /// per variant with a 95 % interval, the difference to the control with its interval and p-value, and the smallest
    /// true difference that so many users would show in four of five experiments. First of all: whether users fell on
    /// the variants as their shares say; if not, something adds or loses users, and the rest means nothing.
    ///
    /// An interval is meant for one look at an end that was set before: who looks daily and stops at the first p-value
    /// below 0.05 finds effects that are not there.
    Report(ExperimentReportArgs),
    /// Say which variant users are in, as a server with this configuration would
    Assign(ExperimentAssignArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExperimentReportArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Which experiment; not needed where the configuration has one
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Draw the relative differences with their intervals
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExperimentAssignArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Which experiment
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Whose variant
    #[arg(value_name = "USER", required = true)]
    pub(crate) users: Vec<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
