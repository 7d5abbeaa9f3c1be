use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use fs_err::File;
use serde_json::{Value, json};
use shortlist_store::{LogReader, Store};
use shortlist_types::{LogRecord, LogSeq, UserId};

use crate::args::{ExportFormat, LogExportArgs};

/// `shortlist log export`: reads in ranges up to the record that is the last when it begins, and keeps
/// retention from overtaking it.
pub(crate) fn export(args: &LogExportArgs) -> anyhow::Result<()> {
    let user = args.user.as_deref().map(UserId::parse).transpose()?;
    let store = Store::open(&args.store)?;
    // Before the start is read, so that no cut moves it.
    let _pin = store.pin("export", LogSeq(args.after))?;
    let reader = store.reader()?;
    let up_to = reader.head()?.log_seq;
    anyhow::ensure!(args.after <= up_to.0, "--after {}: the log ends at record {}", args.after, up_to.0);
    let after = LogSeq(args.after).max(reader.start()?.log_seq);
    let wanted = Wanted { user: user.as_ref(), after, up_to };
    match &args.out {
        Some(path) => to_file(path, |file| wanted.write(&reader, args.format, file)),
        None => match wanted.write(&reader, args.format, BufWriter::new(std::io::stdout())) {
            // Whoever reads has enough, such as `head`.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            outcome => outcome,
        },
    }
}

/// Writes a file that did not exist; it appears whole or not at all.
fn to_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    anyhow::ensure!(!path.try_exists()?, "{} exists; choose another file, or remove it", path.display());
    let mut staging = path.as_os_str().to_owned();
    staging.push(".part");
    let staging = Path::new(&staging);
    let mut file = BufWriter::new(File::create(staging)?);
    let written = write(&mut file).and_then(|()| Ok(file.get_ref().sync_all()?));
    if written.is_err() {
        // Half a file is of no use, and the disk may be full.
        let _ = fs_err::remove_file(staging);
    }
    written?;
    Ok(fs_err::rename(staging, path)?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = match error.downcast_ref::<csv::Error>().map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(error)) => Some(error),
        _ => error.downcast_ref::<std::io::Error>(),
    };
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// What is exported.
struct Wanted<'a> {
    user: Option<&'a UserId>,
    after: LogSeq,
    up_to: LogSeq,
}

impl Wanted<'_> {
    fn read(
        &self,
        reader: &LogReader,
        each: &mut dyn FnMut(LogSeq, LogRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self.user {
            Some(user) => reader.read_user(user, self.after, self.up_to, each),
            None => reader.read(self.after, self.up_to, each),
        }
    }

    fn write(&self, reader: &LogReader, format: ExportFormat, mut out: impl Write) -> anyhow::Result<()> {
        match format {
            ExportFormat::Jsonl => {
                self.read(reader, &mut |_, record| Ok(writeln!(out, "{}", fields(&record)?)?))?;
                Ok(out.flush()?)
            }
            ExportFormat::Csv => {
                let mut rows = csv::Writer::from_writer(out);
                rows.write_record(COLUMNS)?;
                self.read(reader, &mut |log_seq, record| Ok(rows.write_record(cells(log_seq, &fields(&record)?))?))?;
                Ok(rows.flush()?)
            }
        }
    }
}

/// A record as `import jsonl` reads it: its fields, and its kind.
fn fields(record: &LogRecord) -> anyhow::Result<Value> {
    let (kind, mut fields, timestamp) = match record {
        LogRecord::Event(event) => ("event", serde_json::to_value(event)?, None),
        LogRecord::ItemPut { timestamp, item } => ("item", serde_json::to_value(item)?, Some(timestamp)),
        LogRecord::ItemPatch { timestamp, patch } => ("item_patch", serde_json::to_value(patch)?, Some(timestamp)),
        LogRecord::UserPut { timestamp, user } => ("user", serde_json::to_value(user)?, Some(timestamp)),
        LogRecord::ItemDelete { timestamp, item_id } => ("item_delete", json!({"item_id": item_id}), Some(timestamp)),
        LogRecord::UserDelete { timestamp, user_id } => ("user_delete", json!({"user_id": user_id}), Some(timestamp)),
        LogRecord::Erased { timestamp, item_id, .. } => ("erased", json!({"item_id": item_id}), Some(timestamp)),
    };
    fields["kind"] = kind.into();
    if let Some(timestamp) = timestamp {
        fields["timestamp"] = serde_json::to_value(timestamp)?;
    }
    Ok(fields)
}

const COLUMNS: [&str; 13] = [
    "log_seq",
    "kind",
    "timestamp",
    "user_id",
    "item_id",
    "event_type",
    "value",
    "event_id",
    "request_id",
    "position",
    "available",
    "attributes",
    "context",
];

fn cells(log_seq: LogSeq, fields: &Value) -> [String; 13] {
    COLUMNS.map(|column| match column {
        "log_seq" => log_seq.0.to_string(),
        column => match &fields[column] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    })
}
