use serde::{Deserialize, Serialize};

use crate::HalfLife;

/// What one feature is computed from. In a config it is a table: `kind` and the fields of that kind.
///
/// Features of an item are told relative to the candidates of the request before a ranker reads them; those of
/// the request alone are not, since they are the same for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FeatureKind {
    /// What the first stage scores the item by; where no model knows it, the least score of the candidates.
    RetrievalScore {},
    /// ln(1 + rank by that score among the candidates).
    RetrievalRank {},
    /// 1 if a model of the first stage knows the item.
    RetrievalKnown {},
    /// Cosine with the items that the user wanted last, at most 16.
    Similarity {
        /// How many.
        last: u8,
        /// Their mean, or the greatest.
        take: Take,
    },
    /// ln(0.1 + users who wanted the item, decayed), or ln(1 + users who ever wanted it).
    Wanted {
        /// None: ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// ln((1 + decayed) / (5 + ever)) of the users who wanted the item.
    Trend {
        /// Of the decayed count.
        half_life_days: HalfLife,
    },
    /// Share of users who wanted the item among those who said something: log-odds over the mean of all items,
    /// smoothed as by 10 users of the mean.
    WantedRate {
        /// None: ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// ln(users who wanted the item per impression / the same of all items), smoothed as by 10 users.
    TakeRate {
        /// None: ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// ln(1 + days since the item appeared).
    ItemAge {},
    /// ln(1 + days since somebody wanted it; since it appeared, if nobody did).
    ItemIdle {},
    /// Mean over the item's texts of ln(the text's decayed share of all wishes / its share of all ever).
    TextTrend {
        /// None: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
        /// Of the decayed counts.
        half_life_days: HalfLife,
    },
    /// Mean over the item's texts of ln(the text's share of wishes at this time / its share at any time).
    TextTime {
        /// None: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
        /// What "this time" is: four hours of the day, or the day of the week; in UTC.
        part: TimePart,
    },
    /// Mean over the item's texts of ln(the text's share of what the user wanted last / everybody's share), his
    /// latest 200 items, smoothed as by 10 items of everybody's.
    Affinity {
        /// None: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
        /// How fast his wishes count less; none: the 200 count alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// Mean over the item's texts of ln(share that he wanted of what he judged with the text / of all that he
    /// judged), his latest 200 wanted and 200 unwanted items, smoothed as by 5.
    Liking {
        /// None: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// Mean distance of the item's numbers from the mean of those the user wants, in standard deviations of the
    /// catalogue; 0 where either has none.
    NumberDistance {
        /// None: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// Mean over the user's texts, 16 at most, of ln(wishes of such users for the item / expected), smoothed.
    Audience {
        /// Of the user's texts; none: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// The same for the item's texts in place of the item: pairs of a text of the user and one of the item.
    TextAudience {
        /// Of the user's texts; none: all attributes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
        /// Given: how much of it is of late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// ln(1 + times the item stands among the user's latest 100 impressions).
    TimesShown {},
    /// |ln(1 + users who ever wanted the item) - the mean of that over what the user wants|.
    WantedGap {},
    /// |ln(1 + days since the item appeared) - the mean of that over what the user wants|.
    AgeGap {},
    /// The item's number: ln(1 + |x|) with its sign, in standard deviations of the catalogue; 0 if it has none.
    ItemNumber {
        /// Which.
        attribute: String,
    },
    /// 1 if the item's text, or bool as "true" or "false", is this or holds it.
    ItemHas {
        /// Of which attribute.
        attribute: String,
        /// Which text.
        value: String,
    },
    /// The user's number: ln(1 + |x|) with its sign; 0 if he has none.
    UserNumber {
        /// Which.
        attribute: String,
    },
    /// 1 if the user's text, or bool as "true" or "false", is this or holds it.
    UserHas {
        /// Of which attribute.
        attribute: String,
        /// Which text.
        value: String,
    },
    /// A number of the request's context, as of the user's.
    ContextNumber {
        /// Which.
        attribute: String,
    },
    /// 1 if a text of the request's context, or bool as "true" or "false", is this or holds it.
    ContextHas {
        /// Of which attribute.
        attribute: String,
        /// Which text.
        value: String,
    },
    /// ln(1 + items the user wanted), decayed or ever.
    UserWanted {
        /// None: ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// ln(1 + items he turned down), decayed or ever.
    UserUnwanted {
        /// None: ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        half_life_days: Option<HalfLife>,
    },
    /// ln(1 + days since his latest event); 0 before the first.
    UserIdle {},
    /// 1 from one hour of the day up to, and without, another; over midnight if it is the smaller. In UTC.
    Hours {
        /// 0 to 23.
        from: u8,
        /// 1 to 24.
        to: u8,
    },
    /// 1 on these days of the week, in UTC.
    Weekdays {
        /// Which.
        days: Vec<Weekday>,
    },
    /// The product of two other features, as the ranker reads them.
    Cross {
        /// Their names.
        of: [String; 2],
    },
}

/// How several cosines become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// Their mean.
    Mean,
    /// The greatest.
    Max,
}

/// What repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// Four hours of the day.
    Day,
    /// A day of the week.
    Week,
}

/// A day of the week.
#[allow(missing_docs, reason = "their names say it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// In order.
    pub(crate) const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];
}

/// What a feature says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// An item, perhaps for this user: told relative to the candidates.
    Item,
    /// The request: the same for all its candidates.
    Request,
}

impl FeatureKind {
    /// What the feature says something about; a cross, what its factors do.
    pub fn about(&self) -> About {
        match self {
            Self::UserNumber { .. }
            | Self::UserHas { .. }
            | Self::ContextNumber { .. }
            | Self::ContextHas { .. }
            | Self::UserWanted { .. }
            | Self::UserUnwanted { .. }
            | Self::UserIdle {}
            | Self::Hours { .. }
            | Self::Weekdays { .. } => About::Request,
            _ => About::Item,
        }
    }

    /// Where its number comes from, in a word or two.
    pub fn source(&self) -> &'static str {
        match self {
            Self::RetrievalScore {} | Self::RetrievalRank {} | Self::RetrievalKnown {} => "first stage",
            Self::Similarity { .. } => "first stage, user's events",
            Self::Wanted { .. } | Self::Trend { .. } | Self::WantedRate { .. } | Self::TakeRate { .. } => {
                "item's events"
            }
            Self::ItemIdle {} => "item's events",
            Self::ItemAge {} | Self::ItemNumber { .. } | Self::ItemHas { .. } => "item",
            Self::TextTrend { .. } | Self::TextTime { .. } => "events by text of the item",
            Self::Affinity { .. } | Self::Liking { .. } | Self::NumberDistance { .. } => "user's events, item",
            Self::WantedGap {} | Self::AgeGap {} => "user's events, item's events",
            Self::Audience { .. } => "events by text of the user",
            Self::TextAudience { .. } => "events by texts of both",
            Self::TimesShown {} | Self::UserWanted { .. } | Self::UserUnwanted { .. } | Self::UserIdle {} => {
                "user's events"
            }
            Self::UserNumber { .. } | Self::UserHas { .. } => "user",
            Self::ContextNumber { .. } | Self::ContextHas { .. } => "context",
            Self::Hours { .. } | Self::Weekdays { .. } => "time",
            Self::Cross { .. } => "two features",
        }
    }

    /// Of which type its number is.
    pub fn number_type(&self) -> &'static str {
        match self {
            Self::RetrievalKnown {}
            | Self::ItemHas { .. }
            | Self::UserHas { .. }
            | Self::ContextHas { .. }
            | Self::Hours { .. }
            | Self::Weekdays { .. } => "0 or 1",
            Self::Similarity { .. } => "cosine",
            Self::RetrievalScore {} => "score",
            Self::WantedGap {} | Self::AgeGap {} | Self::NumberDistance { .. } => "distance",
            Self::ItemNumber { .. } => "deviations",
            Self::Cross { .. } => "product",
            _ => "logarithm",
        }
    }

    /// Its number, before it is told relative to the candidates, where nothing is known.
    pub fn default_text(&self) -> &'static str {
        match self {
            Self::RetrievalScore {} => "least of the candidates",
            Self::Wanted { half_life_days: Some(_) } => "ln 0.1",
            Self::Trend { .. } => "ln 0.2",
            Self::RetrievalRank {} => "its rank",
            Self::ItemAge {} | Self::ItemIdle {} => "since it appeared",
            Self::Affinity { .. } => "the prior's share",
            _ => "0",
        }
    }
}
