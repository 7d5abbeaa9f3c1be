use shortlist_ranking::Ids;

/// The ids of each category of a request's candidates: a buffer that requests take over from each other.
#[derive(Debug, Default)]
pub struct CategoryIds {
    columns: Vec<Column>,
    count: usize,
}

#[derive(Debug, Default)]
struct Column {
    ids: Vec<u32>,
    ends: Vec<u32>,
    shared: bool,
}

impl Column {
    fn of(&self, candidate: usize) -> &[u32] {
        if self.shared {
            return &self.ids;
        }
        let start = candidate.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.ids[start..self.ends[candidate] as usize]
    }

    fn read(&self) -> Ids<'_> {
        if self.shared { Ids::Shared(&self.ids) } else { Ids::Lists { ids: &self.ids, ends: &self.ends } }
    }
}

impl CategoryIds {
    /// Empties it, for so many categories.
    pub fn clear(&mut self, categories: usize) {
        self.columns.resize_with(categories.max(self.columns.len()), Column::default);
        self.count = categories;
        for column in &mut self.columns {
            column.ids.clear();
            column.ends.clear();
            column.shared = false;
        }
    }

    /// Adds an id of category `place` to the candidate that is being written.
    pub fn push(&mut self, place: usize, id: u32) {
        self.columns[place].ids.push(id);
    }

    /// The next id of category `place` is the next candidate's; this one's are put in order.
    pub fn end_candidate(&mut self, place: usize) {
        let column = &mut self.columns[place];
        let start = column.ends.last().map_or(0, |end| *end as usize);
        column.ids[start..].sort_unstable();
        // Once each: a list may repeat itself, and several unknown texts are one.
        let mut kept = start;
        for at in start..column.ids.len() {
            if at == start || column.ids[at] != column.ids[kept - 1] {
                column.ids[kept] = column.ids[at];
                kept += 1;
            }
        }
        column.ids.truncate(kept);
        column.ends.push(column.ids.len() as u32); // bounded by candidates and texts of an attribute
    }

    /// Category `place` is the same for all candidates.
    pub(crate) fn share(&mut self, place: usize) {
        self.columns[place].shared = true;
    }

    /// The ids of one candidate, by category.
    pub(crate) fn of_candidate(&self, candidate: usize) -> Vec<&[u32]> {
        self.columns[..self.count].iter().map(|column| column.of(candidate)).collect()
    }

    /// As a model reads them.
    pub(crate) fn columns(&self) -> Vec<Ids<'_>> {
        self.columns[..self.count].iter().map(Column::read).collect()
    }
}
