use std::path::{Path, PathBuf};

use crate::ImportError;

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Item,
    User,
    Event,
}

/// Where the tables of `jsonl` and `csv` lie: `items`, `users` and `events` in a folder, or one file.
#[derive(Debug, PartialEq)]
pub(crate) struct TableFiles {
    pub(crate) folder: PathBuf,
    /// Catalogue before events, as the report should list them.
    pub(crate) tables: Vec<(Kind, String)>,
}

impl TableFiles {
    /// The tables at `path`. In a folder events are needed, items and users are not; a file alone holds events.
    ///
    /// # Errors
    /// The path leads nowhere, or the folder has no table of events.
    pub(crate) fn find(path: &Path, extension: &str) -> Result<Self, ImportError> {
        if !path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file());
            let name = name.ok_or_else(|| ImportError::NotAFile { path: path.to_owned() })?;
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            return Ok(Self { folder, tables: vec![(Kind::Event, name.to_owned())] });
        }
        let named = [(Kind::Item, "items"), (Kind::User, "users"), (Kind::Event, "events")];
        let tables: Vec<_> = named
            .into_iter()
            .map(|(kind, name)| (kind, format!("{name}.{extension}")))
            .filter(|(kind, name)| *kind == Kind::Event || path.join(name).is_file())
            .collect();
        Ok(Self { folder: path.to_owned(), tables })
    }

    /// The names of the files.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|(_, name)| name.as_str())
    }
}
