use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use shortlist_features::{Catalog, CatalogItem};
use shortlist_ranking::{Category, Hashing, Quantiles, Vocabulary};
use shortlist_types::{InvalidInput, ItemIdx};

use super::category_schema::{Attributed, CategorySource, Encoding, ITEM_ID, Whose};
use super::raw_categories::RawValue;
use super::{CategoryIds, CategorySchema, RawCategories, RawRow};
use crate::RequestContext;

/// The encoders of a bundle's categories: fitted on training rows, used unchanged in serving.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<FittedCategory>", into = "Vec<FittedCategory>")]
pub struct CategoryEncoders {
    fitted: Vec<FittedCategory>,
    /// Per category, the id of each numbered text, [`OTHER`] of another attribute's: so no text is hashed per candidate.
    /// None of a category whose texts are not all numbered.
    by_label: OnceLock<Vec<Option<Vec<u32>>>>,
}

/// That a numbered text belongs to another attribute.
const OTHER: u32 = u32::MAX;

impl From<Vec<FittedCategory>> for CategoryEncoders {
    fn from(fitted: Vec<FittedCategory>) -> Self {
        Self { fitted, by_label: OnceLock::new() }
    }
}

impl From<CategoryEncoders> for Vec<FittedCategory> {
    fn from(encoders: CategoryEncoders) -> Self {
        encoders.fitted
    }
}

impl PartialEq for CategoryEncoders {
    fn eq(&self, other: &Self) -> bool {
        self.fitted == other.fitted
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FittedCategory {
    name: String,
    source: CategorySource,
    encoder: Encoder,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoder {
    Vocabulary(Vocabulary),
    Hashing(Hashing),
    Quantiles(Quantiles),
}

impl Encoder {
    fn ids(&self) -> usize {
        match self {
            Self::Vocabulary(vocabulary) => vocabulary.ids(),
            Self::Hashing(hashing) => hashing.ids(),
            Self::Quantiles(quantiles) => quantiles.ids(),
        }
    }

    fn id(&self, text: &str) -> u32 {
        match self {
            Self::Vocabulary(vocabulary) => vocabulary.id(text),
            Self::Hashing(hashing) => hashing.id(text),
            // Numbers are not asked for by text.
            Self::Quantiles(quantiles) => quantiles.id(None),
        }
    }

    /// Fits to what the rows hold of category `place`.
    fn fit(source: &CategorySource, texts: &[String], rows: &[RawRow], place: usize) -> Result<Self, InvalidInput> {
        Ok(match source.encoding {
            Encoding::Hashing => Self::Hashing(Hashing::new(source.ids())?),
            Encoding::Quantiles => {
                let numbers = rows.iter().filter_map(|row| match row.0[place] {
                    RawValue::Number(number) => number,
                    RawValue::Texts(_) => None,
                });
                Self::Quantiles(Quantiles::fit(numbers, source.ids()))
            }
            Encoding::Vocabulary => {
                let mut counts = vec![0_usize; texts.len()];
                for row in rows {
                    if let RawValue::Texts(numbers) = &row.0[place] {
                        numbers.iter().for_each(|number| counts[*number as usize] += 1);
                    }
                }
                // The most frequent ones; of equals, the earlier.
                let mut order: Vec<usize> = (0..texts.len()).filter(|text| counts[*text] >= source.count_min).collect();
                order.sort_by_key(|text| std::cmp::Reverse(counts[*text]));
                order.truncate(source.ids() - 1);
                Self::Vocabulary(Vocabulary::fit(order.into_iter().map(|text| texts[text].as_str()), 1))
            }
        })
    }
}

impl CategoryEncoders {
    /// Fits an encoder per category to the training rows.
    ///
    /// # Errors
    /// Bounds that an encoder refuses.
    pub fn fit(schema: &CategorySchema, raw: &RawCategories, rows: &[RawRow]) -> Result<Self, InvalidInput> {
        let fitted = schema.iter().enumerate().map(|(place, (name, source))| {
            let encoder = Encoder::fit(source, &raw.columns[place].texts, rows, place)?;
            Ok(FittedCategory { name: name.to_owned(), source: source.clone(), encoder })
        });
        fitted.collect::<Result<Vec<_>, InvalidInput>>().map(Self::from)
    }

    /// Looks the ids of all numbered texts up, once; texts that are numbered later are looked up as they are met.
    pub(crate) fn number_texts(&self, catalog: &Catalog) {
        self.by_label.get_or_init(|| {
            let table = |FittedCategory { source, encoder, .. }: &FittedCategory| {
                let name = source.attribute.as_str();
                let is_text = source.encoding != Encoding::Quantiles && catalog.number_attribute(name).is_none();
                if source.of != Whose::Item || !is_text || !catalog.numbers_all_texts_of(name) {
                    return None;
                }
                let mut ids = vec![OTHER; catalog.labels_len()];
                catalog.texts_of(name).for_each(|(label, text)| ids[label.0 as usize] = encoder.id(text));
                // An item without this attribute may be its own text.
                (name != ITEM_ID).then_some(ids)
            };
            self.fitted.iter().map(table).collect()
        });
    }

    /// How many categories there are.
    pub fn len(&self) -> usize {
        self.fitted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fitted.is_empty()
    }

    /// Whether the category called `name` is one of them, read from this source.
    pub fn read(&self, name: &str, source: &CategorySource) -> bool {
        self.fitted.iter().any(|fitted| fitted.name == name && fitted.source == *source)
    }

    /// What a row's schema says of them.
    pub fn categories(&self) -> Vec<Category> {
        self.fitted.iter().map(|fitted| Category { name: fitted.name.clone(), ids: fitted.encoder.ids() }).collect()
    }

    /// Calls `visit` with the ids of each category of a training row, in order.
    pub fn encode_rows<'a, E>(
        &'a self,
        raw: &'a RawCategories,
        rows: &'a [RawRow],
        mut visit: impl FnMut(usize, &[&[u32]]) -> Result<(), E>,
    ) -> Result<(), E> {
        let encode = |(fitted, column): (&FittedCategory, &super::raw_categories::RawColumn)| -> Vec<u32> {
            column.texts.iter().map(|text| fitted.encoder.id(text)).collect()
        };
        let of_texts: Vec<Vec<u32>> = self.fitted.iter().zip(&raw.columns).map(encode).collect();
        let mut ids: Vec<Vec<u32>> = vec![Vec::new(); self.fitted.len()];
        for (number, row) in rows.iter().enumerate() {
            for (((value, of_texts), fitted), ids) in row.0.iter().zip(&of_texts).zip(&self.fitted).zip(&mut ids) {
                ids.clear();
                match (value, &fitted.encoder) {
                    (RawValue::Texts(texts), _) => {
                        ids.extend(texts.iter().map(|text| of_texts[*text as usize]));
                        ids.sort_unstable();
                        ids.dedup();
                    }
                    (RawValue::Number(number), Encoder::Quantiles(quantiles)) => ids.push(quantiles.id(*number)),
                    (RawValue::Number(_), _) => {}
                }
            }
            let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
            visit(number, &ids)?;
        }
        Ok(())
    }

    /// Writes the ids of all `items` of a request to `to`, each candidate's ascending, once each. An item that the
    /// catalogue does not know has none of its own.
    ///
    /// **Cost**: what is the user's or the context's is encoded once; of an item's texts, a few nanoseconds each.
    pub(crate) fn encode(
        &self,
        request: &RequestContext<'_>,
        items: impl Iterator<Item = ItemIdx> + Clone,
        to: &mut CategoryIds,
    ) {
        let catalog = request.state.catalog();
        to.clear(self.fitted.len());
        for (place, fitted) in self.fitted.iter().enumerate() {
            let number = catalog.number_attribute(&fitted.source.attribute);
            let by_label = self.by_label.get().and_then(|tables| tables.get(place)?.as_deref());
            for item in items.clone() {
                if let Some(item) = catalog.get(item)
                    && !by_label.is_some_and(|ids| push_numbered(item, ids, place, to))
                {
                    let (user, context) = (&*request.user, &request.context);
                    fitted.push(Attributed { item, user, context }, number, place, to);
                }
                to.end_candidate(place);
                if fitted.source.of != Whose::Item {
                    to.share(place);
                    break;
                }
            }
        }
    }
}

impl FittedCategory {
    fn push(&self, whose: Attributed<'_>, number: Option<u16>, place: usize, to: &mut CategoryIds) {
        match &self.encoder {
            Encoder::Quantiles(quantiles) => to.push(place, quantiles.id(self.source.number(whose, number))),
            encoder => self.source.texts(whose, &mut |text| to.push(place, encoder.id(text))),
        }
    }
}

/// Adds the ids of an item's numbered texts; `false`, and nothing, if one of them is newer than the table.
fn push_numbered(item: &CatalogItem, ids: &[u32], place: usize, to: &mut CategoryIds) -> bool {
    // Ascending: the last is the newest.
    if item.labels().last().is_some_and(|label| label.0 as usize >= ids.len()) {
        return false;
    }
    let of_category = item.labels().iter().map(|label| ids[label.0 as usize]).filter(|id| *id != OTHER);
    of_category.for_each(|id| to.push(place, id));
    true
}
