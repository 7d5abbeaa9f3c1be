use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::StoreArgs;

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
