use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use shortlist_gateway::{Priority, Role};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, print it once, and keep its hash in a file
    ///
    /// A server that was started with the file reads it again within a second. A key is taken back by removing its
    /// table from the file.
    New(KeysNewArgs),
    /// List the keys of a file; it holds no secrets
    List(KeysListArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KeysNewArgs {
    /// What it may do: read, write or admin; each may do what those before it may
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Role,
    /// Whose it is, for people
    #[arg(long, value_name = "NAME", default_value = "unnamed")]
    pub(crate) name: String,
    /// Requests that it may make in a second [default: as many as it likes]
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_second: Option<u32>,
    /// `low`: its requests take what others leave over, and are refused first, whatever they ask for
    #[arg(long, value_name = "PRIORITY", default_value_t)]
    pub(crate) priority: Priority,
    /// File that its hash is added to; made if it is not there
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KeysListArgs {
    /// The file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}
