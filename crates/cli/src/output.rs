//! What people and machines read: answers on stdout, all else on stderr.

use std::io::{ErrorKind, Write};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

/// Prints a line of the answer. Who reads no further, as `head` does, has what he wanted: the command ends.
pub(crate) fn line(text: &str) {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => note(&format!("error: stdout cannot be written: {error}")),
        Ok(()) => {}
    }
}

/// Prints the answer as one JSON object.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Whether whoever reads the log is a program.
pub(crate) fn logs_are_json() -> bool {
    std::env::var("SHORTLIST_LOG_FORMAT").is_ok_and(|format| format == "json")
}

/// Tells something beside the answer. Who does not want to hear it, or cannot, keeps nobody from working.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tells why there is no answer, with the causes that say more.
pub(crate) fn error(error: &anyhow::Error) {
    let mut told = format!("error: {error}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    note(&told);
}

/// Prints a table.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    line(&table.to_string());
}
