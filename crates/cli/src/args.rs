mod audit;
mod evaluate;
mod experiment;
mod features;
mod keys;
mod loadtest;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use shortlist_retrieval::Metric;
use shortlist_types::Timestamp;

use crate::doors::DoorArgs;

pub(crate) use audit::{AuditCommand, AuditSkewArgs};
pub(crate) use evaluate::{
    EvaluateColdStartArgs, EvaluateCommand, EvaluateRankingArgs, EvaluateRetrievalArgs, EvaluateStoreArgs,
};
pub(crate) use experiment::{ExperimentAssignArgs, ExperimentCommand, ExperimentReportArgs};
pub(crate) use features::{FeaturesCommand, FeaturesListArgs};
pub(crate) use keys::{KeysCommand, KeysListArgs, KeysNewArgs};
pub(crate) use loadtest::LoadtestArgs;
pub(crate) use store::{
    ExportFormat, LogCommand, LogEraseArgs, LogExportArgs, LogSalvageArgs, LogVerifyArgs, StoreBackupArgs,
    StoreCommand, StoreInfoArgs, StoreRestoreArgs,
};

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
    /// Whether the command trains for a server, in whose log its errors stand.
    pub(crate) fn is_background(&self) -> bool {
        matches!(&self.command, Command::Train(args) if args.background)
    }

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
    /// Compare variants of a surface by what their users did
    #[command(subcommand)]
    Experiment(ExperimentCommand),
    /// Look at what the ranker reads
    #[command(subcommand)]
    Features(FeaturesCommand),
    /// Show that serving did what training does
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Build, measure and verify an index of vectors from a file, outside any store
    #[command(subcommand)]
    Index(IndexCommand),
    /// Send requests to a running server at a rate, and measure what becomes of them
    ///
    /// An open loop: requests leave at random times drawn before, whether or not earlier ones have been answered, and
    /// the time of each counts from the moment at which it should have left. So a stall of the server costs everybody
    /// who came meanwhile, as it would in service.
    ///
    /// Reads are recommendations for users drawn at random. With `--writes` a share of the requests are events, about
    /// items that the server recommended; they go into its log for good.
    Loadtest(LoadtestArgs),
    /// Check, export and mend the log
    #[command(subcommand)]
    Log(LogCommand),
    /// Look at a store, back it up and restore it
    #[command(subcommand)]
    Store(StoreCommand),
    /// List, show, promote and roll back bundles
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Make API keys and list them
    #[command(subcommand)]
    Keys(KeysCommand),
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
    /// Let all other processes go first, end with the one that started it, and log like a server
    #[arg(long)]
    pub(crate) background: bool,
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
    /// Train so often while serving, such as 6h, in a process of its own at low priority; what passes the gate serves
    #[arg(long, value_name = "TIME", value_parser = crate::scheduled_training::parse_every)]
    pub(crate) train_every: Option<std::time::Duration>,
    /// Address of the administrator's routes [default: 127.0.0.1, at the port after that of --listen]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// File of the API keys; before `keys_file` of the configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
}

impl ServeArgs {
    /// Where it is to listen.
    pub(crate) fn doors(&self) -> DoorArgs {
        let Self { listen, admin_listen, keys, .. } = self;
        DoorArgs { listen: *listen, admin_listen: *admin_listen, keys: keys.clone() }
    }
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
    /// Where the list is shown: a surface of the configuration
    #[arg(long, value_name = "NAME", default_value = shortlist_recommender::DEFAULT_SURFACE)]
    pub(crate) surface: String,
    /// The item that the list is about, for surfaces that are about one, such as similar-items
    #[arg(long, value_name = "ID")]
    pub(crate) item: Option<String>,
    /// What the items must be, such as 'genre = "Drama" and price < 20'
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) filter: Option<String>,
    /// Say why each item stands where it stands
    #[arg(long)]
    pub(crate) explain: bool,
    /// Say why this item is not in the list, or where it is; may be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) why_not: Vec<String>,
    /// Print the answer as REST gives it
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

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be 0 to 1".to_owned()) }
}
