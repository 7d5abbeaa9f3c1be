use clap::{Args as ClapArgs, Subcommand};

use super::StoreArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Compute the features of served requests again from the log, and compare them bit by bit
    ///
    /// A server keeps a share of its requests in served.db (`served_share` in the table `store`): the state and the
    /// bundle that served, all candidates, and what the ranker read of each. This folds the log to each of those states,
    /// computes the same features by the code that trains, and names the first number that differs. The first stage's
    /// scores are taken as they were. Exits with 1 if anything differs.
    Skew(AuditSkewArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditSkewArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
