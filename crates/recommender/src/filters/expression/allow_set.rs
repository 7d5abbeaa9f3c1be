use roaring::RoaringBitmap;
use shortlist_features::Catalog;

use super::{Expression, Node, Value};

/// The items that an expression leaves, as a set: what holds for a set reaches into the neighbour search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AllowSet {
    /// All items that it leaves, and perhaps others.
    pub(crate) items: RoaringBitmap,
    /// Whether there are no others.
    pub(crate) exact: bool,
}

/// Items of a set that are asked one by one rather than left for the search to ask.
const ASKED_MAX: u64 = 20_000;

impl Expression {
    /// The recommendable items that it leaves; none where nothing of it is known by sets, as with numbers in a large
    /// catalogue.
    ///
    /// **Cost**: a few passes over bitmaps of one bit per item, and one look at each of 20,000 items at most.
    pub(crate) fn allow_set(&self, catalog: &Catalog) -> Option<AllowSet> {
        let found = self.0.set(catalog).unwrap_or_else(|| AllowSet::all(catalog));
        let items = found.items & catalog.recommendable();
        if found.exact {
            return Some(AllowSet { items, exact: true });
        }
        if items.len() <= ASKED_MAX {
            let holds = |item: &u32| catalog.get(shortlist_types::ItemIdx(*item)).is_some_and(|item| self.holds(item));
            return Some(AllowSet { items: items.iter().filter(holds).collect(), exact: true });
        }
        (items.len() < catalog.recommendable().len()).then_some(AllowSet { items, exact: false })
    }
}

impl AllowSet {
    fn all(catalog: &Catalog) -> Self {
        Self { items: catalog.recommendable().clone(), exact: false }
    }
}

impl Node {
    /// A set that holds all items of which this is true; none where no such set is kept.
    fn set(&self, catalog: &Catalog) -> Option<AllowSet> {
        match self {
            Self::And(nodes) => {
                let known: Vec<_> = nodes.iter().map(|node| node.set(catalog)).collect();
                let exact = known.iter().all(|set| set.as_ref().is_some_and(|set| set.exact));
                let items = known.into_iter().flatten().map(|set| set.items).reduce(|a, b| a & b)?;
                Some(AllowSet { items, exact })
            }
            Self::Or(nodes) => {
                let known: Vec<_> = nodes.iter().map(|node| node.set(catalog)).collect::<Option<_>>()?;
                let exact = known.iter().all(|set| set.exact);
                let items = known.into_iter().map(|set| set.items).reduce(|a, b| a | b)?;
                Some(AllowSet { items, exact })
            }
            Self::Not(node) => {
                let inside = node.set(catalog).filter(|set| set.exact)?;
                Some(AllowSet { items: catalog.recommendable() - inside.items, exact: true })
            }
            Self::In(name, values) => {
                let sets = values.iter().map(|value| match value {
                    Value::Text(text) => catalog.items_with(name, text.as_str()),
                    Value::Bool(value) => catalog.items_with(name, *value),
                    Value::Number(_) => None,
                });
                let sets = sets.collect::<Option<Vec<_>>>()?;
                let items = sets.into_iter().fold(RoaringBitmap::new(), |all, set| all | set);
                Some(AllowSet { items, exact: true })
            }
            Self::NotIn(..) | Self::Within(..) => None,
        }
    }
}
