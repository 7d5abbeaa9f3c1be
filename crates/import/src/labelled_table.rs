use std::collections::HashMap;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use shortlist_types::InvalidInput;

use crate::files::Files;
use crate::limits::LABELLED_ROWS_MAX;
use crate::{BadRow, ImportError};

/// Rows of categories with a label each: what click models are compared on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledTable {
    /// Names of the columns, without the label's.
    pub columns: Vec<String>,
    /// Whether the outcome happened, by row.
    pub labels: Vec<bool>,
    /// The texts of each column that occur, in order of first occurrence.
    pub texts: Vec<Vec<String>>,
    /// Rows x columns, row-major: places among the texts of the column.
    pub cells: Vec<u32>,
}

impl LabelledTable {
    /// The text of a cell.
    pub fn text(&self, row: usize, column: usize) -> &str {
        &self.texts[column][self.cells[row * self.columns.len() + column] as usize]
    }
}

/// Reads tables with a header whose first column is `label`, 0 or 1; every other column is a category,
/// whatever its texts look like. All tables must have the same columns.
///
/// `progress` hears the bytes read so far and the bytes to read in all.
///
/// **Shapes**: at most [`LABELLED_ROWS_MAX`] rows per table.
/// **Cost**: one pass and a look-up per cell; 4 bytes per cell.
/// **Errors**: a file that cannot be read, a header without label or unlike the first table's, and the
/// first row that is not as above, with file and line.
pub fn read_labelled_tables(
    paths: &[&Path],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<LabelledTable>, ImportError> {
    let mut files = Files::at(paths.iter().copied(), progress)?;
    let mut tables: Vec<LabelledTable> = Vec::with_capacity(paths.len());
    for path in paths {
        let table = read_one(&mut files, path)?;
        if let Some(first) = tables.first().filter(|first| first.columns != table.columns) {
            let expected = first.columns.join(", ");
            let reason =
                format!("must be label, {expected} as in the first file, got label, {}", table.columns.join(", "));
            return Err(header(path, reason));
        }
        tables.push(table);
    }
    Ok(tables)
}

fn header(path: &Path, reason: String) -> ImportError {
    ImportError::Header { file: path.display().to_string(), reason: InvalidInput::new("header", reason) }
}

fn read_one(files: &mut Files<'_>, path: &Path) -> Result<LabelledTable, ImportError> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(files.open(path)?);
    let name = path.display().to_string();
    let bad = |line: u64, reason: &str| ImportError::BadLine(BadRow::new(&name, line, reason));
    let mut record = StringRecord::new();
    let advance = |reader: &mut csv::Reader<_>, record: &mut StringRecord| {
        reader.read_record(record).map_err(|error| match error.position() {
            Some(position) => bad(position.line(), &error.to_string()),
            None => ImportError::Io(std::io::Error::other(error.to_string())),
        })
    };
    let found = advance(&mut reader, &mut record)?;
    let mut names = record.iter().map(|cell| cell.trim_start_matches('\u{feff}').trim().to_owned());
    if !found || names.next().as_deref() != Some("label") {
        let got = record.get(0).unwrap_or_default();
        return Err(header(path, format!("must begin with the column label, got {got:?}")));
    }
    let columns: Vec<String> = names.collect();
    if columns.is_empty() {
        return Err(header(path, "must name a category beside the label".to_owned()));
    }
    let mut ids: Vec<HashMap<String, u32>> = vec![HashMap::new(); columns.len()];
    let (mut labels, mut cells) = (Vec::new(), Vec::new());
    while advance(&mut reader, &mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.len() + 1 {
            return Err(bad(line, &format!("expected {} cells, got {}", columns.len() + 1, record.len())));
        }
        let mut row = record.iter().map(str::trim);
        labels.push(match row.next() {
            Some("1") => true,
            Some("0") => false,
            other => return Err(bad(line, &format!("label: must be 0 or 1, got {:?}", other.unwrap_or_default()))),
        });
        if labels.len() > LABELLED_ROWS_MAX {
            return Err(bad(line, &format!("more than {LABELLED_ROWS_MAX} rows: take a sample")));
        }
        for (ids, text) in ids.iter_mut().zip(row) {
            let id = match ids.get(text) {
                Some(id) => *id,
                None => {
                    let id = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                    ids.insert(text.to_owned(), id);
                    id
                }
            };
            cells.push(id);
        }
    }
    if labels.is_empty() {
        return Err(ImportError::NothingThere { file: name, expected: "rows after the header" });
    }
    let texts = ids.into_iter().map(|ids| {
        let mut texts: Vec<(u32, String)> = ids.into_iter().map(|(text, id)| (id, text)).collect();
        texts.sort_unstable();
        texts.into_iter().map(|(_, text)| text).collect()
    });
    Ok(LabelledTable { texts: texts.collect(), columns, labels, cells })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Vec<LabelledTable>, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..texts.len()).map(|i| folder.path().join(format!("{i}.csv"))).collect();
        for (name, text) in names.iter().zip(texts) {
            fs_err::write(name, text).unwrap();
        }
        read_labelled_tables(&names.iter().map(|name| name.as_path()).collect::<Vec<_>>(), &mut |_, _| ())
    }

    #[test]
    fn cells_are_texts_by_column() {
        let tables = read(&["\u{feff}label,user,item\r\n1,a,\"x,y\"\r\n0, b ,\n1,a,\n"]).unwrap();
        let table = &tables[0];
        assert_eq!(
            (table.columns.as_slice(), table.labels.as_slice()),
            (&["user".into(), "item".into()][..], &[true, false, true][..])
        );
        let texts: Vec<_> = (0..3).flat_map(|row| [table.text(row, 0), table.text(row, 1)]).collect();
        assert_eq!(texts, ["a", "x,y", "b", "", "a", ""]);
    }

    #[test]
    fn the_first_bad_row_is_named_with_file_and_line() {
        for (texts, expected) in [
            (&[""][..], "must begin with the column label, got \"\""),
            (&["user,label\na,1\n"], "must begin with the column label, got \"user\""),
            (&["label\n1\n"], "must name a category beside the label"),
            (&["label,a\n"], "expected rows after the header, got none"),
            (&["label,a\n1,x\n2,y\n"], "0.csv:3: label: must be 0 or 1, got \"2\""),
            (&["label,a\n1,x\nnan,y\n"], "0.csv:3: label: must be 0 or 1, got \"nan\""),
            (&["label,a\n1,x,3\n"], "0.csv:2: expected 2 cells, got 3"),
            (&["label,a\n1,x\n", "label,b\n1,x\n"], "must be label, a as in the first file, got label, b"),
        ] {
            let error = read(texts).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(read_labelled_tables(&[Path::new("/nowhere.csv")], &mut |_, _| ()).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs_err::write(&path, b"label,a\n1,x\n0,\xff\xfe\n").unwrap();
        let error = read_labelled_tables(&[&path], &mut |_, _| ()).unwrap_err().to_string();
        assert!(error.contains("a.csv:3") && error.contains("UTF-8"), "{error}");
    }
}
