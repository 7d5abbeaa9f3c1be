use clap::{Args as ClapArgs, Subcommand};

use super::StoreArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum FeaturesCommand {
    /// List what the ranker reads: source, type, default, and importance in the promoted bundle
    ///
    /// The features are those of the table `features` in the configuration: what the next training will use. The importance is
    /// how much of the AUC is lost when a feature's numbers are shuffled among the training rows; a feature that the
    /// promoted bundle does not read, or reads as another kind, has none.
    List(FeaturesListArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FeaturesListArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
