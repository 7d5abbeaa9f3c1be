use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use shortlist_import::BenchmarkFormat;
use shortlist_retrieval::Metric;
use shortlist_training::benchmark::{RankingChoice, Slice};
use shortlist_training::retrieval::RetrievalModel;
use shortlist_types::Timestamp;
use shortlist_types::limits::K_MAX;

/// Which k of these millions of items should this user see now?
///
/// A two-stage recommender in one binary: it learns from a stream of events and answers over REST and
/// gRPC. Start with `shortlist quickstart`.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Whether the command ends in a server, whose log people want to read.
    pub(crate) fn is_server(&self) -> bool {
        match &self.command {
            Command::Serve(_) => true,
            Command::Quickstart(args) => !args.exit,
            _ => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Simulate a marketplace, train on it, and serve it
    Quickstart(QuickstartArgs),
    /// Read a catalogue and a click stream into a store
    Import(ImportArgs),
    /// Train both stages on a store's log, evaluate them, and publish them as one bundle
    Train(TrainArgs),
    /// Serve a store over REST and gRPC on one port
    Serve(ServeArgs),
    /// Recommend to one user, without a server
    Recommend(RecommendArgs),
    /// Measure how good recommendations are
    #[command(subcommand)]
    Evaluate(EvaluateCommand),
    /// Build, measure and verify an index of vectors from a file, outside any store
    #[command(subcommand)]
    Index(IndexCommand),
    /// Check, export and mend the log
    #[command(subcommand)]
    Log(LogCommand),
    /// Look at a store, back it up and restore it
    #[command(subcommand)]
    Store(StoreCommand),
    /// List, show, promote and roll back bundles
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Print or check a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Which store, and how it is configured.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct StoreArgs {
    /// Folder that holds everything: log, bundles, registry
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Configuration; without it STORE/shortlist.toml, and without that the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct QuickstartArgs {
    /// Folder of the store; an existing quickstart is served as it is
    #[arg(long, value_name = "DIR", default_value = "./shortlist-quickstart")]
    pub(crate) store: PathBuf,
    /// Address to serve on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Users of the simulated marketplace [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) users: Option<usize>,
    /// Items of its catalogue [default: 2000]
    #[arg(long, value_name = "N")]
    pub(crate) items: Option<usize>,
    /// Events of its log [default: 400000]
    #[arg(long, value_name = "N")]
    pub(crate) events: Option<usize>,
    /// Seed of everything random [default: 42]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Last day of the simulated time, such as 2026-01-31T00:00:00Z [default: last midnight UTC]
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) until: Option<Timestamp>,
    /// Stop after the sample instead of serving
    #[arg(long)]
    pub(crate) exit: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Format of the data; docs/import.md describes each
    #[arg(value_name = "FORMAT", value_parser = ["movielens-100k", "movielens-1m", "jsonl", "csv"])]
    pub(crate) format: String,
    /// Folder or file to read
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Share of rows that may be bad before the whole import is refused, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    pub(crate) max_bad_share: f64,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// When a trained bundle is put into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PromoteArg {
    /// When the gate lets it through
    Gate,
    /// Whatever the gate says
    Always,
    /// Not now: `shortlist registry promote` does it later
    Never,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Seed of everything random
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub(crate) seed: u64,
    /// When the new bundle starts to serve
    #[arg(long, value_enum, default_value_t = PromoteArg::Gate)]
    pub(crate) promote: PromoteArg,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Address to serve on, REST and gRPC alike
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RecommendArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Who asks
    #[arg(long, value_name = "ID")]
    pub(crate) user: String,
    /// How many items
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    /// Where the list is shown
    #[arg(long, value_name = "NAME", default_value = shortlist_recommender::DEFAULT_SURFACE,
          value_parser = [shortlist_recommender::DEFAULT_SURFACE])]
    pub(crate) surface: String,
    /// Say why each item stands where it stands
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print the answer as REST gives it
    #[arg(long)]
    pub(crate) json: bool,
}

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
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Build an index of the rows of a .npy file; an item is the number of its row
    Build(IndexBuildArgs),
    /// Measure recall and speed of an index on one thread, from fast to exact
    ///
    /// Each row is one pass over the queries to warm up, then three that are timed query by query, of
    /// which the best counts. The exact row takes at most 100 queries, because it is slow.
    Bench(IndexBenchArgs),
    /// Check every byte of an index, and every rule that a search relies on
    Verify(IndexVerifyArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct IndexBuildArgs {
    /// Matrix of float32 (or float64, float16), one row per item
    #[arg(long, value_name = "FILE")]
    pub(crate) vectors: PathBuf,
    /// Folder to write index.shortlist into
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How near an item is to a query: inner product, cosine, or Euclidean distance
    #[arg(long, value_name = "METRIC", default_value = Metric::Ip.name(),
          value_parser = PossibleValuesParser::new(Metric::ALL.map(Metric::name)).try_map(metric))]
    pub(crate) metric: Metric,
    /// Threads to build with; any number gives the same index [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Vectors per leaf, about: 8 to 1024 [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) leaf_points: Option<usize>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct IndexBenchArgs {
    /// Folder of `index build`, or an index file
    #[arg(long, value_name = "DIR")]
    pub(crate) index: PathBuf,
    /// Matrix of queries in a .npy file, one row each, of the index's dimensions
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: PathBuf,
    /// Neighbours per query; more than there are items means all of them
    #[arg(short, long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) k: u32,
    /// Matrix of the true ids in a .npy file, a row of K or more per query; without it the index's own
    /// exact search finds them
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// Take so many of the queries [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_queries: Option<u32>,
    /// How hard to search, one row each; an exact row comes last
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..),
          default_values_t = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800])]
    pub(crate) ef_search: Vec<u32>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct IndexVerifyArgs {
    /// Folder of `index build`, or an index file
    #[arg(value_name = "DIR")]
    pub(crate) index: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every record, every event id and every page, and name what is damaged
    Verify(LogVerifyArgs),
    /// Copy what can be read of a damaged log into a new store, and say what is lost
    ///
    /// Records are numbered anew: bundles of the damaged store do not fit, so train again.
    Salvage(LogSalvageArgs),
    /// Write records as JSON lines or CSV, for any other tool; also beside a live server
    ///
    /// `import jsonl` reads the events, items and users of the JSON lines back. Deletions have kinds of
    /// their own, and what is left of erased users has kind `erased`.
    Export(LogExportArgs),
    /// Remove all records of a user from a store that no server owns; a live one takes
    /// DELETE /v1/users/{id}?erase=true
    ///
    /// Checkpoints that hold him are removed, too. Bundles forget him when they are replaced: train anew,
    /// and the store keeps as many of the old ones as `bundles_kept` says.
    Erase(LogEraseArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogVerifyArgs {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogSalvageArgs {
    /// Folder of the damaged store; it is not changed
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Folder of the new store
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object per line
    Jsonl,
    /// One row per record; attributes and context as JSON in one column
    Csv,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogExportArgs {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// How records are written
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// Records of this user alone
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
    /// Begin after this record
    #[arg(long, value_name = "LOG_SEQ", default_value_t = 0)]
    pub(crate) after: u64,
    /// File to write, which must not exist [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogEraseArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Who
    #[arg(long, value_name = "ID")]
    pub(crate) user: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Counts, time span, sizes, checkpoints and bundles
    Info(StoreInfoArgs),
    /// Copy log, checkpoints and bundles into a new folder, all checked; also beside a live server
    ///
    /// The copy is a store like any other: `serve` and `log verify` take it.
    Backup(StoreBackupArgs),
    /// Copy a backup into a folder that is empty or does not exist, all checked
    Restore(StoreRestoreArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StoreInfoArgs {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StoreBackupArgs {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Folder of the copy, which is empty or does not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StoreRestoreArgs {
    /// Folder of the backup
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Folder of the store, which is empty or does not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// All bundles, the newest first
    List(RegistryArgs),
    /// One bundle: provenance, report, coefficients; the current one without ID
    Show(RegistryBundleArgs),
    /// Put a bundle into service
    Promote(RegistryBundleArgs),
    /// Put the bundle before the current one back into service
    Rollback(RegistryArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryArgs {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RegistryBundleArgs {
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    /// Name of the bundle, such as b-0123456789abcdef
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the default configuration, with a comment on every key
    Init,
    /// Say whether a configuration can be used, and if not what is wrong on which line
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.reason)
}

fn metric(name: String) -> Result<Metric, String> {
    Metric::ALL.into_iter().find(|metric| metric.name() == name).ok_or_else(|| "must be a known metric".to_owned())
}

fn part(text: &str) -> Result<f64, String> {
    let part: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if part > 0.0 && part < 1.0 { Ok(part) } else { Err("must be above 0 and below 1".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be 0 to 1".to_owned()) }
}
