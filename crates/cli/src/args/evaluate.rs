use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Subcommand};
use shortlist_import::BenchmarkFormat;
use shortlist_training::benchmark::{RankingChoice, Slice};
use shortlist_training::retrieval::RetrievalModel;
use shortlist_types::limits::K_MAX;

use super::StoreArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum EvaluateCommand {
    /// Both stages of the promoted bundle, as served, on the latest slice of the store's log
    Store(EvaluateStoreArgs),
    /// The first stage on files with a given split, as published recommenders are compared
    ///
    /// Models are chosen on --valid, which is never trained on, or on a slice that is cut from --train and
    /// put back for the final fit. Lists come from the sources, filters and index that serve. The pairs of
    /// --train are masked and nothing else; every item of any file may be listed.
    ///
    /// Formats: `adjacency` has lines `user item item ...`. `leave-one-out` has lines `user item [rating
    /// [time]]`, one item per user in the test; --negatives has a line `(user,item) negative ...` or `user
    /// negative ...` for each test case, and without it an item is ranked among all. `sequence` is one file
    /// of lines `user item item ...` in order of time: the last item is the test, the one before it
    /// validation, so --test is not needed. Fields are parted by tabs or blanks.
    Retrieval(Box<EvaluateRetrievalArgs>),
    /// New items and new users: hides some of the store's own, fits the first stage, and asks who finds them
    ///
    /// All that was done with a hidden item, and all that a hidden user did, is left out of training. Then
    /// the items are put, as by a catalogue just now, and the users come back with nothing but their
    /// attributes. Only items and users with attributes can be hidden. Nothing is written to the store.
    ColdStart(EvaluateColdStartArgs),
    /// The second stage's models on tables with a given split, as published click models are compared
    ///
    /// Tables are csv with a header: first the column `label`, 0 or 1, then categories. Encoders are fitted
    /// on --train; --valid stops the fit and chooses; --test is judged once, by the form that serves. The
    /// history of a pair of columns (how often these two met before, and how it ended) is read if it lifts
    /// logistic regression on --valid.
    Ranking(EvaluateRankingArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateColdStartArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Share of the described items, and of the described users, that is hidden, above 0 and below 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = part)]
    pub(crate) share: f64,
    /// Length of the lists, 1 to 500
    #[arg(short, long, value_name = "K", default_value_t = 20, value_parser = list_length)]
    pub(crate) k: usize,
    /// Seed of what is hidden and of everything else random
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateRankingArgs {
    /// What is trained on
    #[arg(long, value_name = "FILE")]
    pub(crate) train: PathBuf,
    /// What stops the fit and chooses; never trained on
    #[arg(long, value_name = "FILE")]
    pub(crate) valid: PathBuf,
    /// What is judged
    #[arg(long, value_name = "FILE")]
    pub(crate) test: PathBuf,
    /// Which model; `best` is the one, or the average, that does best on --valid
    #[arg(long, value_parser = PossibleValuesParser::new(RankingChoice::ALL.map(RankingChoice::name))
          .map(|name| named(RankingChoice::ALL, RankingChoice::name, &name)))]
    pub(crate) model: RankingChoice,
    /// Read no history of pairs: the columns alone, as the published models do
    #[arg(long)]
    pub(crate) no_history: bool,
    /// Folder to draw roc.svg and reliability.svg into
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateRetrievalArgs {
    /// What is trained on; for `sequence` the one file that holds everything
    #[arg(long, value_name = "FILE")]
    pub(crate) train: PathBuf,
    /// What models are chosen on
    #[arg(long, value_name = "FILE")]
    pub(crate) valid: Option<PathBuf>,
    /// What is judged
    #[arg(long, value_name = "FILE")]
    pub(crate) test: Option<PathBuf>,
    /// The items among which each test item is ranked
    #[arg(long, value_name = "FILE")]
    pub(crate) negatives: Option<PathBuf>,
    /// How the files are written
    #[arg(long, value_parser = PossibleValuesParser::new(BenchmarkFormat::ALL.map(BenchmarkFormat::name))
          .try_map(|name| name.parse::<BenchmarkFormat>()))]
    pub(crate) format: BenchmarkFormat,
    /// Which model; `best` is the blend that does best on validation [default: as configured, best]
    #[arg(long, value_parser = PossibleValuesParser::new(RetrievalModel::ALL.map(RetrievalModel::name))
          .map(|name| named(RetrievalModel::ALL, RetrievalModel::name, &name)))]
    pub(crate) model: Option<RetrievalModel>,
    /// Length of the lists, 1 to 500
    #[arg(short, long, value_name = "K", default_value_t = 20, value_parser = list_length)]
    pub(crate) k: usize,
    /// Slice of --train to choose on if there is no --valid [default: contiguous for adjacency, else
    /// leave-one-out]
    #[arg(long, conflicts_with = "valid", value_parser = PossibleValuesParser::new(Slice::CUT.map(Slice::name))
          .map(|name| named(Slice::CUT, Slice::name, &name)))]
    pub(crate) slice: Option<Slice>,
    /// Hyper-parameters tried per model, the first those of the configuration [default: as configured, 4]
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<usize>,
    /// Seconds after which no further trial of a model begins
    #[arg(long, value_name = "S")]
    pub(crate) seconds_max: Option<f64>,
    /// Folder that keeps the trials, so that a search that was stopped goes on where it was
    #[arg(long, value_name = "DIR")]
    pub(crate) study: Option<PathBuf>,
    /// Configuration, of which `[training.retrieval]` is read
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// The value with this name; clap lets no other name through.
fn named<T: Copy, const N: usize>(all: [T; N], name: fn(T) -> &'static str, text: &str) -> T {
    all.into_iter().find(|value| name(*value) == text).unwrap_or(all[0])
}

fn list_length(text: &str) -> Result<usize, String> {
    let k: usize = text.parse().map_err(|_| "expected a whole number".to_owned())?;
    if (1..=K_MAX).contains(&k) { Ok(k) } else { Err(format!("must be 1 to {K_MAX}")) }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateStoreArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Seed of the bootstrap intervals
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Compare lists with so much diversity (`rerank.diversity`), one row each
    #[arg(long, value_name = "D,D,...", value_delimiter = ',', value_parser = diversity,
          default_values_t = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0])]
    pub(crate) diversity: Vec<f64>,
    /// Say how far the lists' values of an attribute are from those of the users' histories; several parted by commas
    #[arg(long, value_name = "ATTRIBUTE", value_delimiter = ',')]
    pub(crate) calibration_of: Vec<String>,
    /// Draw what diversity costs in NDCG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

fn diversity(text: &str) -> Result<f64, String> {
    let diversity: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&diversity) { Ok(diversity) } else { Err("must be 0 to 1".to_owned()) }
}

fn part(text: &str) -> Result<f64, String> {
    let part: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if part > 0.0 && part < 1.0 { Ok(part) } else { Err("must be above 0 and below 1".to_owned()) }
}
