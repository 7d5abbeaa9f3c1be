use serde::{Deserialize, Serialize};
use shortlist_ranking::{Category, Hashing, Quantiles, Vocabulary};
use shortlist_types::{InvalidInput, ItemIdx};

use super::category_schema::{Attributed, CategorySource, Encoding, Whose};
use super::raw_categories::RawValue;
use super::{CategoryIds, CategorySchema, RawCategories, RawRow};
use crate::RequestContext;

/// The encoders of a bundle's categories: fitted on training rows, used unchanged in serving.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CategoryEncoders(Vec<FittedCategory>);

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
        fitted.collect::<Result<_, InvalidInput>>().map(Self)
    }

    /// How many categories there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the category called `name` is one of them, read from this source.
    pub fn read(&self, name: &str, source: &CategorySource) -> bool {
        self.0.iter().any(|fitted| fitted.name == name && fitted.source == *source)
    }

    /// What a row's schema says of them.
    pub fn categories(&self) -> Vec<Category> {
        self.0.iter().map(|fitted| Category { name: fitted.name.clone(), ids: fitted.encoder.ids() }).collect()
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
        let of_texts: Vec<Vec<u32>> = self.0.iter().zip(&raw.columns).map(encode).collect();
        let mut ids: Vec<Vec<u32>> = vec![Vec::new(); self.0.len()];
        for (number, row) in rows.iter().enumerate() {
            for (((value, of_texts), fitted), ids) in row.0.iter().zip(&of_texts).zip(&self.0).zip(&mut ids) {
                ids.clear();
                match (value, &fitted.encoder) {
                    (RawValue::Texts(texts), _) => ids.extend(texts.iter().map(|text| of_texts[*text as usize])),
                    (RawValue::Number(number), Encoder::Quantiles(quantiles)) => ids.push(quantiles.id(*number)),
                    (RawValue::Number(_), _) => {}
                }
            }
            let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
            visit(number, &ids)?;
        }
        Ok(())
    }

    /// Writes the ids of all `items` of a request to `to`. An item that the catalogue does not know has none of
    /// its own.
    ///
    /// **Cost**: what is the user's or the context's is encoded once; of each item, a hash of every text, some 40 ns.
    pub(crate) fn encode(
        &self,
        request: &RequestContext<'_>,
        items: impl Iterator<Item = ItemIdx> + Clone,
        to: &mut CategoryIds,
    ) {
        let catalog = request.state.catalog();
        to.clear(self.0.len());
        for (place, FittedCategory { source, encoder, .. }) in self.0.iter().enumerate() {
            for item in items.clone() {
                if let Some(item) = catalog.get(item) {
                    let whose = Attributed { item, user: &request.user, context: &request.context };
                    match encoder {
                        Encoder::Quantiles(quantiles) => to.push(place, quantiles.id(source.number(whose))),
                        encoder => source.texts(whose, &mut |text| to.push(place, encoder.id(text))),
                    }
                }
                to.end_candidate(place);
                if source.of != Whose::Item {
                    to.share(place);
                    break;
                }
            }
        }
    }
}
