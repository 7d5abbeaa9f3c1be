//! What people and machines read: answers on stdout, all else on stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)] // the one place that prints

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

/// Prints a line of the answer.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Prints the answer as one JSON object.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Tells something beside the answer.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Tells why there is no answer, with the causes that say more.
pub(crate) fn error(error: &anyhow::Error) {
    eprint!("error: {error}");
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            eprint!(": {cause}");
            told.push_str(&cause);
        }
    }
    eprintln!();
}

/// Prints a table.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    println!("{table}");
}
